import { Anchor, Button, Group, Progress, SegmentedControl, Select, SimpleGrid, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { LimitRow, LimitStep, Sample } from "../../api/usage";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, useDates, useTimeFormat, useZone } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { microText } from "../billing/money";
import { profileCostQuery } from "../billing/queries";
import { dayText } from "../billing/range";
import { useOwnRole } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { DayUse } from "./DayUse";
import { nameOf, shareColor, shareOf } from "./names";
import { limitHistoryQuery, limitsQuery, statisticsQuery, type Stretch } from "./queries";
import type { Step, UsageSearch } from "./search";
import { dayIn, dayPlus } from "./time";
import type { Instant, Limit } from "./UseCharts";

const route = getRouteApi("/_in/p/$profileId/_about/usage");
const Running = lazy(async () => ({ default: (await import("./UseCharts")).Running }));
const Bars = lazy(async () => ({ default: (await import("./UseCharts")).Bars }));

const dayMs = 86_400_000;

/** What a profile has used of each service, how that grew, and what it is made of. */
export function UsagePage() {
  const { profileId } = route.useParams();
  const name = useProfileName(profileId);
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const limits = useQuery(limitsQuery(profileId));
  const services = limits.data?.filter((row) => row.kind === "service") ?? [];
  const chosen = services.find((row) => row.name === (search.service ?? "input")) ?? services[0];
  const set = (part: UsageSearch) => void navigate({ search: (was) => ({ ...was, ...part }), replace: true, resetScroll: false });
  return (
    <Page title={t.nav.usage} {...(name === undefined ? {} : { profile: name })} text={t.statistics.text}>
      {limits.isPending && <Loading />}
      <ErrorNote error={limits.error} retry={() => void limits.refetch()} />
      {chosen && (
        <>
          <Services rows={services} chosen={chosen.name} choose={(service) => set({ service, hour: undefined })} />
          <OfService key={profileId} profileId={profileId} row={chosen} search={search} set={set} />
        </>
      )}
    </Page>
  );
}

