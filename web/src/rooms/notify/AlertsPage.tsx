import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { t } from "../../texts";
import { Page } from "../../ui/Page";
import { useProfileName } from "../profile/useProfileName";
import { AlertSettings } from "./AlertSettings";
import { settingsQuery } from "./queries";

const route = getRouteApi("/_in/p/$profileId/alerts");

/** What this person is told of a profile. */
export function AlertsPage() {
  const { profileId } = route.useParams();
  const name = useProfileName(profileId);
  const recipients = useQuery(settingsQuery(profileId)).data?.recipients;
  return (
    <Page title={t.notify.alerts} profile={name} text={recipients && t.notify.alertsText(recipients.map((one) => one.name))}>
      <AlertSettings profile={profileId} />
    </Page>
  );
}
