// The page about oneself.

export const person = {
  title: "Account",
  tabs: { you: "You", display: "Language and formats", security: "Security", alerts: "Alerts" } as Record<string, string>,

  picture: "Picture",
  pictureText: "Shown to people you share profiles with. Drop a PNG, JPEG or WebP file of at most 2 MB here.",
  pictureChoose: "Choose a picture",
  pictureRemove: "Remove",
  pictureSaved: "The picture is saved.",
  pictureType: "A picture must be a PNG, JPEG or WebP file.",
  pictureSize: "That picture is larger than 2 MB.",

  about: "About you",
  company: "Company",
  phone: "Phone",

  email: "E-mail",
  emailText: (address: string) => `You sign in as ${address}, and letters go there.`,
  emailChange: "Change the e-mail…",
  emailTitle: "Change the e-mail",
  emailHint: "A link goes to the new address. Until you open it, nothing changes.",
  emailNew: "New e-mail",
  emailSend: "Send the link",

  language: "Language",
  languageText: "Of this console. The page is drawn anew.",
  zone: "Time zone",
  zoneText: "Times are shown in it; days and months begin at its midnight.",
  formats: "Dates and numbers",
  formatsText: "How the whole console writes them. A choice counts at once.",
  date: "Date",
  time: "Time",
  hours: { "24": "24 hours", "12": "12 hours" } as Record<string, string>,
  numbers: "Numbers",
  example: "This is how it looks",

  password: "Password",
  passwordText: "With a new password all other browsers are signed out.",
  passwordCurrent: "Current password",
  passwordNew: "New password",
  passwordButton: "Change the password",
  passwordDone: "The password is changed, and all other browsers are signed out.",

  end: "Delete the account",
  endText: "The account goes with all of its profiles, their devices and their data.",
  endOpen: "Delete the account…",
  endTitle: "Delete your account for ever?",
  endGoes: "With it go, and there is no way back:",
  endNothing: "The account owns no profile. What others share with you stays theirs.",
  endButton: "Delete for ever",
  things: {
    devices: (n: number, text: string) => `${text} ${n === 1 ? "device" : "devices"}`,
    points: (n: number, text: string) => `${text} ${n === 1 ? "data point" : "data points"}`,
    dashboards: (n: number, text: string) => `${text} ${n === 1 ? "dashboard" : "dashboards"}`,
    tokens: (n: number, text: string) => `${text} ${n === 1 ? "token" : "tokens"}`,
  } as Record<string, (n: number, text: string) => string>,
};
