import { Button, Card, Group, SimpleGrid, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import type { Point } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, measured, useTime, valueText } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { useLive } from "./live";
import { amountQuery, pointsQuery, withNew } from "./queries";
import { type Series, seriesOf } from "./series";

const Chart = lazy(() => import("./Chart"));

interface Props {
  profileId: string;
  deviceId: string;
  /** How to send, shown while the device has sent nothing. */
  connect: ReactNode;
}

/** What a device has sent. Before its first point: how to send one, and a panel that waits for it and turns green. */
export function DataTab({ profileId, deviceId, connect }: Props) {
  const client = useQueryClient();
  const live = useLive(profileId, deviceId);
  const amount = useQuery({ ...amountQuery(profileId, deviceId), refetchInterval: live.on ? 10_000 : 1000 });
  const points = useQuery({ ...pointsQuery(profileId, deviceId), enabled: Boolean(amount.data) });
  // Without live events another number of points is the sign that there is something to read.
  useEffect(() => {
    if (amount.data && !live.on) void client.invalidateQueries({ queryKey: pointsQuery(profileId, deviceId).queryKey });
  }, [client, profileId, deviceId, amount.data, live.on]);
  // A device that was empty when the page was opened keeps its panel, so that turning green is seen.
  const [wasEmpty, setWasEmpty] = useState<boolean>();
  if (amount.data !== undefined && wasEmpty === undefined) setWasEmpty(amount.data === 0);

  if (amount.isPending) return <Loading />;
  const rows = amount.data ? withNew(points.data ?? [], live.since(points.dataUpdatedAt)) : undefined;
  return (
    <Stack gap="lg">
      <ErrorNote error={amount.error ?? points.error} retry={() => void amount.refetch()} />
      {(wasEmpty || amount.data === 0) && <FirstPoint point={rows?.at(-1)} />}
      {rows && rows.length > 0 && (
        <>
          <Charts points={rows} />
          <LastPoints points={rows.slice(0, 20)} all={amount.data ?? rows.length} />
        </>
      )}
      {(wasEmpty || amount.data === 0) && connect}
    </Stack>
  );
}

function FirstPoint({ point }: { point: Point | undefined }) {
  const time = useTime();
  const state = point ? "received" : "waiting";
  return (
    <Card
      withBorder
      role="status"
      data-testid="first-point"
      data-state={state}
      bg={point ? "var(--mantine-color-paddock-light)" : undefined}
      style={point ? { borderColor: "var(--mantine-color-paddock-6)" } : undefined}
    >
      <Group wrap="nowrap" align="flex-start">
        <div className="pulse" data-state={state} style={{ marginTop: 6 }} />
        <div>
          <Text fw={600} c={point ? "var(--paddock-good)" : undefined}>
            {point ? t.devices.received : t.devices.waiting}
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {point
              ? t.devices.receivedText(point.variable, valueText(point.value, point.unit), time(point.time))
              : t.devices.waitingText}
          </Text>
        </div>
      </Group>
    </Card>
  );
}

const firstCharts = 6;

function Charts({ points }: { points: readonly Point[] }) {
  const series = useMemo(() => seriesOf(points), [points]);
  const [all, setAll] = useState(false);
  if (series.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.data.noNumbers}
      </Text>
    );
  const shown = all ? series : series.slice(0, firstCharts);
  return (
    <>
      <SimpleGrid cols={{ base: 1, md: shown.length > 1 ? 2 : 1 }}>
        {shown.map((one) => (
          <ChartCard key={one.variable} series={one} />
        ))}
      </SimpleGrid>
      {shown.length < series.length && (
        <Group justify="center">
          <Button variant="default" onClick={() => setAll(true)}>
            {t.data.moreCharts(series.length - shown.length)}
          </Button>
        </Group>
      )}
    </>
  );
}

function ChartCard({ series }: { series: Series }) {
  const { variable, unit, values } = series;
  const least = Math.min(...values);
  const greatest = Math.max(...values);
  return (
    <Card withBorder padding="md" component="section" miw={0}>
      <Group justify="space-between" align="baseline" mb="xs" wrap="nowrap">
        <Title order={2} size="h5" style={{ overflowWrap: "anywhere" }}>
          {variable}
        </Title>
        <Text size="xl" fw={650} className="nowrap">
          {valueText(values.at(-1), unit)}
        </Text>
      </Group>
      <Suspense fallback={<Skeleton height={190} aria-label={t.data.chartLoading} />}>
        <Chart series={series} />
      </Suspense>
      {least < greatest && (
        <Text size="xs" c="dimmed" mt={4}>
          {t.data.range(measured(least), valueText(greatest, unit))}
        </Text>
      )}
    </Card>
  );
}

function LastPoints({ points, all }: { points: readonly Point[]; all: number }) {
  const time = useTime();
  const placed = points.some((point) => point.location);
  return (
    <Section title={t.data.latest} text={t.data.latestText(count(points.length), count(all))}>
      <Table.ScrollContainer minWidth={placed ? 440 : 280}>
        <Table verticalSpacing={6} horizontalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.data.variable}</Table.Th>
              <Table.Th>{t.data.value}</Table.Th>
              {placed && <Table.Th>{t.data.location}</Table.Th>}
              <Table.Th>{t.data.time}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {points.map((point) => (
              <Table.Tr key={point.id}>
                <Table.Td className="mono">{point.variable}</Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{valueText(point.value, point.unit)}</Table.Td>
                {placed && <Table.Td>{place(point)}</Table.Td>}
                <Table.Td>{time(point.time)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}

/** Latitude, longitude, as maps write them; GeoJSON has them the other way round. */
function place(point: Point): string {
  if (!point.location) return t.none;
  const [longitude, latitude] = point.location.coordinates;
  return `${latitude}, ${longitude}`;
}
