import { Alert, Button, Group, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { profilesQuery } from "../profile/queries";
import { useLookAction } from "./queries";

/** Above every page of a profile that one is in as an operator only. When that ends, what was read there is forgotten. */
export function LookBanner({ profileId }: { profileId: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const time = useTime();
  const rows = useQuery(profilesQuery).data;
  const row = rows?.find((one) => one.id === profileId);
  const look = row?.look;
  const act = useLookAction(profileId);
  const until = look?.until;
  useEffect(() => {
    if (!until) return;
    const again = (): void => void client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    const tick = window.setInterval(again, 15_000); // the owner may end it
    const over = window.setTimeout(again, Math.max(Date.parse(until) - Date.now(), 0) + 500);
    return () => {
      window.clearInterval(tick);
      window.clearTimeout(over);
      client.removeQueries({ queryKey: ["p", profileId] });
    };
  }, [until, client, profileId]);
  if (!row || !look) return null;
  return (
    <Alert color="yellow" mb="md" title={t.support.look.banner(row.name, look.owner)} data-testid="look">
      <Group justify="space-between" gap="xs">
        <Text size="sm" miw={0} flex="1 1 200px" style={{ overflowWrap: "anywhere" }}>
          {t.support.look.reasonUntil(look.reason, time(look.until))}
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          loading={act.isPending}
          onClick={() => act.mutate({ id: look.id, act: "end" }, { onSuccess: () => void navigate({ to: "/desk", replace: true }) })}
        >
          {t.support.look.end}
        </Button>
      </Group>
      <ErrorNote error={act.error} />
    </Alert>
  );
}
