import { Button, Card, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { DeletedProfile } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useTime } from "../../ui/format";
import { Section } from "../../ui/Section";
import { Logo } from "./Logo";
import { deletedQuery, useRestoreProfile } from "./queries";

/** Profiles that were deleted and can be restored; nothing when there are none. */
export function DeletedProfiles() {
  const deleted = useQuery(deletedQuery);
  if (deleted.error) return <ErrorNote error={deleted.error} retry={() => void deleted.refetch()} />;
  if (!deleted.data?.length) return null;
  return (
    <Section title={t.profiles.deletedTitle} text={t.profiles.deletedText}>
      {deleted.data.map((row) => (
        <Row key={row.id} row={row} />
      ))}
    </Section>
  );
}

function Row({ row }: { row: DeletedProfile }) {
  const time = useTime();
  const restore = useRestoreProfile(row.id);
  const points = row.holds.data_records ?? 0;
  return (
    <Card withBorder padding="sm" role="group" aria-label={row.name}>
      <Stack gap="xs">
        <Group justify="space-between" gap="sm">
          <Group wrap="nowrap" miw={0} flex="1 1 14rem">
            <Logo name={row.name} url={row.logo_url} size={32} />
            <Stack gap={2} miw={0} flex={1}>
              <Text fw={600} truncate>
                {row.name}
              </Text>
              <Text size="sm">{left(row.purged_at)}</Text>
              <Text size="xs" c="dimmed">
                {t.profiles.deletedHolds(row.amounts.device ?? 0, points, count(points))} {t.profiles.deletedUntil(time(row.deleted_at), time(row.purged_at))}
              </Text>
            </Stack>
          </Group>
          <Button variant="default" loading={restore.isPending} onClick={() => restore.mutate()} aria-label={t.profiles.restoreOf(row.name)}>
            {t.profiles.restore}
          </Button>
        </Group>
        <ErrorNote error={restore.error} />
      </Stack>
    </Card>
  );
}

/** How long there is until an instant. */
function left(iso: string): string {
  const hours = Math.max(0, (Date.parse(iso) - Date.now()) / 3_600_000);
  return t.profiles.left(hours >= 24 ? t.profiles.days(Math.floor(hours / 24)) : t.profiles.hours(Math.max(1, Math.floor(hours))));
}
