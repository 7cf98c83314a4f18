export const frame = {
  // The switcher.
  owner: (name: string) => `of ${name}`,
  statuses: {
    blocked: "Blocked: a limit is used up",
    paused: "Paused",
    near: "Near a limit",
    silent: "Devices are silent",
    new: "Nothing received yet",
    ok: "All is well",
  } as Record<string, string>,
  pinned: "Pinned",
  recent: "Recent",
  others: "Others",
  pin: (name: string) => `Pin ${name} to the top`,
  unpin: (name: string) => `Unpin ${name}`,
  moreProfiles: (n: number) => (n === 1 ? "One more: type a part of its name" : `${n} more: type a part of the name`),
  keys: "Alt P",

  // Light or dark.
  scheme: "Appearance",
  schemes: { light: "Light", dark: "Dark", auto: "Auto" },

  // What an error says besides its sentence.
  limit: "Limit",
  used: (used: string, allowed: string) => `${used} of ${allowed} used`,
  resets: (when: string, at: string) => `Starts again ${when}, on ${at}.`,
  copyError: "Copy for a report",

  // A profile that cannot be opened.
  noAccess: "You cannot open this profile",
  noAccessText: (email: string) => `Either there is no profile at this address, or ${email} is not in its team.`,
  askOwner: "Ask the person who sent you here to invite this address:",
  copyAddress: "Copy your address",
  otherAccount: "Sign in with another account",
  toProfiles: "All your profiles",
  deleted: (name: string) => `${name} is deleted`,
  deletedText: (by: string) => `You can restore it with its devices, data and team until ${by}. After that it is gone for good.`,
  restore: "Restore this profile",
  handed: (name: string) => `${name} has a new owner`,
  handedText: (to: string, on: string) => `It was handed over to ${to} on ${on}. From then on it is theirs: devices, data and team.`,
  handedBy: (from: string, on: string) => `You gave it back to ${from} on ${on}.`,
  toTransfer: "Look at the transfer",
  paused: (reason: string) => `This profile is paused: ${reason}`,
  pausedText: "People can read everything; devices and tokens are refused until somebody resumes it. Nothing is lost.",
  resume: "Resume",
  resumeBy: {
    you: "You can resume it.",
    admins: "Its owner and admins can resume it.",
    operator: "Only an operator of this server can resume it.",
  },
  askSupport: "Ask the operator",

  // An invitation.
  role: {
    admin: (where: string) => `You would be an admin of ${where}: everything but billing, transfer and deletion.`,
    developer: (where: string) => `You would be a developer in ${where}: use and change everything but its settings and team.`,
    viewer: (where: string) => `You would be a viewer of ${where}: look at everything and change nothing.`,
  } as Record<string, (where: string) => string>,
  place: (name: string) => `“${name}”`,
  places: (n: number) => (n === 1 ? "one profile" : `${n} profiles`),
  until: (date: string) => `Your access would end on ${date}.`,
  askAgain: "Ask for a new invitation",
  asked: "Asked",
  askedText: "If the invitation was real, whoever sent it is told by mail. A new letter comes to the same address.",
};
