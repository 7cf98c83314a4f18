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

interface RunningProps {
  points: Instant[];
  from: number;
  to: number;
  /** Drawn as a line; left out where there is none or it is far above. */
  limit?: number | undefined;
  label: string;
  dayText: (at: number) => string;
  timeText: (at: number) => string;
}

const short = (n: number): string => numberText(n, { notation: "compact", maximumFractionDigits: 1 });
const none: string[] = [];

/** What has been used so far as a line that rises towards its limit. */
export function Running({ points, from, to, limit, label, dayText, timeText }: RunningProps) {
  const has = (part: "before" | "expected") => points.some((point) => point[part] !== undefined);
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
      yAxisProps={{ tickFormatter: (n: number) => short(n), width: 52, domain: [0, (most: number) => Math.ceil(Math.max(1, most, limit ?? 0) * 1.12)], allowDataOverflow: false }}
      referenceLines={limit === undefined ? [] : [{ y: limit, label: t.statistics.limitLine(amount(limit)), color: "var(--mantine-color-error)", labelPosition: "insideBottomLeft" }]}
      tooltipProps={{
        isAnimationActive: false,
        content: note((at) => timeText(Number(at)), (part) => names[part] ?? ""),
      }}
    />
  );
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
