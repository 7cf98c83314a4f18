import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Outlet } from "@tanstack/react-router";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ButtonLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { profilesQuery } from "./queries";

const route = getRouteApi("/_in/p/$profileId");

/** Lets into a profile that is in the account's list; of any other it says that it is not there. */
export function ProfileGate() {
  const { profileId } = route.useParams();
  const here = useQuery(profilesQuery).data?.some((row) => row.id === profileId);
  if (here) return <Outlet />;
  return (
    <Page title={t.notFound.profile}>
      <Empty text={t.notFound.profileText}>
        <ButtonLink to="/profiles">{t.switcher.all}</ButtonLink>
      </Empty>
    </Page>
  );
}
