import { Alert, Anchor, Button, Group, Modal, SegmentedControl, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import type { Basis, Cost, Spread } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates, useZone } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { AddsUp } from "./AddsUp";
import { BillingPage } from "./BillingPage";
import { Equation } from "./Equation";
import { Figure } from "./Figure";
import { Give } from "./Give";
import { Margins } from "./Margins";
import { Money } from "./money";
import { Pie } from "./Pie";
import {
  type CostQuestion,
  costFile,
  costQuery,
  figureQuery,
  pricesQuery,
  settingQuery,
  subscriptionQuery,
  useSetting,
} from "./queries";
import { dayText, isDay, isMonth, monthBefore, monthText, ofMonth, type Range, thisMonth } from "./range";
import type { CostSearch } from "./search";
import { byDay, type Grouping, grouped } from "./sums";
import { SumTable } from "./SumTable";

const route = getRouteApi("/_in/cost");
const DayChart = lazy(() => import("./DayChart"));

/** What the account costs, as a sum one can follow with a finger. */
export function CostPage() {
  return (
    <BillingPage title={t.billing.title} text={t.billing.text}>
      <Sum />
      {route.useSearch().group !== "prices" && <FigureSection />}
    </BillingPage>
  );
}

/** The stretch of time that the address names; undefined until it is known where the last cycle ended. */
export function useRange(name: string | undefined): Range | undefined {
  const cycle = useQuery(subscriptionQuery).data?.current_cycle;
  if (isMonth(name)) return ofMonth(name);
  if (isDay(name)) return { from: name, to: name };
  if (name === "last") return cycle && { to: cycle.start };
  return {};
}

function Sum() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const zone = useZone();
  const group = search.group ?? "profile";
  const prices = group === "prices";
  // Customers are billed by the month, so that is what prices are compared in.
  const month = isMonth(search.range) ? search.range : thisMonth(zone);
  const range = useRange(prices ? month : search.range);
  const by = group === "service" ? "service" : "profile";
  const question: CostQuestion = {
    range: range ?? {},
    group: group === "day" ? "day" : by,
    ...(search.basis ? { basis: search.basis } : {}),
    ...(search.spread && group !== "day" ? { spread: search.spread } : {}),
    ...(search.currency ? { currency: search.currency } : {}),
  };
  const cost = useQuery({ ...costQuery(question), enabled: range !== undefined });
  const figure = useQuery(figureQuery);
  const change = (part: Partial<CostSearch>): void => {
    void navigate({ search: (before: CostSearch) => ({ ...before, ...part }), replace: true });
  };
  // While the answer is on its way, the one before is shown as what it is.
  if (cost.isError) return <ErrorNote error={cost.error} retry={() => void cost.refetch()} />;
  if (!cost.data || !range || figure.isPending) return <Loading />;
  const { lines } = cost.data;
  const grouping = lines.length > 0 || figure.data || search.range;
  return (
    <>
      {grouping && <Choices cost={cost.data} search={search} month={prices ? month : undefined} change={change} file={costFile({ ...question, group: fileGroup(question.group) })} />}
      {prices && <Margins key={month} month={month} cost={cost.data} />}
      {!prices && lines.length === 0 && <Nothing cost={cost.data} figure={Boolean(figure.data)} />}
      {!prices && lines.length > 0 && <Shown cost={cost.data} range={range} question={question} search={search} by={by} />}
    </>
  );
}

/** A file has every line, also those that the page shows when one is opened. */
const fileGroup = (group: string): string => (group === "day" ? "profile,service,day" : "profile,service");

interface ShownProps {
  cost: Cost;
  range: Range;
  question: CostQuestion;
  search: CostSearch;
  by: Grouping;
}

