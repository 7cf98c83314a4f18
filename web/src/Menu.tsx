// The sidebar: the pages of the profile one is in, then those of the account, then the server's for its operators.
import { AppShell, Divider, ScrollArea, Text } from "@mantine/core";
import { useLocation } from "@tanstack/react-router";
import { useSession } from "./rooms/account/session";
import { useGuest, useOutsider } from "./rooms/profile/Guest";
import { t } from "./texts";
import { MenuLink } from "./ui/links";

const look = { bdrs: "md" } as const;

export function Menu({ profileId }: { profileId: string | undefined }) {
  const { pathname } = useLocation();
  const guest = useGuest();
  const outsider = useOutsider();
  const operator = useSession().data?.operator === true;
  const at = (path: string) => pathname === `/${path}` || pathname.startsWith(`/${path}/`);
  const about = ["profile", "usage", "team", "tokens", "auditlog", "more", "backups"];
  return (
    <AppShell.Section grow component={ScrollArea} type="auto" scrollbarSize={8} mr="calc(var(--mantine-spacing-sm) * -1)" pr="sm">
      {profileId && (
        <>
          <MenuLink
            to="/p/$profileId"
            params={{ profileId }}
            activeOptions={{ exact: true }}
            label={t.nav.home}
            active={pathname === `/p/${profileId}`}
            {...look}
          />
          <MenuLink to="/p/$profileId/devices" params={{ profileId }} label={t.nav.devices} active={at(`p/${profileId}/devices`)} {...look} />
          <MenuLink
            to="/p/$profileId/profile"
            params={{ profileId }}
            label={t.nav.about}
            active={about.some((page) => at(`p/${profileId}/${page}`))}
            {...look}
          />
          <MenuLink to="/p/$profileId/alerts" params={{ profileId }} label={t.nav.alerts} active={at(`p/${profileId}/alerts`)} {...look} />
          <MenuLink to="/p/$profileId/limits" params={{ profileId }} label={t.nav.limits} active={at(`p/${profileId}/limits`)} {...look} />
          <Divider my="sm" />
        </>
      )}
      <Heading>{t.nav.account}</Heading>
      {!outsider && <MenuLink to="/profiles" label={t.nav.profiles} active={at("profiles")} {...look} />}
      {guest === false && (
        <>
          <MenuLink to="/allocation" label={t.nav.allocation} active={at("allocation")} {...look} />
          <MenuLink to="/cost" label={t.nav.cost} active={at("cost")} {...look} />
          <MenuLink to="/staff" label={t.nav.staff} active={at("staff")} {...look} />
        </>
      )}
      {!outsider && <MenuLink to="/transfer" label={t.nav.transfers} active={at("transfer")} {...look} />}
      <MenuLink to="/support" label={t.nav.support} active={at("support")} {...look} />
      {operator && (
        <>
          <Divider my="sm" />
          <Heading>{t.nav.server}</Heading>
          <MenuLink
            to="/operator"
            activeOptions={{ exact: true }}
            label={t.nav.operator}
            active={pathname === "/operator"}
            {...look}
          />
          <MenuLink to="/operator/accounts" label={t.nav.accounts} active={at("operator/accounts")} {...look} />
          <MenuLink to="/operator/settings" label={t.nav.settings} active={at("operator/settings")} {...look} />
          <MenuLink to="/desk" label={t.support.desk} active={at("desk")} {...look} />
          <MenuLink to="/outbox" label={t.notify.outbox} active={at("outbox")} {...look} />
        </>
      )}
    </AppShell.Section>
  );
}

function Heading({ children }: { children: string }) {
  return (
    <Text size="xs" c="dimmed" fw={600} px="sm" pt={4} pb={2}>
      {children}
    </Text>
  );
}
