import { Box, Stack } from "@mantine/core";
import { getRouteApi, Link, Outlet } from "@tanstack/react-router";
import { t } from "../../texts";
import { showCurrent } from "../../ui/tabs";

const route = getRouteApi("/_in/p/$profileId");

/** Profiles & Teams: the tabs over everything a profile is, each with an address of its own. */
export function ProfileTabs() {
  const { profileId } = route.useParams();
  const tab = { params: { profileId }, className: "tab" } as const;
  return (
    <Stack gap="lg">
      <Box component="nav" ref={showCurrent} className="tabs" aria-label={t.nav.about}>
        <Link to="/p/$profileId/profile" {...tab}>
          {t.nav.profile}
        </Link>
        <Link to="/p/$profileId/usage" {...tab}>
          {t.nav.usage}
        </Link>
        <Link to="/p/$profileId/team" {...tab}>
          {t.nav.team}
        </Link>
        <Link to="/p/$profileId/tokens" {...tab}>
          {t.nav.tokens}
        </Link>
        <Link to="/p/$profileId/auditlog" {...tab} activeOptions={{ includeSearch: false }}>
          {t.nav.audit}
        </Link>
        <Link to="/p/$profileId/more" {...tab}>
          {t.nav.more}
        </Link>
      </Box>
      <Outlet />
    </Stack>
  );
}
