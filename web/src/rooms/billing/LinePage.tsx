import { Badge, Group, Select, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { CostDetail } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, unlimited, useDates, useTime } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { useRange } from "./CostPage";
import { Money } from "./money";
import { costQuery, detailQuery, type LineOf } from "./queries";
import { dayText, isDay } from "./range";
import type { LineSearch } from "./search";
import { byDay, type Day, serviceName } from "./sums";

const route = getRouteApi("/_in/cost/line");

/** What is behind one line of the cost: its days, and the hours of one of them. */
export function LinePage() {
  const search = route.useSearch();
  const name = useQuery(profilesQuery).data?.find((row) => row.id === search.profile)?.name;
  const what = [search.service ? serviceName(search.service) : search.item, search.profile && (name ?? t.billing.goneProfile)];
  if (search.kind === "unallocated") what.push(t.billing.kinds.unallocated);
  return (
    <BillingPage title={what.filter(Boolean).join(" · ") || t.billing.kinds[search.kind] || search.kind} text={t.billing.lineText}>
      <TextLink size="sm" to="/cost" search={search.range ? { range: search.range } : {}}>
        {t.billing.toSum}
      </TextLink>
      {picks[search.kind] && <Pick search={search} />}
      {isWhole(search) ? <Behind search={search} /> : <Empty text={t.billing.pickLine} />}
    </BillingPage>
  );
}

/** What says which line of its kind is meant, and can be chosen. */
const picks: Record<string, ("profile" | "service")[]> = { service: ["profile", "service"], unallocated: ["service"], addon: ["profile"] };

const isWhole = (search: LineSearch): boolean => (picks[search.kind] ?? []).every((part) => search[part]);

function Pick({ search }: { search: LineSearch }) {
  const navigate = route.useNavigate();
  const own = (useQuery(profilesQuery).data ?? []).filter((row) => !row.from_share).map((row) => ({ value: row.id, label: row.name }));
  const gone = search.profile && !own.some((row) => row.value === search.profile) ? [{ value: search.profile, label: t.billing.goneProfile }] : [];
  const data = { profile: [...own, ...gone], service: Object.keys(t.usage.services).map((value) => ({ value, label: serviceName(value) })) };
  return (
    <Group gap="sm">
      {picks[search.kind]?.map((part) => (
        <Select
          key={part}
          label={t.billing.groups[part]}
          searchable
          limit={100}
          allowDeselect={false}
          w={220}
          data={data[part]}
          value={search[part] ?? null}
          onChange={(value) => value && void navigate({ search: (before: LineSearch) => ({ ...before, [part]: value }), replace: true })}
        />
      ))}
    </Group>
  );
}

/** Of kinds that are no profile's only those lines are asked for. */
const nobodys = ["unallocated", "plan", "discount"];

/** More lines than this are not asked for at once; the day is then typed. */
const mostLines = 10_000;
const metered = 9;

function Behind({ search }: { search: LineSearch }) {
  const range = useRange(search.range);
  const owned = useQuery(profilesQuery).data?.filter((row) => !row.from_share).length ?? 0;
  const profile = nobodys.includes(search.kind) ? "none" : search.profile;
  const fits = (profile ? 2 : owned + 1) * (search.service ? 1 : metered) * 32 <= mostLines;
  const cost = useQuery({
    ...costQuery({
      range: range ?? {},
      group: "profile,service,day",
      ...(search.basis ? { basis: search.basis } : {}),
      ...(search.currency ? { currency: search.currency } : {}),
      ...(profile ? { profile } : {}),
      ...(search.service ? { service: search.service } : {}),
    }),
    enabled: range !== undefined && fits,
  });
  if (fits && cost.isPending) return <Loading />;
  if (cost.error) return <ErrorNote error={cost.error} retry={() => void cost.refetch()} />;
  const days = byDay(
    (cost.data?.lines ?? []).filter(
      (line) =>
        line.kind === search.kind &&
        (line.profile ?? "") === (search.profile ?? "") &&
        (line.service ?? "") === (search.service ?? "") &&
        (line.item ?? "") === (search.item ?? ""),
    ),
  );
  const day = search.day ?? (isDay(search.range) ? search.range : days.at(-1)?.day);
  return (
    <>
      {days.length > 1 && cost.data && <Days days={days} currency={cost.data.currency} day={day} search={search} />}
      <Hours search={search} day={day} />
    </>
  );
}

interface DaysProps {
  days: Day[];
  currency: string;
  day: string | undefined;
  search: LineSearch;
}

