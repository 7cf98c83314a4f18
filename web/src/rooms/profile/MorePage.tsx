import { SimpleGrid } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Clone } from "../backup/Clone";
import { scheduleQuery } from "../backup/queries";
import { Looks } from "../support/Looks";
import { Leave } from "../team/Leave";
import { HandOver } from "../transfer/HandOver";
import { atLeast } from "./Allowed";
import { DeleteProfile } from "./DeleteProfile";
import { MoreCard } from "./MoreCard";
import { Pause } from "./Pause";
import { profileQuery } from "./queries";

const route = getRouteApi("/_in/p/$profileId/_about/more");

/** What is done with a profile as a whole, now and then. */
export function MorePage() {
  const { profileId } = route.useParams();
  const profile = useQuery(profileQuery(profileId));
  if (profile.isPending) return <Loading />;
  if (!profile.data) return <ErrorNote error={profile.error} retry={() => void profile.refetch()} />;
  const { info } = profile.data;
  return (
    <Page key={profileId} title={t.nav.more} profile={info.name}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        <Backups profileId={profileId} role={info.role} />
        <MoreCard title={t.settings.moreImport} text={t.settings.moreImportText}>
          <ButtonLink variant="default" to="/profiles/import">
            {t.settings.importButton}
          </ButtonLink>
        </MoreCard>
        <Clone profileId={profileId} name={info.name} role={info.role} />
        <Pause info={info} />
        <HandOver profileId={profileId} name={info.name} role={info.role} />
        {info.role === "owner" ? <DeleteProfile info={info} /> : <Leave profileId={profileId} role={info.role} />}
      </SimpleGrid>
      <Looks profileId={profileId} role={info.role} />
    </Page>
  );
}

function Backups({ profileId, role }: { profileId: string; role: string }) {
  const dates = useDates();
  const may = atLeast(role, "owner");
  const schedule = useQuery({ ...scheduleQuery(profileId), enabled: may }).data;
  const state = !schedule
    ? ""
    : schedule.failed_at !== null
      ? t.settings.backupsFailed(dates.minute(schedule.failed_at))
      : schedule.active && schedule.next_at !== null
        ? t.settings.backupsOn(dates.minute(schedule.next_at))
        : t.settings.backupsOff;
  return (
    <MoreCard
      title={t.settings.moreBackups}
      text={`${t.settings.moreBackupsText} ${state}`}
      lacks={may ? undefined : t.team.lacks("owner", role)}
    >
      <ButtonLink variant="default" to="/p/$profileId/backups" params={{ profileId }} disabled={!may}>
        {t.backup.toBackups}
      </ButtonLink>
    </MoreCard>
  );
}
