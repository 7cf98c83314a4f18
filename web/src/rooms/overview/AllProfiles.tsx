import { Badge, Button, Card, Checkbox, Group, Progress, Select, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue, useMediaQuery } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, count, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { tagText } from "../../ui/TagRows";
import { microText, Money } from "../billing/money";
import { Logo } from "../profile/Logo";
import { profilesQuery } from "../profile/queries";
import { BulkBar, type Chosen, mostChosen } from "./Bulk";
import { Dot } from "./Dot";
import { allRows, type CostTotals, type Overview, overviewQuery, type OverviewRow, pageSize } from "./queries";
import { type Column, columns, type OverviewSearch, statuses } from "./search";
import { list, nearDay, serviceName } from "./words";

const route = getRouteApi("/_in/profiles");

/** Every profile with how it is: what is blocked first. Sorted, filtered and paged by the server; what is asked for stands in the address. */
export function AllProfiles() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const overview = useQuery(overviewQuery(search));
  const wide = useMediaQuery("(min-width: 48em)", true, { getInitialValueInEffect: false });
  const [chosen, setChosen] = useState<Chosen>({});
  const all = useMutation({
    mutationFn: () => allRows(search, mostChosen),
    onSuccess: (rows) => setChosen(Object.fromEntries(rows.map((row) => [row.id, row.name]))),
  });
  const change = (part: Partial<OverviewSearch>): void =>
    void navigate({ search: (old) => ({ ...old, page: undefined, ...part }), replace: true });
  const data = overview.data;
  const pages = data ? Math.max(1, Math.ceil(data.rows / pageSize)) : 1;
  const page = search.page ?? 1;
  const filtered = Boolean(search.name || search.status || search.tag);
  const View = wide ? TableOf : CardsOf;
  return (
    <Stack gap="md">
      <Filters search={search} change={change} data={data} />
      <ErrorNote error={overview.error} retry={() => void overview.refetch()} />
      {overview.isPending && <Loading />}
      {data && Object.keys(chosen).length > 0 && (
        <BulkBar
          chosen={chosen}
          clear={() => setChosen({})}
          more={
            data.rows > Object.keys(chosen).length && data.rows <= mostChosen ? (
              <Button variant="subtle" size="compact-sm" loading={all.isPending} onClick={() => all.mutate()}>
                {t.overview.selectAll(data.rows)}
              </Button>
            ) : undefined
          }
          error={all.error}
        />
      )}
      {data && data.rows === 0 && filtered && (
        <Empty title={t.overview.nothing}>
          <Button variant="default" onClick={() => void navigate({ search: {}, replace: true })}>
            {t.overview.clear}
          </Button>
        </Empty>
      )}
      {data && data.rows > 0 && <View data={data} search={search} change={change} chosen={chosen} choose={setChosen} />}
      {pages > 1 && (
        <Group component="nav" aria-label={t.overview.pages} justify="center">
          <Button variant="default" disabled={page <= 1} onClick={() => change({ page: page > 2 ? page - 1 : undefined })}>
            {t.overview.previous}
          </Button>
          <Text size="sm">{t.overview.page(page, pages)}</Text>
          <Button variant="default" disabled={page >= pages} onClick={() => change({ page: page + 1 })}>
            {t.overview.next}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

interface FiltersProps {
  search: OverviewSearch;
  change: (part: Partial<OverviewSearch>) => void;
  data: Overview | undefined;
}

function Filters({ search, change, data }: FiltersProps) {
  const profiles = useQuery(profilesQuery).data ?? [];
  const tags = [...new Set(profiles.flatMap((row) => row.tags.map((tag) => `${tag.key}=${tag.value}`)))].toSorted();
  const [typed, setTyped] = useState(search.name ?? "");
  const [settled] = useDebouncedValue(typed.trim(), 250);
  useEffect(() => {
    if (settled !== (search.name ?? "")) change({ name: settled || undefined });
    // Only a change of what was typed leads somewhere; a change of the address alone must not be undone.
    // eslint-disable-next-line react/exhaustive-deps
  }, [settled]);
  useEffect(() => {
    if (!search.name) setTyped("");
  }, [search.name]);
  const counts = data?.totals.statuses ?? {};
  return (
    <Group gap="sm">
      <TextInput
        type="search"
        aria-label={t.overview.search}
        placeholder={t.overview.search}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        flex="1 1 12rem"
        maw={320}
      />
      <Select
        aria-label={t.overview.statusFilter}
        placeholder={t.overview.anyStatus}
        data={statuses.map((value) => ({ value, label: `${t.overview.statuses[value]}${counts[value] ? ` (${count(counts[value])})` : ""}` }))}
        value={search.status ?? null}
        onChange={(value) => change({ status: statuses.find((word) => word === value) })}
        clearable
        clearButtonProps={{ "aria-label": t.overview.anyStatus }}
        flex="1 1 8rem"
        maw={200}
      />
      {tags.length > 0 && (
        <Select
          aria-label={t.overview.tagFilter}
          placeholder={t.overview.anyTag}
          data={tags}
          value={search.tag ?? null}
          onChange={(value) => change({ tag: value ?? undefined })}
          clearable
          searchable
          clearButtonProps={{ "aria-label": t.overview.anyTag }}
          flex="1 1 8rem"
          maw={200}
        />
      )}
    </Group>
  );
}

interface ViewProps {
  data: Overview;
  search: OverviewSearch;
  change: (part: Partial<OverviewSearch>) => void;
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
}

const heads: Record<Column, string> = {
  name: t.overview.name,
  status: t.overview.status,
  tightest: t.overview.tightest,
  last_input: t.overview.lastInput,
  devices: t.overview.devices,
  refusals_24h: t.overview.refusals,
  members: t.overview.members,
  cost: t.overview.cost,
};
const numbers: Column[] = ["devices", "refusals_24h", "members", "cost"];
/** Columns whose largest values come first when one sorts by them. */
const largest: Column[] = ["tightest", "last_input", ...numbers];

function TableOf({ data, search, change, chosen, choose }: ViewProps) {
  const dates = useDates();
  const cost = data.totals.cost;
  const shown = columns.filter((column) => column !== "cost" || cost !== null);
  const all = data.profiles.every((row) => chosen[row.id] !== undefined);
  const order = search.order ?? "status";
  return (
    <Card withBorder padding={0} style={{ overflowX: "auto" }}>
      <Table verticalSpacing="sm" horizontalSpacing="xs" highlightOnHover style={{ fontVariantNumeric: "tabular-nums" }}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={40}>
              <Checkbox
                size="xs"
                aria-label={t.overview.selectPage}
                checked={all}
                indeterminate={!all && data.profiles.some((row) => chosen[row.id] !== undefined)}
                onChange={() => choose(all ? {} : { ...chosen, ...Object.fromEntries(data.profiles.map((row) => [row.id, row.name])) })}
              />
            </Table.Th>
            {shown.map((column) => {
              const here = order === column;
              const down = here && Boolean(search.desc);
              return (
                <Table.Th key={column} ta={numbers.includes(column) ? "right" : undefined} aria-sort={here ? (down ? "descending" : "ascending") : "none"}>
                  <UnstyledButton
                    fz="sm"
                    fw={here ? 700 : 600}
                    ta="inherit"
                    title={t.overview.sortBy(heads[column])}
                    onClick={() => change({ order: column, desc: (here ? !down : largest.includes(column)) || undefined })}
                  >
                    {heads[column]}
                    {here && <span aria-hidden>{down ? " ↓" : " ↑"}</span>}
                  </UnstyledButton>
                </Table.Th>
              );
            })}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.profiles.map((row) => (
            <Table.Tr key={row.id} pos="relative" bg={chosen[row.id] === undefined ? undefined : "var(--mantine-color-default-hover)"}>
              <Table.Td>
                <Choose row={row} chosen={chosen} choose={choose} />
              </Table.Td>
              <Table.Td miw={170} maw={260}>
                <Named row={row} />
              </Table.Td>
              <Table.Td miw={110} maw={170}>
                <StatusOf row={row} />
              </Table.Td>
              <Table.Td miw={130}>
                <Tightest row={row} />
              </Table.Td>
              <Table.Td className="nowrap">{row.last_input ? dates.near(row.last_input) : <Dim>{t.overview.never}</Dim>}</Table.Td>
              <Table.Td ta="right">
                {count(row.devices)}
                {row.silent_devices > 0 && (
                  <Text size="xs" c="dimmed">
                    {t.overview.silentOf(row.silent_devices)}
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right">{row.refusals_24h > 0 ? count(row.refusals_24h) : <Dim>0</Dim>}</Table.Td>
              <Table.Td ta="right">
                <Members row={row} />
              </Table.Td>
              {cost && <Table.Td ta="right">{row.cost ? <Money micro={row.cost.micro} currency={row.cost.currency} /> : <Dim>{t.none}</Dim>}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Table.Tr>
            <Table.Td />
            <Table.Th colSpan={4} scope="row">
              {t.overview.total(data.rows)}
            </Table.Th>
            <Table.Th ta="right">{count(data.totals.devices)}</Table.Th>
            <Table.Th ta="right">{count(data.totals.refusals_24h)}</Table.Th>
            <Table.Td />
            {cost && (
              <Table.Th ta="right">
                <Money micro={cost.profiles_micro} currency={cost.currency} />
              </Table.Th>
            )}
          </Table.Tr>
          {cost &&
            sumLines(cost).map((line) => (
              <Table.Tr key={line.label} style={{ borderTop: "none" }}>
                <Table.Td />
                <Table.Td colSpan={7}>
                  <Text size="sm" c={line.sum ? undefined : "dimmed"} fw={line.sum ? 600 : undefined}>
                    {line.label}
                  </Text>
                </Table.Td>
                <Table.Td ta="right" fw={line.sum ? 700 : undefined}>
                  {line.sum ? (
                    <TextLink to="/cost" inherit>
                      <Money micro={line.micro} currency={cost.currency} />
                    </TextLink>
                  ) : (
                    <Money micro={line.micro} currency={cost.currency} />
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
        </Table.Tfoot>
      </Table>
      {cost && !cost.adds_up && (
        <Text size="sm" c="red" p="sm">
          {t.overview.billOff}
        </Text>
      )}
    </Card>
  );
}

/** What stands between the sum of the profiles and the bill, and the bill. */
function sumLines(cost: CostTotals): { label: string; micro: number; sum?: boolean }[] {
  return [
    { label: t.overview.hidden, micro: cost.hidden_micro },
    { label: t.overview.former, micro: cost.former_micro },
    ...Object.entries(cost.others_micro).map(([kind, micro]) => ({ label: t.overview.others[kind] ?? kind, micro })),
  ]
    .filter((line) => line.micro !== 0)
    .concat([{ label: t.overview.bill, micro: cost.total_micro, sum: true } as { label: string; micro: number }]);
}

function CardsOf({ data, search, change, chosen, choose }: ViewProps) {
  const dates = useDates();
  const cost = data.totals.cost;
  return (
    <Stack gap="sm">
      <Select
        aria-label={t.overview.order}
        data={columns.filter((column) => column !== "cost" || cost !== null).map((value) => ({ value, label: heads[value] }))}
        value={search.order ?? "status"}
        onChange={(value) => {
          const order = columns.find((column) => column === value);
          if (order) change({ order, desc: largest.includes(order) || undefined });
        }}
        allowDeselect={false}
      />
      {data.profiles.map((row) => (
        <Card key={row.id} withBorder padding="sm" pos="relative" role="group" aria-label={row.name}>
          <Stack gap="xs">
            <Group wrap="nowrap" gap="sm" align="flex-start">
              <Stack flex={1} miw={0}>
                <Named row={row} />
              </Stack>
              <Choose row={row} chosen={chosen} choose={choose} />
            </Group>
            <StatusOf row={row} />
            {row.tightest && <Tightest row={row} />}
            <Text size="xs" c="dimmed">
              {[
                `${t.overview.lastInput}: ${row.last_input ? dates.near(row.last_input) : t.overview.never}`,
                t.overview.deviceCount(count(row.devices), row.devices),
                row.refusals_24h > 0 ? `${t.overview.refusals}: ${count(row.refusals_24h)}` : "",
                row.cost ? microText(row.cost.micro, row.cost.currency) : "",
              ]
                .filter(Boolean)
                .join(" · ")}
            </Text>
          </Stack>
        </Card>
      ))}
      <Card withBorder padding="sm">
        <Stack gap={4}>
          <Group justify="space-between">
            <Text size="sm" fw={600}>
              {t.overview.total(data.rows)}
            </Text>
            {cost && (
              <Text size="sm">
                <Money micro={cost.profiles_micro} currency={cost.currency} />
              </Text>
            )}
          </Group>
          {cost &&
            sumLines(cost).map((line) => (
              <Group key={line.label} justify="space-between" wrap="nowrap">
                <Text size="sm" c={line.sum ? undefined : "dimmed"} fw={line.sum ? 600 : undefined}>
                  {line.label}
                </Text>
                <Text size="sm" fw={line.sum ? 700 : undefined}>
                  <Money micro={line.micro} currency={cost.currency} />
                </Text>
              </Group>
            ))}
        </Stack>
      </Card>
    </Stack>
  );
}

const Dim = ({ children }: { children: ReactNode }) => (
  <Text span inherit c="dimmed">
    {children}
  </Text>
);

/** Above the link that covers its row. */
function Choose({ row, chosen, choose }: { row: OverviewRow; chosen: Chosen; choose: (chosen: Chosen) => void }) {
  return (
    <Checkbox
      size="xs"
      pos="relative"
      style={{ zIndex: 1 }}
      aria-label={t.overview.select(row.name)}
      checked={chosen[row.id] !== undefined}
      onChange={(event) => {
        if (event.currentTarget.checked) choose({ ...chosen, [row.id]: row.name });
        else choose(Object.fromEntries(Object.entries(chosen).filter(([id]) => id !== row.id)));
      }}
    />
  );
}

function Named({ row }: { row: OverviewRow }) {
  return (
    <Group wrap="nowrap" gap="sm">
      <Logo name={row.name} url={row.logo_url} size={32} />
      <Stack gap={2} miw={0}>
        <TextLink to="/p/$profileId" params={{ profileId: row.id }} className="covering" fz="sm" fw={600} c="inherit" truncate>
          {row.name}
        </TextLink>
        {row.owner && (
          <Text size="xs" c="dimmed" truncate>
            {t.overview.sharedBy(row.owner.name, t.team.roles[row.role] ?? row.role)}
          </Text>
        )}
        {row.tags.length > 0 && (
          <Group gap={4}>
            {row.tags.slice(0, 3).map((tag) => (
              <Badge key={`${tag.key}=${tag.value}`} size="xs" variant="light" color="gray" tt="none" fw={500} maw={140}>
                {tagText(tag)}
              </Badge>
            ))}
            {row.tags.length > 3 && (
              <Text size="xs" c="dimmed">
                +{row.tags.length - 3}
              </Text>
            )}
          </Group>
        )}
      </Stack>
    </Group>
  );
}

function StatusOf({ row }: { row: OverviewRow }) {
  const why =
    row.status === "blocked" && row.reason?.services ? t.overview.usedUp(list(row.reason.services.map(serviceName))) : row.status === "paused" ? row.reason?.text : "";
  return (
    <Group wrap="nowrap" gap={8} align="baseline">
      <Dot status={row.status} />
      <Stack gap={0} miw={0}>
        <Text size="sm" fw={row.status === "ok" ? 400 : 600}>
          {t.overview.statuses[row.status]}
        </Text>
        {why && (
          <Text size="xs" c="dimmed" lineClamp={2}>
            {why}
          </Text>
        )}
      </Stack>
    </Group>
  );
}

function Tightest({ row: { tightest } }: { row: OverviewRow }) {
  if (!tightest)
    return (
      <Text size="sm" c="dimmed">
        {t.usage.noLimit}
      </Text>
    );
  const percent = Math.min(100, Math.floor(tightest.share * 100));
  const color = tightest.share >= 1 ? "red" : tightest.share >= 0.8 ? "yellow" : "paddock";
  return (
    <Stack gap={3}>
      <Group justify="space-between" align="baseline" gap={4}>
        <Text size="sm">
          {serviceName(tightest.service)}
        </Text>
        <Text size="xs" c="dimmed" className="nowrap">
          {t.overview.usedOf(amount(tightest.used), amount(tightest.limit))}
        </Text>
      </Group>
      <Progress.Root size={5}>
        <Progress.Section value={percent} color={color} aria-label={`${serviceName(tightest.service)}: ${t.usage.share(percent)}`} />
      </Progress.Root>
      {tightest.runs_out_on && tightest.share < 1 && (
        <Text size="xs" c="dimmed">
          {t.overview.runsOut(nearDay(tightest.runs_out_on))}
        </Text>
      )}
    </Stack>
  );
}

function Members({ row: { members } }: { row: OverviewRow }) {
  if (!members) return <Dim>{t.none}</Dim>;
  return (
    <>
      {members.members > 0 ? count(members.members) : <Dim>0</Dim>}
      {Boolean(members.pending) && (
        <Text size="xs" c="dimmed">
          {t.overview.pending(members.pending ?? 0)}
        </Text>
      )}
    </>
  );
}
