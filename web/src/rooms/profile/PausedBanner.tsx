import { Alert, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { useSession } from "../account/session";
import { atLeast } from "./Allowed";
import { profileQuery, profilesQuery, useResume } from "./queries";

/** Above every page of a profile that is paused: why, and who can end that. */
export function PausedBanner({ profileId }: { profileId: string }) {
  const paused = useQuery(profilesQuery).data?.find((row) => row.id === profileId)?.paused === true;
  return paused ? <Banner profileId={profileId} /> : null;
}

function Banner({ profileId }: { profileId: string }) {
  const info = useQuery(profileQuery(profileId)).data?.info;
  const operator = useSession().data?.operator === true;
  const resume = useResume(profileId);
  if (!info?.paused) return null;
  const may = info.paused_by_operator ? operator : atLeast(info.role, "admin");
  const who = may ? t.frame.resumeBy.you : info.paused_by_operator ? t.frame.resumeBy.operator : t.frame.resumeBy.admins;
  return (
    <Alert color="yellow" variant="light" mb="md" title={t.frame.paused(info.pause_reason ?? "")} data-testid="paused">
      <Group justify="space-between" gap="sm">
        <Text size="sm" miw={0} flex="1 1 240px">
          {t.frame.pausedText} {who}
        </Text>
        {may && (
          <Button size="compact-md" loading={resume.isPending} onClick={() => resume.mutate()}>
            {t.frame.resume}
          </Button>
        )}
        {!may && info.paused_by_operator && (
          <ButtonLink size="compact-md" variant="default" to="/support">
            {t.frame.askSupport}
          </ButtonLink>
        )}
      </Group>
      <ErrorNote error={resume.error} />
    </Alert>
  );
}
