import { AppShell, Burger, Group, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useLocation, useMatches } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { AccountMenu } from "./rooms/account/AccountMenu";
import { SessionEnded } from "./rooms/account/SessionEnded";
import { Switcher } from "./rooms/profile/Switcher";
import { t } from "./texts";
import { MenuLink } from "./ui/links";
import { Mark } from "./ui/Mark";

/** The frame around every page of somebody who is signed in. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const profileId = useMatches({
    select: (matches) => matches.map((match) => match.params as { profileId?: string }).find((p) => p.profileId)?.profileId,
  });

  // A new page begins at its heading, also for people who do not see it change.
  const main = useRef<HTMLElement>(null);
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    close();
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [pathname, close]);

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !opened || !profileId, desktop: !profileId } }}
      padding={{ base: "md", sm: "lg" }}
    >
      <a className="skip" href="#main">
        {t.skip}
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap={6} wrap="nowrap" miw={0}>
            {profileId && (
              <Burger
                opened={opened}
                onClick={toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label={opened ? t.nav.close : t.nav.open}
                aria-expanded={opened}
              />
            )}
            <UnstyledButton component={Link} to="/profiles" aria-label={t.switcher.all} display="flex" visibleFrom={profileId ? "sm" : undefined}>
              <Mark />
            </UnstyledButton>
            <Switcher current={profileId} />
          </Group>
          <AccountMenu />
        </Group>
      </AppShell.Header>
      {profileId && (
        <AppShell.Navbar p="sm" aria-label={t.nav.label}>
          <MenuLink to="/p/$profileId/devices" params={{ profileId }} label={t.nav.devices} active={pathname.includes(`/${profileId}/devices`)} />
          <MenuLink to="/p/$profileId/profile" params={{ profileId }} label={t.nav.profile} active={pathname.endsWith(`/${profileId}/profile`)} />
        </AppShell.Navbar>
      )}
      <AppShell.Main id="main" ref={main} tabIndex={-1} maw={profileId ? 1360 : 1160} mx={profileId ? undefined : "auto"}>
        <Outlet />
      </AppShell.Main>
      <SessionEnded />
    </AppShell>
  );
}
