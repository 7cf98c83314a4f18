import { Avatar } from "@mantine/core";

/** A profile's logo, or its initials. Decoration beside the name. */
export function Logo({ name, url, size = 28 }: { name: string; url: string | null; size?: number }) {
  return <Avatar src={url} name={name} color="initials" radius="sm" size={size} alt="" aria-hidden="true" />;
}