function Days({ days, currency, day: chosen, search }: DaysProps) {
  const sum = days.reduce((all, { micro }) => all + micro, 0);
  return (
    <Section title={t.billing.days} text={t.billing.daysText}>
      <Table verticalSpacing={4} horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.groups.day}</Table.Th>
            <Table.Th ta="right">{t.billing.amount}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {days.map(({ day, micro }) => (
            <Table.Tr key={day} fw={day === chosen ? 700 : undefined}>
              <Table.Td>
                <TextLink
                  size="sm"
                  to="/cost/line"
                  search={{ ...search, day }}
                  fw="inherit"
                  aria-current={day === chosen ? "true" : undefined}
                  resetScroll={false}
                >
                  {dayText(day)}
                </TextLink>
              </Table.Td>
              <Table.Td ta="right">
                <Money micro={micro} currency={currency} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Table.Tr>
            <Table.Th scope="row" fz="sm">
              {t.billing.total}
            </Table.Th>
            <Table.Td ta="right" fw={700}>
              <Money micro={sum} currency={currency} />
            </Table.Td>
          </Table.Tr>
        </Table.Tfoot>
      </Table>
    </Section>
  );
}

function Hours({ search, day }: { search: LineSearch; day: string | undefined }) {
  const navigate = route.useNavigate();
  const line: LineOf = {
    kind: search.kind,
    ...(search.profile ? { profile: search.profile } : {}),
    ...(search.service ? { service: search.service } : {}),
    ...(search.item ? { item: search.item } : {}),
  };
  const detail = useQuery({
    ...detailQuery(line, day ?? "", search.basis, search.currency ?? ""),
    enabled: day !== undefined,
  });
  return (
    <Section title={t.billing.hours} text={t.billing.hoursText[search.kind] ?? t.billing.hoursText.own}>
      <TextInput
        type="date"
        label={t.billing.groups.day}
        w={180}
        value={day ?? ""}
        onChange={(event) => {
          const value = event.currentTarget.value;
          if (isDay(value)) void navigate({ search: (before: LineSearch) => ({ ...before, day: value }), replace: true });
        }}
      />
      <ErrorNote error={detail.error} retry={() => void detail.refetch()} />
      {day && detail.isPending && !detail.error && <Loading />}
      {!day && <Empty text={t.billing.noDay} />}
      {detail.data && detail.data.hours.length === 0 && <Empty text={t.billing.noHours} />}
      {detail.data && detail.data.hours.length > 0 && <HourTable detail={detail.data} />}
    </Section>
  );
}

function HourTable({ detail }: { detail: CostDetail }) {
  const dates = useDates();
  const time = useTime();
  const counted = detail.hours.some((hour) => hour.amount !== null);
  const sum = detail.hours.reduce((all, { micro }) => all + micro, 0);
  return (
    <>
      {detail.folded && (
        <Text size="sm" c="dimmed">
          {t.billing.folded}
        </Text>
      )}
      <Table.ScrollContainer minWidth={280}>
        <Table verticalSpacing={4} horizontalSpacing={8} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.billing.from}</Table.Th>
              {counted && (
                <>
                  <Table.Th ta="right">{t.billing.part[detail.basis]}</Table.Th>
                  <Table.Th ta="right">{t.billing.ofAll}</Table.Th>
                </>
              )}
              <Table.Th ta="right" visibleFrom="sm">
                {t.billing.charged}
              </Table.Th>
              <Table.Th ta="right">{t.billing.thisLine}</Table.Th>
              <Table.Th ta="right" visibleFrom="sm">
                {t.billing.chargeCount}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {detail.hours.map((hour) => (
              <Table.Tr key={`${hour.time} ${hour.until}`}>
                <Table.Td className="nowrap" title={`${time(hour.time)} – ${time(hour.until)}`}>
                  {detail.folded ? dates.minute(hour.time) : dates.clock(hour.time)}
                </Table.Td>
                {counted && (
                  <>
                    <Table.Td ta="right">{amountText(hour.amount)}</Table.Td>
                    <Table.Td ta="right">{amountText(hour.of)}</Table.Td>
                  </>
                )}
                <Table.Td ta="right" visibleFrom="sm">
                  <Money micro={hour.charged_micro} currency={detail.currency} />
                </Table.Td>
                <Table.Td ta="right">
                  <Money micro={hour.micro} currency={detail.currency} />
                </Table.Td>
                <Table.Td ta="right" visibleFrom="sm" title={hour.charges.join(", ")}>
                  {hour.charges.length}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
          <Table.Tfoot>
            <Table.Tr>
              <Table.Th scope="row">{t.billing.total}</Table.Th>
              {counted && (
                <>
                  <Table.Td />
                  <Table.Td />
                </>
              )}
              <Table.Td visibleFrom="sm" />
              <Table.Td ta="right" fw={700}>
                <Money micro={sum} currency={detail.currency} />
              </Table.Td>
              <Table.Td visibleFrom="sm" />
            </Table.Tr>
          </Table.Tfoot>
        </Table>
      </Table.ScrollContainer>
      <Group gap="xs">
        <Badge color={detail.adds_up ? "green" : "red"} variant="light" tt="none" size="lg">
          {detail.adds_up ? t.billing.addsUp : t.billing.addsUpNot}
        </Badge>
        <Text size="sm" c="dimmed">
          {t.billing.ofTheLine} <Money micro={detail.micro} currency={detail.currency} />
        </Text>
      </Group>
    </>
  );
}

const amountText = (n: number | null): string => (n === null ? t.none : unlimited(n) ? t.usage.noLimit : amount(n));
