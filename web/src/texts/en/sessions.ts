export const sessions = {
  title: "Signed-in browsers",
  text: "Where this account is signed in. End what you do not know, and change your password then.",
  current: "this one",
  where: (address: string, used: string, until: string) => `${address}, last used ${used}, at most until ${until}`,
  browser: (browser: string, system: string) => `${browser} on ${system}`,
  unknown: "Unknown browser",
  end: "Sign out",
  endOne: (browser: string, address: string) => `Sign out ${browser} at ${address}`,
  endOthers: "Sign out all others",
};
