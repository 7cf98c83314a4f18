import { Avatar } from "@mantine/core";

/** The address of a person's picture on this server; pictures of other servers are not fetched. */
function ownPath(url: string | null | undefined): string | undefined {
  return url && /^\/account\/[0-9a-f]{24}\/picture\/[0-9a-f]+$/.test(url) ? url : undefined;
}

/** A person's picture, or the initials. Decoration beside the name. */
export function Face({ name, url, size = 36 }: { name: string; url: string | null | undefined; size?: number }) {
  const src = ownPath(url);
  return <Avatar src={src} name={src ? undefined : name} color="gray" radius="xl" size={size} alt="" aria-hidden="true" />;
}
