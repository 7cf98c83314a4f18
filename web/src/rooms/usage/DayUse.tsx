import { Anchor, Button, Group, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { dayText } from "../billing/range";
import { useOwnRole } from "../profile/Allowed";
import { AddsUp } from "./AddsUp";
import { nameOf } from "./names";
import { byDevice, devicesQuery, statisticsQuery } from "./queries";
import type { UsageSearch } from "./search";
import { dayIn, dayPlus } from "./time";

const Bars = lazy(async () => ({ default: (await import("./UseCharts")).Bars }));

interface Props {
  profileId: string;
  service: string;
  flow: boolean;
  day: string;
  /** The end of the hour whose devices are shown. */
  hour: string | undefined;
  zone: string;
  set: (part: UsageSearch) => void;
}

/** A day: its hours, and the devices behind the day or behind one hour. */
export function DayUse({ profileId, service, flow, day, hour, zone, set }: Props) {
  const dates = useDates();
  const hours = useQuery(statisticsQuery(profileId, { from: day, to: day }, "hour", zone, "period"));
  const owner = useOwnRole(profileId) === "owner";
  const rows = (hours.data ?? []).map((sample, at, all) => {
    const used = sample[service];
    const before = all[at - 1]?.time;
    return {
      key: sample.time,
      from: before ? Date.parse(before) : Date.parse(sample.time) - 3_600_000,
      // Of the hour that runs, the end moves on.
      to: at === all.length - 1 ? Infinity : Date.parse(sample.time),
      name: `– ${dates.clock(sample.time)}`,
      used: typeof used === "number" ? used : 0,
    };
  });
  const busy = rows.filter((row) => row.used > 0);
  const total = rows.reduce((sum, row) => sum + row.used, 0);
  const chosen = rows.find((row) => row.key === hour) ?? (hour ? rows.find((row) => Date.parse(hour) > row.from && Date.parse(hour) <= row.to) : undefined);
  return (
    <Section title={`${dayText(day)} · ${nameOf(service)}`}>
      <Group gap="sm">
        <Button variant="default" size="compact-sm" onClick={() => set({ day: dayPlus(day, -1), hour: undefined })}>
          {t.statistics.dayBefore}
        </Button>
        <Button variant="default" size="compact-sm" disabled={day >= dayIn(zone, Date.now())} onClick={() => set({ day: dayPlus(day, 1), hour: undefined })}>
          {t.statistics.dayAfter}
        </Button>
        <Button variant="subtle" size="compact-sm" onClick={() => set({ day: undefined, hour: undefined })}>
          {t.close}
        </Button>
        {owner && (
          <TextLink size="sm" to="/cost/line" search={{ kind: "service", profile: profileId, service, range: day }}>
            {t.statistics.costOfDay}
          </TextLink>
        )}
      </Group>
      {hours.isPending && <Loading />}
      <ErrorNote error={hours.error} retry={() => void hours.refetch()} />
      {hours.data && (flow ? busy.length === 0 : rows.length === 0) && <Text c="dimmed">{t.statistics.emptyDay}</Text>}
      {hours.data && (flow ? busy.length > 0 : rows.length > 0) && (
        <SimpleGrid cols={{ base: 1, md: flow ? 2 : 1 }} spacing="xl">
          <Stack gap="xs">
            <Title order={3} size="h5">
              {t.statistics.hours}
            </Title>
            <Suspense fallback={<Loading />}>
              <Bars
                bars={rows}
                label={t.statistics.barsLabel(nameOf(service), rows.length)}
                what={flow ? t.statistics.used : t.statistics.held}
                open={flow ? (key) => set({ hour: key }) : undefined}
                height={140}
              />
            </Suspense>
            <Table verticalSpacing={4} horizontalSpacing={8} aria-label={t.statistics.hours}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.statistics.hourTo}</Table.Th>
                  <Table.Th ta="right">{flow ? t.statistics.usedIn : t.statistics.held}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody className="tabular">
                {(flow ? busy : rows).map((row) => (
                  <Table.Tr key={row.key}>
                    <Table.Td>
                      {flow && byDevice.includes(service) ? (
                        <Anchor
                          component="button"
                          type="button"
                          size="sm"
                          fw={row === chosen ? 700 : undefined}
                          aria-pressed={row === chosen}
                          onClick={() => set({ hour: row === chosen ? undefined : row.key })}
                        >
                          {dates.clock(row.key)}
                        </Anchor>
                      ) : (
                        dates.clock(row.key)
                      )}
                    </Table.Td>
                    <Table.Td ta="right">{amount(row.used)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
              {flow && (
                <Table.Tfoot className="tabular">
                  <Table.Tr>
                    <Table.Th scope="row" fz="sm">
                      {t.billing.total}
                    </Table.Th>
                    <Table.Td ta="right" fw={700}>
                      {amount(total)}
                    </Table.Td>
                  </Table.Tr>
                </Table.Tfoot>
              )}
            </Table>
          </Stack>
          {flow && <Devices {...{ profileId, service, day, zone }} chosen={chosen} total={total} all={() => set({ hour: undefined })} />}
        </SimpleGrid>
      )}
    </Section>
  );
}

interface DevicesProps {
  profileId: string;
  service: string;
  day: string;
  zone: string;
  chosen: { key: string; from: number; to: number; used: number } | undefined;
  total: number;
  all: () => void;
}

const kept = 62;

/** Which devices a day's use is of, or an hour's. */
function Devices({ profileId, service, day, zone, chosen, total, all }: DevicesProps) {
  const dates = useDates();
  const counted = byDevice.includes(service);
  const old = day < dayPlus(dayIn(zone, Date.now()), -kept);
  const devices = useQuery({ ...devicesQuery(profileId, service, day, zone), enabled: counted && !old });
  const rows = (devices.data?.devices ?? [])
    .map((device) => ({
      ...device,
      used: chosen
        ? device.hours.filter(({ time }) => Date.parse(time) > chosen.from && Date.parse(time) <= chosen.to).reduce((sum, { used }) => sum + used, 0)
        : device.used,
    }))
    .filter((device) => device.used > 0)
    .sort((a, b) => b.used - a.used);
  const sum = chosen ? rows.reduce((n, row) => n + row.used, 0) : (devices.data?.used ?? 0);
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Title order={3} size="h5">
          {chosen ? t.statistics.devicesAt(dates.clock(chosen.key)) : t.statistics.devices}
        </Title>
        {chosen && (
          <Button variant="subtle" size="compact-xs" onClick={all}>
            {t.statistics.wholeDay}
          </Button>
        )}
      </Group>
      {!counted && (
        <Text size="sm" c="dimmed">
          {t.statistics.notByDevice}
        </Text>
      )}
      {counted && old && (
        <Text size="sm" c="dimmed">
          {t.statistics.devicesKept(kept)}
        </Text>
      )}
      <ErrorNote error={devices.error} retry={() => void devices.refetch()} />
      {counted && !old && devices.isPending && <Loading />}
      {devices.data && (
        <>
          <Table verticalSpacing={4} horizontalSpacing={8} aria-label={t.statistics.devices}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.statistics.device}</Table.Th>
                <Table.Th ta="right">{t.statistics.usedIn}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody className="tabular">
              {rows.map((row) => (
                <Table.Tr key={row.device}>
                  <Table.Td>
                    {row.name ? (
                      <TextLink size="sm" to="/p/$profileId/devices/$deviceId" params={{ profileId, deviceId: row.device }}>
                        {row.name}
                      </TextLink>
                    ) : (
                      <Text size="sm" c="dimmed">
                        {t.statistics.goneDevice(row.device.slice(-6))}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{amount(row.used)}</Table.Td>
                </Table.Tr>
              ))}
              {!chosen && devices.data.others > 0 && (
                <Table.Tr>
                  <Table.Td>{t.statistics.others(devices.data.others)}</Table.Td>
                  <Table.Td ta="right">{amount(devices.data.used - rows.reduce((n, row) => n + row.used, 0))}</Table.Td>
                </Table.Tr>
              )}
            </Table.Tbody>
            <Table.Tfoot className="tabular">
              <Table.Tr>
                <Table.Th scope="row" fz="sm">
                  {t.billing.total}
                </Table.Th>
                <Table.Td ta="right" fw={700}>
                  {amount(sum)}
                </Table.Td>
              </Table.Tr>
            </Table.Tfoot>
          </Table>
          <Group>
            <AddsUp sum={sum} whole={chosen ? chosen.used : total} />
          </Group>
        </>
      )}
    </Stack>
  );
}
