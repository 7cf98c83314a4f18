// Where a switch to another profile leads: to the same page there, filtered and sorted alike.

/** What the address of a page may say that means the same in any profile: words and tags, states, order, time. Pages of a list are
 *  left out, and an id, which names a thing or a person. */
const kept = new Set(["search", "find", "tag", "state", "silent", "sort", "service", "range", "from", "to", "step", "day", "hour", "who", "resource"]);
const id = /^[0-9a-f]{24}$/;

/** The address in the console of the page at `pathname` in another profile. What belongs to one thing of a profile falls back to the
 *  list of such things; what is not in a profile at all, to the profile's home. Neither keeps anything of `search`. */
export function samePage(pathname: string, search: string, profile: string): string {
  const [, inside] = /^\/p\/[^/]+\/?(.*)$/.exec(pathname) ?? [];
  const parts = (inside ?? "").split("/").filter((part) => part !== "");
  const thing = parts.findIndex((part) => id.test(part));
  const said = inside === undefined || thing >= 0 ? [] : [...new URLSearchParams(search)].filter(([name, value]) => kept.has(name) && !id.test(value));
  const path = ["/p", profile, ...(thing < 0 ? parts : parts.slice(0, thing))].join("/");
  return said.length > 0 ? `${path}?${new URLSearchParams(said)}` : path;
}
