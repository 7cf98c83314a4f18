import { Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { DeviceInfo, SilenceRule } from "../../api/types";
import { t } from "../../texts";
import { agoText, spanText, useNow } from "../../ui/ago";
import { useTime } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { rulesQuery } from "./queries";

/** How often a device should be heard, in seconds, as the strictest rule about it or one of its tags says. */
function expected(device: DeviceInfo, rules: readonly SilenceRule[]): number | undefined {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  const mine = rules.filter(
    ({ device: one, tag }) =>
      one === device.id || (tag && device.tags.some((own) => same(own.key, tag.key) && same(own.value, tag.value))),
  );
  return mine.length > 0 ? Math.min(...mine.map((rule) => rule.interval)) : undefined;
}

/** Whether the device is alive, in one sentence. */
export function Alive({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const rules = useQuery(rulesQuery(profileId));
  const now = useNow(5_000);
  const time = useTime();
  const every = expected(device, rules.data ?? []);
  const { last_input: last } = device;
  const late = every !== undefined && now - Date.parse(last ?? device.created_at) > every * 1000;
  const state = !device.active ? "off" : late ? "late" : last ? "alive" : "new";
  return (
    <Group gap="xs" wrap="nowrap" align="flex-start" role="status" data-testid="alive" data-state={state}>
      <div className="lamp" data-state={state} style={{ marginTop: 6 }} />
      <div>
        <Text fw={600} title={last ? time(last) : undefined}>
          {last ? t.fleet.alive.last(agoText(last, Math.max(now, Date.parse(last)))) : t.fleet.alive.never}
          {device.active && every !== undefined && `, ${(late ? t.fleet.alive.late : t.fleet.alive.expects)(spanText(every))}`}
        </Text>
        {!device.active && <Text size="sm">{t.fleet.alive.off}</Text>}
        {device.active && every === undefined && rules.isSuccess && (
          <TextLink size="sm" to="/p/$profileId/alerts" params={{ profileId }}>
            {t.fleet.alive.noRule}
          </TextLink>
        )}
      </div>
    </Group>
  );
}
