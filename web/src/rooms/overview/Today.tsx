import { Group, Stack, Text } from "@mantine/core";
import { t } from "../../texts";
import { count, useDates } from "../../ui/format";
import type { Health } from "./queries";

const height = 72;
const hoursOfDay = 24;

/** The points of today, a bar for each hour. */
export function Today({ health }: { health: Health }) {
  const dates = useDates();
  const { hours, points_today: sum } = health;
  const most = Math.max(1, ...hours.map((hour) => hour.points));
  const slots = Math.max(hoursOfDay, hours.length);
  return (
    <Stack gap="sm">
      <Group justify="space-between" align="baseline" gap="xs">
        <Text fz="1.6rem" fw={650} lh={1.1} style={{ fontVariantNumeric: "tabular-nums" }}>
          {t.overview.points(count(sum), sum)}
        </Text>
        <Text size="sm" c="dimmed">
          {t.overview.deviceCount(count(health.devices), health.devices)}
        </Text>
      </Group>
      <svg
        viewBox={`0 0 ${slots * 10} ${height}`}
        width="100%"
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={t.overview.todayLabel(count(sum))}
      >
        <rect x={0} y={height - 1} width={slots * 10} height={1} fill="var(--mantine-color-default-border)" />
        {hours.map((hour, at) => {
          const tall = hour.points > 0 ? Math.max(3, (hour.points / most) * (height - 4)) : 0;
          return (
            <rect key={hour.time} x={at * 10 + 1.5} y={height - tall} width={7} height={tall} fill="var(--mantine-color-paddock-6)">
              <title>{t.overview.hourPoints(dates.clock(hour.time), count(hour.points))}</title>
            </rect>
          );
        })}
      </svg>
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {hours[0] ? dates.clock(hours[0].time) : ""}
        </Text>
        <Text size="xs" c="dimmed">
          {health.last_input ? `${t.overview.lastInput}: ${dates.near(health.last_input)}` : ""}
        </Text>
      </Group>
    </Stack>
  );
}
