import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { statusQuery } from "../account/session";
import { profilesQuery } from "./queries";

/** Whether the account owns no profile; undefined until that is known. */
export function useGuest(): boolean | undefined {
  const profiles = useQuery(profilesQuery).data;
  return profiles && !profiles.some((row) => !row.from_share);
}

/** Whether this person works in one profile of somebody else and has nothing else here: for them that profile is all there is. */
export function useOutsider(): boolean {
  const profiles = useQuery(profilesQuery).data;
  return profiles?.length === 1 && profiles[0]?.from_share === true && !profiles[0].look;
}

/** What a guest may do here, and the way to a profile of one's own where the server gives it. */
export function Guest() {
  const shares = (useQuery(profilesQuery).data?.length ?? 0) > 0;
  const status = useQuery(statusQuery);
  const closed = status.data?.signup === "closed";
  return (
    <Empty title={shares ? t.guest.title : t.profiles.empty} text={shares ? t.guest.text : t.guest.alone}>
      <ErrorNote error={status.error} />
      {closed && <Text>{t.guest.closed}</Text>}
      {status.data && !closed && <ButtonLink to="/profiles/add">{t.guest.own}</ButtonLink>}
    </Empty>
  );
}
