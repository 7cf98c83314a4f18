export const team = {
  title: "Team",
  text: "People who work in this profile besides its owner.",
  roles: {
    owner: "Owner",
    admin: "Admin",
    developer: "Developer",
    viewer: "Viewer",
  } as Record<string, string>,
  roleHints: {
    admin: "Everything but billing, transfer and deletion of the profile.",
    developer: "Uses and changes everything in the profile, but not its settings and its team.",
    viewer: "Sees everything and changes nothing.",
  } as Record<string, string>,
  members: "Members",
  empty: "Nobody else is here yet.",
  emptyMember: "Besides you, only the owner is here.",
  person: "Person",
  role: "Role",
  until: (date: string) => `until ${date}`,
  over: (date: string) => `ended on ${date}`,
  staff: "staff",
  staffHint: "Works in several profiles of the owner, who removes staff from all of them at once.",
  remove: "Remove",
  removeLabel: (person: string) => `Remove ${person}`,
  removeTitle: (person: string) => `Remove ${person} from this profile?`,
  removeText: "From the next request on this person reaches nothing here.",
  endsTokens: (n: number) => (n === 0 ? "No token ends." : n === 1 ? "A token ends:" : `${n} tokens end:`),
  endsToken: (name: string, tail: string, used: string) => `${name} (…${tail}), ${used}`,
  lastUsed: (time: string) => `last used ${time}`,
  neverUsed: "never used",
  endsSessions: (n: number) =>
    n === 0 ? "The person is signed in nowhere." : n === 1 ? "One signed-in browser loses this access." : `${n} signed-in browsers lose this access.`,
  endsProfiles: (names: string[]) => (names.length > 1 ? `You leave ${names.length} profiles: ${names.join(", ")}.` : ""),

  waiting: "Invitations",
  waitingText: "Each link works once, for seven days. Inviting somebody again makes a new one.",
  waitingUntil: (date: string) => `waits until ${date}`,
  copyLink: "Copy link",
  copyLinkLabel: (email: string) => `Copy link of the invitation of ${email}`,
  copyHint: "Whoever opens a copied link has to sign in as the person invited; the link in the letter is enough by itself.",
  withdraw: "Withdraw",
  withdrawLabel: (email: string) => `Withdraw the invitation of ${email}`,

  invite: "Invite a person",
  inviteText: "By e-mail. Who has no account here makes one on the page that the link leads to.",
  email: "E-mail",
  expires: "Until",
  expiresHint: "That day included. Left empty, it does not end.",
  inviteButton: "Invite",
  invited: (email: string) => `${email} is invited.`,
  noLetters: "This server sends no letters yet: after inviting, copy the link under Invitations and hand it over yourself.",
  already: "This person is in the team already.",

  leave: "Leave this profile",
  leavePassword: "Your password",
  leaveButton: "Leave",

  invitation: "Invitation",
  invitationTo: (inviter: string, profile: string) => `${inviter} invites you to the profile “${profile}”`,
  invitationToAll: (inviter: string, account: string, n: number) =>
    `${inviter} invites you to work in ${n === 1 ? "a profile" : `${n} profiles`} of ${account}`,
  somebody: "Somebody",
  forWhom: (email: string, until: string) => `For ${email}, until ${until}.`,
  accept: "Accept",
  decline: "Decline",
  signInFirst: "Sign in as the person invited to accept.",
  letterFirst: "This link was passed on by hand, so it does not prove who you are. Sign in as the person invited, or use the link in the letter that was sent to this address.",
  confirmFirst: "The account of this address waits for confirmation. Open the link in the letter that you got when you signed up, then come back here.",
  closed: "There is no account with this address, and this server does not let people sign up. Ask whoever runs it for an account.",
  signUpFirst: "There is no account with this address yet. Choose a name and a password to make one; you own no profile then, until you want to.",
  signUpButton: "Make the account and accept",
  accepted: "You are in",
  acceptedText: (email: string) => `Sign in as ${email} to go there.`,
  declined: "Declined",
  declinedText: "Whoever invited you is told. Nothing else happened.",
  toProfile: "Go to the profile",
  unknown: "No such invitation",
  unknownText: "This link is not complete, or the invitation is long gone. Ask for a new one.",
  ended: {
    accepted: { title: "Accepted already", text: "This link works once, and was used." },
    declined: { title: "Declined already", text: "This invitation was declined. Ask for a new one if you changed your mind." },
    cancelled: { title: "Withdrawn", text: "Whoever invited you took the invitation back." },
    replaced: { title: "There is a newer invitation", text: "You were invited once more; use the link in the newest letter." },
    expired: { title: "Expired", text: "Invitations work for seven days. Ask for a new one." },
  } as Record<string, { title: string; text: string }>,

  you: (name: string) => `${name} (you)`,
  actions: "What can be done",
  change: "Change",
  changeLabel: (person: string) => `Change ${person}`,
  changeTitle: (person: string) => `What ${person} may do`,
  both: "This person is also here as staff of the owner. The higher of the two roles counts.",
  toStaff: "Staff",
  ownersStaff: "The owner changes staff.",
  adminSees: "An admin sees the whole profile.",
  viewerSees: "Viewers see nobody but themselves.",
  closedInvite: "Inviting people",
  inviting: "Inviting somebody",
  lacks: (least: string, role: string, what = "This") =>
    least === "owner"
      ? `Only the owner of this profile may do this; you are ${a(role)} here.`
      : `${what} takes the role ${least}; you are ${a(role)} here. The owner of the profile or one of its admins can give it.`,
  sees: (devices: string, dashboards: string) => `Sees ${devices} and ${dashboards}.`,
  partHint: "What has one of the tags or ids. With neither: none at all.",
  ofDevices: {
    only: "Only some devices",
    tags: "Devices with one of these tags",
    ids: "Or with these ids, one on each line",
    all: "all devices",
    some: (tags: string[], ids: number) => things(tags, ids, "device"),
  },
  ofDashboards: {
    only: "Only some dashboards",
    tags: "Dashboards with one of these tags",
    ids: "Or with these ids, one on each line",
    all: "all dashboards",
    some: (tags: string[], ids: number) => things(tags, ids, "dashboard"),
  },
};

/** Devices or dashboards that are found by tags, by ids, or by either. */
function things(tags: string[], ids: number, thing: string): string {
  const named = ids === 1 ? `one ${thing} chosen by its id` : `${ids} ${thing}s chosen by id`;
  if (tags.length === 0) return ids === 0 ? `no ${thing}s` : named;
  const tagged = `${thing}s with the tag ${tags.join(" or ")}`;
  return ids === 0 ? tagged : `${tagged} or ${named}`;
}

/** A role with its article. */
function a(role: string): string {
  if (role === "") return "nobody";
  if (role === "owner") return "the owner";
  return role === "admin" ? "an admin" : `a ${role}`;
}
