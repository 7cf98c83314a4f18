export const factor = {
  title: "Second factor",
  text: "A code of an app on your phone, besides the password. It is asked for when you sign in, make a token or delete something for good.",
  on: "On",
  off: "Off",
  since: (when: string, left: number) => `Since ${when}. Recovery codes left: ${left}.`,
  fewLeft: (left: number) =>
    left === 0
      ? "No recovery code is left. Make new ones, or a lost phone locks you out."
      : "Few recovery codes are left. Make new ones in time.",
  enable: "Turn on",
  disable: "Turn off",
  recovery: "New recovery codes",
  next: "Go on",
  steps: {
    enable: {
      title: "Turn the second factor on",
      text: "You need an authenticator app on your phone. First your password.",
      button: "Turn on",
    },
    disable: {
      title: "Turn the second factor off",
      text: "The password alone will sign in. Your other browsers are signed out.",
      button: "Turn off",
    },
    recovery: {
      title: "New recovery codes",
      text: "The old ones stop working. Your other browsers are signed out.",
      button: "Make new codes",
    },
  },
  scan: "Scan this with the app, or type the key into it. Then enter the code that the app shows.",
  qr: "QR code of the key",
  copySecret: "Copy the key",
  confirm: "Turn on",
  code: "Code",
  codeHint: "The six digits that your authenticator app shows, or a recovery code.",
  appCode: "The six digits that the app shows now.",
  codesTitle: "Keep these recovery codes",
  codesText:
    "Each of them stands in for a code of the app, once. They are shown here and never again; without them a lost phone locks you out.",
  copyCodes: "Copy the recovery codes",
  download: "Download",
  kept: "I have kept them",
};
