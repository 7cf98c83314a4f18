export const staff = {
  title: "Staff",
  text: "People who work in your profiles, in all of them or in those with a tag.",
  empty: "No staff yet",
  emptyText:
    "Staff are for people who look after many of your profiles: one invitation gives them a role in all, also in those you add later, and one press removes them everywhere. To let somebody into a single profile, use the team of that profile.",
  people: "People",
  invite: "Invite staff",
  reach: "Works in",
  all: "All profiles, also those added later",
  tagged: "Profiles with one of some tags",
  tags: "Tags",
  tagsHint: "The tags of a profile are on its page. Upper and lower case count.",
  now: (names: string[]) => (names.length === 0 ? "No profile of yours now." : `Now: ${few(names)}.`),
  inAll: (names: string[]) => `In all profiles: ${few(names)}.`,
  inTagged: (tags: string[], names: string[]) =>
    `In profiles with the tag ${tags.join(" or ")}: ${names.length === 0 ? "none now" : few(names)}.`,
  removeTitle: (person: string) => `Remove ${person} from all your profiles?`,
  removeText: "From the next request on this person reaches none of your profiles, and is a member of none of their teams.",
  ends: (names: string[]) => (names.length === 0 ? "No profile is lost: none is reached now." : `Lost: ${few(names)}.`),
};

/** Names in a sentence; of many the first ones, and how many more. */
function few(names: string[]): string {
  const n = names.length - 8;
  return n < 3 ? names.join(", ") : `${names.slice(0, 8).join(", ")} and ${n} more`;
}
