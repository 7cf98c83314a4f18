import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { ButtonLink } from "../../ui/links";
import { unreadQuery } from "./queries";

/** How many notifications are unread, and the way to them. */
export function Bell() {
  const unread = useQuery(unreadQuery).data?.unread ?? 0;
  return (
    <ButtonLink
      to="/notifications"
      variant={unread > 0 ? "light" : "subtle"}
      color={unread > 0 ? "paddock" : "gray"}
      size="sm"
      px="xs"
      style={{ flexShrink: 0 }}
      leftSection={<Picture />}
      classNames={unread > 0 ? undefined : { section: "alone" }}
      aria-label={t.notify.bell(unread)}
    >
      {unread > 0 && (unread > 99 ? "99+" : unread)}
    </ButtonLink>
  );
}

/** Drawn, because not every system has a bell among its letters. */
function Picture() {
  return (
    <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d="M6 9a6 6 0 0 1 12 0c0 6 2.5 7.5 2.5 7.5h-17S6 15 6 9" />
      <path d="M10.3 20.5a2 2 0 0 0 3.4 0" />
    </svg>
  );
}