function Shown({ cost, range, question, search, by }: ShownProps) {
  const profiles = useQuery(profilesQuery).data?.filter((row) => !row.from_share).length ?? 0;
  const [giving, setGiving] = useState(false);
  const [gave, setGave] = useState<string>();
  const free = useQuery({ ...costQuery({ ...question, group: "profile,service", spread: "none", profile: "none" }), enabled: giving });
  const groups = useMemo(() => grouped(cost.lines, by), [cost.lines, by]);
  const days = cost.group_by.includes("day");
  return (
    <Section title={t.billing.sum}>
      <Span cost={cost} />
      <Equation cost={cost} />
      <AddsUp cost={cost} range={range} profiles={profiles} />
      {gave && (
        <Alert color="green" role="status" withCloseButton closeButtonLabel={t.close} onClose={() => setGave(undefined)}>
          {gave}
        </Alert>
      )}
      {days ? (
        <Days cost={cost} search={search} />
      ) : (
        <div className="beside">
          <Stack gap="sm" miw={0}>
            <SumTable
              key={by}
              cost={cost}
              question={question}
              search={search}
              by={by}
              groups={groups}
              give={cost.basis === "allocation" ? () => setGiving(true) : undefined}
            />
          </Stack>
          <Pie groups={groups} />
        </div>
      )}
      {cost.pages > 1 && <Alert color="yellow">{t.billing.cut(cost.lines.length, cost.rows)}</Alert>}
      <Modal opened={giving} onClose={() => setGiving(false)} title={t.money.giveTitle} centered>
        <ErrorNote error={free.error} />
        {free.isLoading && <Loading />}
        {giving && free.data && (
          <Give
            services={[...new Set(free.data.lines.filter(({ kind }) => kind === "unallocated").map(({ service }) => service ?? ""))]}
            done={(text) => {
              setGiving(false);
              setGave(text);
            }}
          />
        )}
      </Modal>
    </Section>
  );
}

/** From when to when a cost counts, and how far it is shared. */
function Span({ cost }: { cost: Cost }) {
  const dates = useDates();
  return (
    <Text size="sm" c="dimmed" mt="calc(var(--mantine-spacing-md) * -1)">
      {t.billing.span(dates.range(cost.from, cost.to), cost.basis)}
      {cost.rated_to && cost.rated_to < cost.to && ` ${t.billing.ratedTo(dates.minute(cost.rated_to))}`}
    </Text>
  );
}

interface ChoicesProps {
  cost: Cost;
  search: CostSearch;
  /** The month that is chosen where only months can be. */
  month: string | undefined;
  change: (part: Partial<CostSearch>) => void;
  file: string;
}

