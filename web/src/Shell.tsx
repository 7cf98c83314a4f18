import { AppShell, Burger, Group, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useMatches } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { Menu } from "./Menu";
import { AccountMenu } from "./rooms/account/AccountMenu";
import { SessionEnded } from "./rooms/account/SessionEnded";
import { Bell } from "./rooms/notify/Bell";
import { useAccess } from "./rooms/profile/access";
import { profilesQuery } from "./rooms/profile/queries";
import { useNoteRecent } from "./rooms/profile/recent";
import { Switcher } from "./rooms/profile/Switcher";
import { SearchButton } from "./rooms/search/SearchButton";
import { LookBanner } from "./rooms/support/LookBanner";
import { t } from "./texts";
import { Mark } from "./ui/Mark";

/** The frame around every page of somebody who is signed in. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  useAccess();
  const named = useMatches({
    select: (matches) => matches.map((match) => match.params as { profileId?: string }).find((p) => p.profileId)?.profileId,
  });
  // A profile that one may not enter has no pages to lead to.
  const here = useQuery(profilesQuery).data?.find((row) => row.id === named);
  const profileId = here?.id;
  useNoteRecent(profileId);

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
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "lg" }}
    >
      <a className="skip" href="#main">
        {t.skip}
      </a>
      <AppShell.Header px={{ base: "xs", sm: "md" }}>
        {here?.color && <div className="stripe" style={{ background: here.color }} data-testid="stripe" />}
        <Group h="100%" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap={6} wrap="nowrap" miw={0}>
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={opened ? t.nav.close : t.nav.open}
              aria-expanded={opened}
            />
            <UnstyledButton component={Link} to="/" aria-label={t.notFound.home} display="flex" visibleFrom="sm">
              <Mark />
            </UnstyledButton>
            <Switcher current={profileId} />
          </Group>
          <Group gap={6} wrap="nowrap">
            <SearchButton profileId={profileId} />
            <Bell />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={t.nav.label}>
        <Menu profileId={profileId} />
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1} maw={1360}>
        {profileId && <LookBanner profileId={profileId} />}
        <Outlet />
      </AppShell.Main>
      <SessionEnded />
    </AppShell>
  );
}
