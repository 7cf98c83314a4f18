// Loaded only where use is drawn: Recharts is no part of the first page.
import { BarChart, LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { Paper, Text } from "@mantine/core";
import { t } from "../../texts";
import { numberText } from "../../ui/formats";
import { amount } from "../../ui/format";

export interface Instant {
  /** UTC milliseconds. */
  at: number;
  used?: number | undefined;
  /** Of the cycle before, moved onto this one. */
  before?: number | undefined;
  expected?: number | undefined;
}

/** A limit from one instant to another, in UTC milliseconds; null for none. */
export interface Limit {
  from: number;
  to: number;
  limit: number | null;
}

interface RunningProps {
  points: Instant[];
  from: number;
  to: number;
  /** Drawn as steps, in order; left out where there is none or it is far above. */
  limits: Limit[];
  label: string;
  dayText: (at: number) => string;
  timeText: (at: number) => string;
}

const short = (n: number): string => numberText(n, { notation: "compact", maximumFractionDigits: 1 });
const none: string[] = [];

/** What has been used so far as a line that rises towards its limit. */
export function Running({ points, from, to, limits, label, dayText, timeText }: RunningProps) {
  const has = (part: "before" | "expected") => points.some((point) => point[part] !== undefined);
  const highest = Math.max(0, ...limits.map(({ limit }) => limit ?? 0));
  const names: Record<string, string> = { used: t.statistics.used, before: t.statistics.before, expected: t.statistics.expected };
  return (
    <LineChart
      h={280}
      role="img"
      aria-label={label}
      data={points}
      dataKey="at"
      series={[
        ...(has("before") ? [{ name: "before", color: "gray.5", label: names.before ?? "" }] : []),
        { name: "used", color: "var(--paddock-good)", label: names.used ?? "" },
        ...(has("expected") ? [{ name: "expected", color: "paddock.5", label: names.expected ?? "", strokeDasharray: "5 5" }] : []),
      ]}
      curveType="linear"
      withDots={false}
      withLegend
      legendProps={{ verticalAlign: "bottom" }}
      gridAxis="x"
      tickLine="none"
      lineProps={{ isAnimationActive: false }}
      lineChartProps={{ accessibilityLayer: true }}
      xAxisProps={{ type: "number", scale: "time", domain: [from, to], tickFormatter: dayText, minTickGap: 40 }}
      yAxisProps={{ tickFormatter: (n: number) => short(n), width: 52, domain: [0, (most: number) => Math.ceil(Math.max(1, most, highest) * 1.12)], allowDataOverflow: false }}
      referenceLines={stairs(limits, to - from)}
      tooltipProps={{
        isAnimationActive: false,
        content: note((at) => timeText(Number(at)), (part) => names[part] ?? ""),
      }}
    />
  );
}

/** A line for each limit, named where there is room for that, and one up or down to the next. */
function stairs(limits: Limit[], span: number) {
  return limits.flatMap(({ from, to, limit }, at) => {
    const next = limits[at + 1];
    const y = limit ?? 0;
    const flat = {
      segment: [{ x: from, y }, { x: to, y }] as const,
      color: "var(--mantine-color-error)",
      ...(to - from > span / 8 ? { label: t.statistics.limitLine(amount(y)), labelPosition: "insideBottomLeft" as const } : {}),
    };
    return next?.from === to ? [flat, { segment: [{ x: to, y }, { x: to, y: next.limit ?? 0 }] as const, color: "var(--mantine-color-error)" }] : [flat];
  });
}

export interface Bar {
  key: string;
  name: string;
  used: number;
}

interface BarsProps {
  bars: Bar[];
  label: string;
  what: string;
  /** Opens what is behind a bar; the table below has the same as links. */
  open?: ((key: string) => void) | undefined;
  height?: number;
}

/** A bar for each period. */
export function Bars({ bars, label, what, open, height = 180 }: BarsProps) {
  return (
    <BarChart
      h={height}
      role="img"
      aria-label={label}
      data={bars}
      dataKey="name"
      series={[{ name: "used", color: "paddock.6", label: what }]}
      tickLine="none"
      maxBarWidth={36}
      barProps={{
        isAnimationActive: false,
        radius: [3, 3, 0, 0],
        ...(open ? { cursor: "pointer", onClick: (bar: { payload?: Bar }) => bar.payload && open(bar.payload.key) } : {}),
      }}
      xAxisProps={{ minTickGap: 24, ticks: bars.length === 0 ? none : undefined }}
      yAxisProps={{ tickFormatter: (n: number) => short(n), width: 52, allowDecimals: false }}
      tooltipProps={{
        isAnimationActive: false,
        content: note(String, () => what),
      }}
    />
  );
}

interface Hovered {
  label?: unknown;
  payload?: readonly { dataKey?: unknown; value?: unknown }[];
}

/** What is said beside the cursor: when, and each figure that is drawn there. */
function note(head: (label: unknown) => string, name: (part: string) => string) {
  return ({ payload, label }: Hovered) =>
    payload && payload.length > 0 && <Note head={head(label)} rows={payload.map((part) => [name(String(part.dataKey)), part.value])} />;
}

function Note({ head, rows }: { head: string; rows: [string, unknown][] }) {
  const known = rows.filter(([, value]) => typeof value === "number");
  if (known.length === 0) return null;
  return (
    <Paper withBorder shadow="sm" px="sm" py={6}>
      <Text size="xs" fw={600}>
        {head}
      </Text>
      {known.map(([name, value]) => (
        <Text key={name} size="xs">
          {name}: {amount(Number(value))}
        </Text>
      ))}
    </Paper>
  );
}
