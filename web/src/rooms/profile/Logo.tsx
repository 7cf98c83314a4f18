import { Avatar } from "@mantine/core";

// White is readable on each of them.
const colors = ["#2a7a4b", "#1d6a8a", "#6b4fa0", "#a04b2f", "#855700", "#3f5f9e", "#9c3d6b", "#4d6b2f"];

/** The same colour for the same name, everywhere. */
function colorOf(name: string): string | undefined {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return colors[hash % colors.length];
}

/** The address of an uploaded logo on this server, under whatever name the server was reached; else none: pictures of other
 *  servers are not fetched, for that would tell them who looks. */
function ownPath(url: string | null): string | null {
  if (!url) return null;
  try {
    const { pathname } = new URL(url, window.location.origin);
    return /^\/profile\/[0-9a-f]{24}\/logo\/[0-9a-f]+$/.test(pathname) ? pathname : null;
  } catch {
    return null;
  }
}

/** A profile's logo, or its initials. Decoration beside the name. */
export function Logo({ name, url, size = 28 }: { name: string; url: string | null; size?: number }) {
  const src = ownPath(url);
  return (
    <Avatar
      src={src}
      name={src ? undefined : name}
      color={src ? undefined : colorOf(name)}
      variant={src ? "transparent" : "filled"}
      radius="sm"
      size={size}
      alt=""
      aria-hidden="true"
      styles={{ image: { objectFit: "contain" } }}
    />
  );
}