function Choices({ cost, search, month, change, file }: ChoicesProps) {
  const zone = useZone();
  const setting = useQuery(settingQuery).data;
  const keep = useSetting();
  const now = thisMonth(zone);
  const months = Array.from({ length: 13 }, (_, n) => monthBefore(now, n)).map((value) => ({ value, label: monthText(value) }));
  const day = search.group === "day";
  const other = setting && ((search.basis && search.basis !== setting.basis) || (search.spread && !day && search.spread !== setting.spread));
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <SegmentedControl
          aria-label={t.money.viewLabel}
          value={search.group ?? "profile"}
          data={(["profile", "service", "day", "prices"] as const).map((value) => ({ value, label: t.money.views[value] }))}
          onChange={(value) => change({ group: value === "profile" ? undefined : (value as CostSearch["group"]) })}
        />
        {cost.lines.length > 0 && !month && (
          <Button component="a" variant="default" href={file} download>
            {t.billing.csv}
          </Button>
        )}
      </Group>
      <Group align="flex-end" gap="sm">
        <Select
          label={t.billing.range}
          allowDeselect={false}
          w={180}
          value={month ?? search.range ?? "this"}
          data={
            month
              ? months
              : [
                  { value: "this", label: t.billing.thisCycle },
                  { value: "last", label: t.billing.lastCycle },
                  ...(isDay(search.range) ? [{ value: search.range, label: dayText(search.range) }] : []),
                  ...months,
                ]
          }
          onChange={(value) => change({ range: value === "this" || value === null ? undefined : value })}
        />
        <Select
          label={t.billing.basis}
          allowDeselect={false}
          w={150}
          value={cost.basis}
          data={(["allocation", "use"] as const).map((value) => ({ value, label: t.billing.bases[value] }))}
          onChange={(value) => change({ basis: value as Basis })}
        />
        <Select
          label={t.billing.spread}
          description={day ? t.billing.daysSpread : undefined}
          allowDeselect={false}
          w={190}
          disabled={day}
          value={cost.spread}
          data={(["none", "even", "cost"] as const).map((value) => ({ value, label: t.billing.spreads[value] }))}
          onChange={(value) => change({ spread: value as Spread })}
        />
        {cost.currencies.length > 1 && (
          <Select
            label={t.billing.currency}
            allowDeselect={false}
            w={100}
            value={cost.currency}
            data={cost.currencies.map((value) => ({ value, label: value.toUpperCase() }))}
            onChange={(value) => change({ currency: value ?? undefined })}
          />
        )}
        {other && (
          <Button variant="subtle" loading={keep.isPending} onClick={() => keep.mutate({ basis: cost.basis, spread: search.spread ?? setting.spread })}>
            {t.billing.keep}
          </Button>
        )}
      </Group>
      <ErrorNote error={keep.error} />
    </Stack>
  );
}

function Total({ cost }: { cost: Cost }) {
  return (
    <Table.Tfoot>
      <Table.Tr>
        <Table.Th scope="row" fz="sm">
          {t.billing.total}
        </Table.Th>
        <Table.Td ta="right" fw={700}>
          <Money micro={cost.total_micro} currency={cost.currency} />
        </Table.Td>
      </Table.Tr>
    </Table.Tfoot>
  );
}

function Days({ cost, search }: { cost: Cost; search: CostSearch }) {
  const days = byDay(cost.lines);
  return (
    <Stack gap="md">
      <Suspense fallback={<Loading />}>
        <DayChart days={days} currency={cost.currency} />
      </Suspense>
      <Table verticalSpacing={6} horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.groups.day}</Table.Th>
            <Table.Th ta="right">{t.billing.amount}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {days.map(({ day, micro }) => (
            <Table.Tr key={day}>
              <Table.Td>
                <TextLink size="sm" to="/cost" search={{ ...search, group: undefined, range: day }}>
                  {dayText(day)}
                </TextLink>
              </Table.Td>
              <Table.Td ta="right">
                <Money micro={micro} currency={cost.currency} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Total cost={cost} />
      </Table>
    </Stack>
  );
}

/** Why there is no line. */
function Nothing({ cost, figure }: { cost: Cost; figure: boolean }) {
  const dates = useDates();
  if (cost.charges_micro === 0 && cost.rated_to && cost.rated_to < cost.to)
    return <Empty title={t.billing.notShared} text={t.billing.notSharedText(dates.minute(cost.rated_to))} />;
  if (figure) return <Empty title={t.billing.nothingYet} text={t.billing.nothingYetText} />;
  return (
    <Empty title={t.billing.empty} text={t.billing.emptyText}>
      <Anchor href="#figure">{t.billing.toFigure}</Anchor>
    </Empty>
  );
}

/** The owner's own figure: where no plan has a price. */
function FigureSection() {
  const plan = useQuery(subscriptionQuery).data;
  const prices = useQuery(pricesQuery).data;
  const figure = useQuery(figureQuery);
  if (!plan || !prices || figure.data === undefined) return <ErrorNote error={figure.error} />;
  const sold = prices.plans.some((row) => row.name === plan.plan_name && row.price > 0);
  if (sold && !figure.data) return null;
  return <Figure key={JSON.stringify(figure.data)} figure={figure.data} currency={plan.currency} />;
}
