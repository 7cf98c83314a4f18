import { Button, Card, Group, SegmentedControl, SimpleGrid, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import type { Point } from "../../api/types";
import { t } from "../../texts";
import { agoText, useNow } from "../../ui/ago";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { measured, useDates, valueText } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { type RangeName, ranges } from "../device/search";
import { FirstPoint } from "./FirstPoint";
import { useLive } from "./live";
import { Points } from "./Points";
import { amountQuery, drawnQuery, newestQuery, pointsKey, type Range, withNew } from "./queries";
import { type Series, seriesOf } from "./series";

const Chart = lazy(() => import("./Chart"));

interface Props {
  profileId: string;
  deviceId: string;
  range: Range;
  setRange: (range: Range) => void;
  /** How to send, shown while the device has sent nothing. */
  connect: ReactNode;
}

/** What a device has sent. Before its first point: how to send one, and a panel that waits for it and turns green. */
export function DataTab({ profileId, deviceId, range, setRange, connect }: Props) {
  const client = useQueryClient();
  const [wanted, setWanted] = useState(true);
  const now = "name" in range; // a range that ends now: what comes belongs to it
  const live = useLive(profileId, deviceId, wanted && now);
  const amount = useQuery({ ...amountQuery(profileId, deviceId), refetchInterval: live.on || !wanted ? 10_000 : 1000 });
  const drawn = useQuery({ ...drawnQuery(profileId, deviceId, range, wanted && now), enabled: Boolean(amount.data) });
  const first = useQuery({ ...newestQuery(profileId, deviceId), enabled: Boolean(amount.data) });
  // Without live events another number of points is the sign that there is something to read.
  useEffect(() => {
    if (amount.data && wanted && !live.on) void client.invalidateQueries({ queryKey: pointsKey(profileId, deviceId) });
  }, [client, profileId, deviceId, amount.data, wanted, live.on]);
  // A device that was empty when the page was opened keeps its panel, so that turning green is seen.
  const [wasEmpty, setWasEmpty] = useState<boolean>();
  if (amount.data !== undefined && wasEmpty === undefined) setWasEmpty(amount.data === 0);

  const setLive = (on: boolean) => {
    setWanted(on);
    void client.invalidateQueries({ queryKey: pointsKey(profileId, deviceId) }); // what stays on the page is of this moment
  };

  if (amount.isPending) return <Loading />;
  const averaged = drawn.data?.averaged;
  const news = averaged || !now ? [] : live.since(drawn.dataUpdatedAt);
  const rows = amount.data ? withNew(drawn.data?.points ?? [], news) : undefined;
  return (
    <Stack gap="lg">
      <ErrorNote error={amount.error ?? drawn.error} retry={() => void amount.refetch()} />
      {(wasEmpty || amount.data === 0) && <FirstPoint point={first.data} />}
      {rows && (
        <>
          <RangeBar range={range} setRange={setRange} live={wanted} setLive={setLive} />
          {drawn.isPending && <Loading />}
          {drawn.data && rows.length === 0 && <NoData profileId={profileId} deviceId={deviceId} range={range} setRange={setRange} />}
          {rows.length > 0 && (
            <>
              <Charts points={rows} averaged={averaged} onZoom={(from, to) => setRange({ from, to })} />
              <Points profileId={profileId} deviceId={deviceId} range={range} live={wanted && now} since={now ? live.since : undefined} />
            </>
          )}
        </>
      )}
      {(wasEmpty || amount.data === 0) && connect}
    </Stack>
  );
}

interface RangeBarProps {
  range: Range;
  setRange: (range: Range) => void;
  live: boolean;
  setLive: (on: boolean) => void;
}

function RangeBar({ range, setRange, live, setLive }: RangeBarProps) {
  const { minute } = useDates();
  const named = "name" in range;
  const [before, setBefore] = useState<RangeName>("24h"); // where a reset leads
  if (named && range.name !== before) setBefore(range.name);
  return (
    <Group justify="space-between" gap="xs">
      <Group gap="xs">
        <SegmentedControl
          size="sm"
          aria-label={t.fleet.range}
          data={(Object.keys(ranges) as RangeName[]).map((value) => ({ value, label: t.fleet.ranges[value] }))}
          value={named ? range.name : ""}
          onChange={(value) => setRange({ name: value as RangeName })}
        />
        {!named && (
          <>
            <Text size="sm" data-testid="zoomed">
              {t.fleet.zoomed(minute(new Date(range.from).toISOString()), minute(new Date(range.to).toISOString()))}
            </Text>
            <Button size="compact-sm" variant="default" onClick={() => setRange({ name: before })}>
              {t.fleet.reset}
            </Button>
          </>
        )}
      </Group>
      {named && <Switch label={t.fleet.live} checked={live} onChange={(event) => setLive(event.currentTarget.checked)} />}
    </Group>
  );
}

/** Nothing in the range: when the last point was, and a way there. */
function NoData({ profileId, deviceId, range, setRange }: { profileId: string; deviceId: string; range: Range; setRange: (range: Range) => void }) {
  const newest = useQuery(newestQuery(profileId, deviceId));
  const now = useNow();
  const width = "name" in range ? ranges[range.name] : range.to - range.from;
  const point = newest.data;
  const at = point ? Date.parse(point.time) : 0;
  const there = "name" in range || at < range.from || at > range.to;
  return (
    <Empty
      title={"name" in range ? t.fleet.noData(t.fleet.rangeNames[range.name]) : t.fleet.noDataHere}
      text={point && there ? t.fleet.lastWas(agoText(point.time, now)) : undefined}
    >
      {point && there && (
        <Button onClick={() => setRange({ from: at - width + Math.round(width / 20), to: at + Math.round(width / 20) })}>
          {t.fleet.goThere}
        </Button>
      )}
    </Empty>
  );
}

const firstCharts = 6;

interface ChartsProps {
  points: readonly Point[];
  averaged: "minute" | "hour" | "day" | undefined;
  onZoom: (from: number, to: number) => void;
}

function Charts({ points, averaged, onZoom }: ChartsProps) {
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
    <Stack gap="xs">
      <SimpleGrid cols={{ base: 1, md: shown.length > 1 ? 2 : 1 }}>
        {shown.map((one) => (
          <ChartCard key={one.variable} series={one} averaged={averaged !== undefined} onZoom={onZoom} />
        ))}
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        {averaged ? t.fleet.averaged[averaged] : t.fleet.zoomHint}
      </Text>
      {shown.length < series.length && (
        <Group justify="center">
          <Button variant="default" onClick={() => setAll(true)}>
            {t.data.moreCharts(series.length - shown.length)}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function ChartCard({ series, averaged, onZoom }: { series: Series; averaged: boolean; onZoom: (from: number, to: number) => void }) {
  const { variable, unit, values } = series;
  const [least, greatest] = extremes(values);
  return (
    <Card withBorder padding="md" component="section" miw={0}>
      <Group justify="space-between" align="baseline" mb="xs" wrap="nowrap">
        <Title order={2} size="h5" style={{ overflowWrap: "anywhere" }}>
          {variable}
        </Title>
        <Text size="xl" fw={650} className="nowrap tabular">
          {valueText(values.at(-1), unit)}
        </Text>
      </Group>
      <Suspense fallback={<Skeleton height={190} role="status" aria-label={t.data.chartLoading} />}>
        <Chart series={series} averaged={averaged} onZoom={onZoom} />
      </Suspense>
      {least < greatest && (
        <Text size="xs" c="dimmed" mt={4}>
          {t.data.range(measured(least), valueText(greatest, unit))}
        </Text>
      )}
    </Card>
  );
}

const extremes = (values: readonly number[]): [number, number] =>
  values.reduce<[number, number]>(([least, greatest], value) => [Math.min(least, value), Math.max(greatest, value)], [Infinity, -Infinity]);
