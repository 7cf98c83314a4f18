// Where a switch to another profile leads: to the same page there.

/** The address in the console of the page at `pathname` in another profile. What belongs to one thing of a profile falls back to the
 *  list of such things; what is not in a profile at all, to the profile's home. */
export function samePage(pathname: string, profile: string): string {
  const [, inside = ""] = /^\/p\/[^/]+\/?(.*)$/.exec(pathname) ?? [];
  const parts = inside.split("/").filter((part) => part !== "");
  const thing = parts.findIndex((part) => /^[0-9a-f]{24}$/.test(part));
  return ["/p", profile, ...(thing < 0 ? parts : parts.slice(0, thing))].join("/");
}