/** All services, small: those that are used, or bounded, first. */
function Services({ rows, chosen, choose }: { rows: LimitRow[]; chosen: string; choose: (service: string) => void }) {
  const [all, setAll] = useState(false);
  const matters = (row: LimitRow) => row.used > 0 || row.name === chosen || row.name === "input" || row.name === "data_records";
  const shown = all ? rows : rows.filter(matters);
  return (
    <Stack gap="xs">
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="xs" role="group" aria-label={t.usage.title}>
        {shown.map((row) => {
          const share = row.limit === null ? undefined : shareOf(row.used, row.limit);
          return (
            <UnstyledButton key={row.name} className="service" aria-pressed={row.name === chosen} onClick={() => choose(row.name)}>
              <Text size="xs" c="dimmed" truncate>
                {nameOf(row.name)}
              </Text>
              <Text size="sm" className="tabular">
                <b>{amount(row.used)}</b>
                <Text span size="xs" c="dimmed">
                  {" "}
                  / {row.limit === null ? t.usage.noLimit : amount(row.limit)}
                </Text>
              </Text>
              {/* The figures above say the same. */}
              <Progress aria-hidden size={4} mt={6} value={share ?? 0} color={shareColor(share ?? 0)} />
            </UnstyledButton>
          );
        })}
      </SimpleGrid>
      {(all || shown.length < rows.length) && (
        <Group>
          <Button variant="subtle" size="compact-sm" onClick={() => setAll(!all)}>
            {all ? t.statistics.fewer : t.statistics.all(rows.length)}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

interface Cycle {
  /** Undefined for the one that the profile was made in. */
  from: string | undefined;
  to: string;
}

/** The cycles that the profile has seen: the running one first. Each month's sample stands at the end of its cycle. */
function cyclesOf(months: Sample[], reset: string): Cycle[] {
  return months.map((sample, at) => ({ from: months[at - 1]?.time, to: at === months.length - 1 ? reset : sample.time })).reverse();
}

/** A cycle that the profile was made in is asked for from well before; nothing is told of before the profile. */
const startOf = (cycle: Cycle): string => cycle.from ?? new Date(Date.parse(cycle.to) - 32 * dayMs).toISOString();

const lastOf = (cycle: Cycle): string => new Date(Date.parse(cycle.to) - 1).toISOString();

const number = (sample: Sample | undefined, service: string): number => {
  const value = sample?.[service];
  return typeof value === "number" ? value : 0;
};

interface OfServiceProps {
  profileId: string;
  row: LimitRow;
  search: UsageSearch;
  set: (part: UsageSearch) => void;
}

function OfService({ profileId, row, search, set }: OfServiceProps) {
  const zone = useZone();
  const [today] = useState(() => dayIn(zone, Date.now()));
  const year: Stretch = { from: dayPlus(today, -396) };
  const months = useQuery(statisticsQuery(profileId, year, "month", zone, "period"));
  const flow = row.window !== null;
  const reset = row.reset ?? new Date(Date.parse(`${today}T00:00:00Z`) + 30 * dayMs).toISOString();
  const cycles = months.data ? cyclesOf(months.data, reset) : undefined;
  if (months.isPending) return <Loading />;
  if (!cycles) return <ErrorNote error={months.error} retry={() => void months.refetch()} />;
  const current = cycles[0];
  if (!current) return <Empty title={t.statistics.none} text={t.statistics.noneText} />;
  const cycle = search.range === undefined ? current : search.range === "last" ? cycles[1] : undefined;
  const stretch: Stretch =
    search.range === "week"
      ? { from: dayPlus(today, -6), to: today }
      : search.range === "days"
        ? { from: dayPlus(today, -29), to: today }
        : search.range === "year"
          ? year
          : search.range === "own"
            ? { from: search.from ?? dayPlus(today, -6), to: search.to ?? today }
            : { from: startOf(cycle ?? current), to: cycle && cycle !== current ? lastOf(cycle) : undefined };
  const step: Step = search.step ?? (search.range === "year" ? "month" : "day");
  return (
    <>
      <Section title={nameOf(row.name)}>
        <Sentence row={row} flow={flow} />
        <Cost profileId={profileId} service={row.name} />
        <Ask search={search} today={today} hasLast={cycles.length > 1} step={step} set={set} />
        {search.range === "last" && !cycle ? (
          <Text c="dimmed">{t.statistics.noLast}</Text>
        ) : (
          <Over
            key={`${row.name} ${stretch.from} ${stretch.to ?? ""} ${step}`}
            {...{ profileId, row, flow, stretch, step, zone, search, set }}
            cycle={cycle}
            before={search.range === undefined ? cycles[1] : search.range === "last" ? cycles[2] : undefined}
            running={cycle === current}
          />
        )}
      </Section>
      {search.day && <DayUse key={`${search.day} ${row.name}`} profileId={profileId} service={row.name} flow={flow} day={search.day} hour={search.hour} zone={zone} set={set} />}
    </>
  );
}

/** Where the service stands and where it leads, in words. */
function Sentence({ row, flow }: { row: LimitRow; flow: boolean }) {
  const dates = useDates();
  const words: string[] = [];
  words.push(row.limit === null ? t.statistics.soFarFree(amount(row.used)) : t.statistics.soFar(amount(row.used), amount(row.limit), shareOf(row.used, row.limit)));
  if (row.overage) words.push(t.statistics.over(amount(row.overage)));
  if (flow && row.reset) words.push(t.statistics.resets(dates.day(row.reset)));
  const spent = row.limit !== null && row.used >= row.limit && row.used > 0;
  return (
    <div>
      <Text size="sm">{words.join(" ")}</Text>
      {spent ? (
        <Text size="sm" c="red" fw={600}>
          {t.statistics.spent}
        </Text>
      ) : row.runs_out ? (
        <Text size="sm" fw={600}>
          {t.statistics.runsOut(dates.day(row.runs_out))}
        </Text>
      ) : (
        row.used > 0 &&
        row.expected != null && (
          <Text size="sm" c="dimmed">
            {t.statistics.lasts(amount(Math.round(row.expected)), row.reset ? dates.day(row.reset) : "")}
          </Text>
        )
      )}
    </div>
  );
}

/** What the service costs, for the owner alone. */
function Cost({ profileId, service }: { profileId: string; service: string }) {
  const owner = useOwnRole(profileId) === "owner";
  const cost = useQuery({ ...profileCostQuery(profileId), enabled: owner });
  const line = cost.data?.lines.find((one) => one.kind === "service" && one.item === service);
  if (!owner || !cost.data || !line) return null;
  return (
    <Text size="sm">
      {t.statistics.cost(microText(line.to_date_micro, cost.data.currency), microText(line.forecast_micro, cost.data.currency))}{" "}
      <TextLink size="sm" to="/cost/line" search={{ kind: "service", profile: profileId, service }}>
        {t.statistics.costLine}
      </TextLink>
    </Text>
  );
}

interface AskProps {
  search: UsageSearch;
  today: string;
  hasLast: boolean;
  step: Step;
  set: (part: UsageSearch) => void;
}

/** Which time, in which steps. */
function Ask({ search, today, hasLast, step, set }: AskProps) {
  const range = search.range ?? "cycle";
  return (
    <Group gap="sm" align="flex-end">
      <Select
        label={t.statistics.time}
        w={200}
        allowDeselect={false}
        value={range}
        data={[
          { value: "cycle", label: t.billing.thisCycle },
          { value: "last", label: t.billing.lastCycle, disabled: !hasLast },
          { value: "week", label: t.statistics.week },
          { value: "days", label: t.statistics.days },
          { value: "year", label: t.statistics.year },
          { value: "own", label: t.statistics.own },
        ]}
        onChange={(value) =>
          set({
            range: value === "cycle" ? undefined : (value as UsageSearch["range"]),
            step: undefined,
            ...(value === "own" ? { from: search.from ?? dayPlus(today, -6), to: search.to ?? today } : { from: undefined, to: undefined }),
          })
        }
      />
      {range === "own" && (
        <>
          <TextInput
            type="date"
            label={t.statistics.from}
            max={search.to ?? today}
            value={search.from ?? ""}
            onChange={(event) => event.currentTarget.value && set({ from: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label={t.statistics.to}
            min={search.from}
            max={today}
            value={search.to ?? ""}
            onChange={(event) => event.currentTarget.value && set({ to: event.currentTarget.value })}
          />
        </>
      )}
      <SegmentedControl
        aria-label={t.statistics.steps}
        value={step}
        data={(["hour", "day", "month"] as const).map((value) => ({
          value,
          label: t.statistics.stepNames[value],
          disabled: value === "hour" && range === "year",
        }))}
        onChange={(value) => set({ step: value as Step })}
      />
    </Group>
  );
}

interface OverProps {
  profileId: string;
  row: LimitRow;
  flow: boolean;
  stretch: Stretch;
  step: Step;
  zone: string;
  search: UsageSearch;
  set: (part: UsageSearch) => void;
  /** The cycle that the stretch is, and the one before. */
  cycle: Cycle | undefined;
  before: Cycle | undefined;
  running: boolean;
}

/** How the use of a stretch of time grew: as charts, as a table and as a file. */
function Over({ profileId, row, flow, stretch, step, zone, search, set, cycle, before, running }: OverProps) {
  const dates = useDates();
  const { short } = useTimeFormat();
  const drawn: Step = step === "month" ? "day" : step;
  const periods = useQuery(statisticsQuery(profileId, stretch, step, zone, "period"));
  const line = (flow && cycle !== undefined) || !flow;
  const sofar = useQuery({ ...statisticsQuery(profileId, stretch, drawn, zone, "cycle"), enabled: line });
  const earlier = useQuery({
    ...statisticsQuery(profileId, before ? { from: startOf(before), to: lastOf(before) } : stretch, drawn, zone, "cycle"),
    enabled: flow && cycle !== undefined && before !== undefined,
  });
  const history = useQuery({ ...limitHistoryQuery(profileId, row.name, stretch, zone), enabled: line });
  const failed = periods.error ?? (line ? (sofar.error ?? history.error) : null);
  if (failed) return <ErrorNote error={failed} retry={() => void Promise.all([periods.refetch(), sofar.refetch(), history.refetch()])} />;
  if (!periods.data || (line && !(sofar.data && history.data))) return <Loading />;
  const service = row.name;
  const rows = table(periods.data, service, flow, step, zone, dates.minute);
  if (!rows.some((one) => one.used > 0))
    return (
      <Stack gap="xs" align="center" py="md" ta="center">
        <Text fw={600}>{t.statistics.nothing(nameOf(service))}</Text>
        <Text size="sm" c="dimmed">
          {row.used > 0 ? t.statistics.nothingHere : t.statistics.nothingYet}
        </Text>
        {row.used === 0 && service === "input" && (
          <ButtonLink variant="default" size="compact-md" to="/p/$profileId/devices" params={{ profileId }}>
            {t.statistics.toDevices}
          </ButtonLink>
        )}
      </Stack>
    );
  const ends = sofar.data?.map((sample) => Date.parse(sample.time)) ?? [];
  const first = (ends[0] ?? 0) - (drawn === "day" ? dayMs : 3_600_000);
  const from = cycle?.from ? Date.parse(cycle.from) : first;
  const to = cycle && flow ? Date.parse(cycle.to) : (ends.at(-1) ?? from);
  const points = line ? instants({ row, flow, from, to, sofar: sofar.data ?? [], running, before, earlier: earlier.data ?? [] }) : [];
  const most = Math.max(...points.map((point) => Math.max(point.used ?? 0, point.expected ?? 0, point.before ?? 0)));
  const limits = line ? stepsOf(history.data ?? [], row, from, to, running || cycle === undefined) : [];
  const near = limits.filter(({ limit }) => limit !== null && limit <= Math.max(1, most) * 8);
  const last = limits.at(-1);
  const open = (key: string) => {
    if (step === "day") set({ day: key, hour: undefined });
    else if (step === "hour") set({ day: dayIn(zone, Date.parse(key) - 1), hour: key });
    else {
      const at = rows.findIndex((one) => one.key === key);
      const end = dayIn(zone, Date.parse(key) - 1);
      const begin = rows[at - 1]?.key;
      set({ range: "own", step: "day", from: begin ? dayIn(zone, Date.parse(begin)) : `${end.slice(0, 8)}01`, to: end });
    }
  };
  return (
    <Stack gap="md">
      {line && (
        <Suspense fallback={<Loading />}>
          <Running
            points={points}
            from={from}
            to={to}
            limits={near}
            label={t.statistics.runningLabel(nameOf(service))}
            dayText={short}
            timeText={(at) => dates.minute(new Date(at).toISOString())}
          />
        </Suspense>
      )}
      {limits.length > 1 && (
        <Text size="xs" c="dimmed">
          {limits.length > told ? t.statistics.limitChanges(limits.length - 1) : t.statistics.limitSteps(limits.map(stepText(dates.minute)))}
        </Text>
      )}
      {last && last.limit !== null && near.length === 0 && (
        <Text size="xs" c="dimmed">
          {t.statistics.farAbove(amount(last.limit))}
        </Text>
      )}
      {flow && (
        <Suspense fallback={<Loading />}>
          <Bars bars={rows} label={t.statistics.barsLabel(nameOf(service), rows.length)} what={t.statistics.used} open={open} />
        </Suspense>
      )}
      <Periods rows={rows} flow={flow} step={step} open={open} chosen={step === "day" ? search.day : search.hour} />
      <Group>
        <Button
          variant="default"
          size="compact-md"
          component="a"
          href={csvLink(periods.data, flow ? "period" : "level")}
          download={`use-${stretch.from.slice(0, 10)}-${step}.csv`}
        >
          {t.billing.csv}
        </Button>
        <Text size="xs" c="dimmed">
          {t.statistics.csvText}
        </Text>
      </Group>
    </Stack>
  );
}

/** More changes of a limit than this are only counted. */
const told = 6;

/** Which limit held when, from one instant to another. What is not known is left out; where no history is kept, the present limit is the one. */
function stepsOf(history: LimitStep[], row: LimitRow, from: number, to: number, present: boolean): Limit[] {
  if (history.length === 0) return present ? [{ from, to, limit: row.limit }] : [];
  return history
    .map(({ time, limit }, at) => ({ from: Math.max(from, Date.parse(time)), to: Math.min(to, Date.parse(history[at + 1]?.time ?? "") || to), limit }))
    .filter((step) => step.from < step.to);
}

/** "200", then "from 12 Nov 2026, 14:05 300". */
const stepText =
  (minute: (iso: string) => string) =>
  ({ from, limit }: Limit, at: number): string => {
    const much = limit === null ? t.usage.noLimit : amount(limit);
    return at === 0 ? much : t.statistics.limitFrom(minute(new Date(from).toISOString()), much);
  };

interface Line {
  running: boolean;
  row: LimitRow;
  flow: boolean;
  from: number;
  to: number;
  sofar: Sample[];
  before: Cycle | undefined;
  earlier: Sample[];
}

/** What is drawn: what was used by each instant, the cycle before moved onto this one, and where the server says that it leads. */
function instants({ running, row, flow, from, to, sofar, before, earlier }: Line): Instant[] {
  const service = row.name;
  const points: Instant[] = flow ? [{ at: from, used: 0 }] : [];
  for (const sample of sofar) {
    const at = Date.parse(sample.time);
    if (flow && (at <= from || at > to)) continue;
    points.push({ at, used: number(sample, service) });
  }
  const last = points.at(-1);
  if (flow && running && last && row.used > 0) {
    last.used = row.used; // a moment newer than the samples
    last.expected = row.used;
    const end = row.runs_out ? Date.parse(row.runs_out) : 0;
    // Where nothing more is accepted at the limit, it stays there.
    const ends = end >= last.at && end < to && row.limit !== null && row.policy === "block";
    if (ends && end > last.at) points.push({ at: end, expected: row.limit ?? 0 });
    if (to > last.at && (ends || row.expected != null)) points.push({ at: to, expected: ends ? (row.limit ?? 0) : (row.expected ?? 0) });
  }
  if (flow && before) {
    const moved = from - Date.parse(before.from ?? startOf(before));
    for (const sample of earlier) {
      const at = Date.parse(sample.time) + (before.from ? moved : to - Date.parse(before.to));
      if (at > from && at <= to) points.push({ at, before: number(sample, service) });
    }
  }
  return points.sort((a, b) => a.at - b.at);
}

interface Row {
  /** The day, or the instant at the end. */
  key: string;
  name: string;
  used: number;
  sum: number;
}

function table(samples: Sample[], service: string, flow: boolean, step: Step, zone: string, minute: (iso: string) => string): Row[] {
  let sum = 0;
  return samples.map((sample) => {
    const used = number(sample, service);
    sum = flow ? sum + used : used;
    const day = dayIn(zone, Date.parse(sample.time) - 1);
    const name = step === "hour" ? minute(sample.time) : step === "day" ? dayText(day) : t.statistics.until(dayText(day));
    return { key: step === "day" ? day : sample.time, name, used, sum };
  });
}

/** More rows than this are shown when asked for. */
const most = 40;

function Periods({ rows, flow, step, open, chosen }: { rows: Row[]; flow: boolean; step: Step; open: (key: string) => void; chosen: string | undefined }) {
  const [all, setAll] = useState(false);
  const latest = rows.toReversed();
  const shown = all ? latest : latest.slice(0, most);
  const total = rows.reduce((sum, row) => sum + row.used, 0);
  return (
    <div>
      <Table verticalSpacing={4} horizontalSpacing={8} aria-label={t.statistics.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{step === "hour" ? t.statistics.hourTo : t.statistics.stepNames[step]}</Table.Th>
            <Table.Th ta="right">{flow ? t.statistics.usedIn : t.statistics.held}</Table.Th>
            {flow && (
              <Table.Th ta="right" visibleFrom="sm">
                {t.statistics.sum}
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody className="tabular">
          {shown.map((row) => (
            <Table.Tr key={row.key}>
              <Table.Td>
                <Anchor component="button" type="button" size="sm" fw={row.key === chosen ? 700 : undefined} aria-pressed={row.key === chosen} onClick={() => open(row.key)}>
                  {row.name}
                </Anchor>
              </Table.Td>
              <Table.Td ta="right">{amount(row.used)}</Table.Td>
              {flow && (
                <Table.Td ta="right" visibleFrom="sm">
                  {amount(row.sum)}
                </Table.Td>
              )}
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
              <Table.Td visibleFrom="sm" />
            </Table.Tr>
          </Table.Tfoot>
        )}
      </Table>
      {rows.length > most && (
        <Button variant="subtle" size="compact-sm" mt="xs" onClick={() => setAll(!all)}>
          {all ? t.statistics.fewer : t.billing.more(rows.length - most)}
        </Button>
      )}
    </div>
  );
}

/** All services of the stretch, a row for each period: times are ends, in UTC. */
function csvLink(samples: Sample[], kind: string): string {
  const services = [...Object.keys(t.usage.services), "dashboard_output"];
  const lines = [["until", "counts", ...services], ...samples.map((sample) => [sample.time, kind, ...services.map((service) => String(number(sample, service)))])];
  return `data:text/csv;charset=utf-8,${encodeURIComponent(lines.map((cells) => cells.join(",")).join("\r\n"))}`;
}
