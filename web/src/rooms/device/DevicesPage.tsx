import { Badge, Button, Card, Checkbox, Group, Select, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { DeviceRow } from "../../api/types";
import { t } from "../../texts";
import { Ago, useNow } from "../../ui/ago";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { tagText } from "../../ui/TagRows";
import { atLeast, Lacks, useOwnRole } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { BulkBar } from "./BulkBar";
import { aheadQuery, devicesQuery, filterOf, pageSize } from "./queries";
import { type DevicesSearch, silenceNames, stateNames } from "./search";

const route = getRouteApi("/_in/p/$profileId/devices");

/** The profile's devices. Filter, order and page stand in the address, so that back and reload keep them. */
export function DevicesPage() {
  const { profileId } = route.useParams();
  return <Devices key={profileId} profileId={profileId} />; // what was chosen in one profile is not in another
}

function Devices({ profileId }: { profileId: string }) {
  const search = route.useSearch();
  const { page = 1 } = search;
  const navigate = route.useNavigate();
  const profileName = useProfileName(profileId);
  const devices = useQuery(devicesQuery(profileId, search));
  const rows = devices.data;
  const ahead = useQuery({ ...aheadQuery(profileId, search), enabled: rows?.length === pageSize });
  const hasNext = rows?.length === pageSize && ahead.data === true;
  const may = atLeast(useOwnRole(profileId), "developer");
  const filter = JSON.stringify(filterOf(search) ?? null);
  const [chosen, setChosen] = useState<Chosen>(nothing);
  if (chosen.filter !== filter) setChosen({ ...nothing, filter }); // what is not in the list is not chosen

  const filtered = filter !== "null";
  const untouched = rows?.length === 0 && page === 1 && !filtered;
  const add = may ? (
    <Group gap="xs">
      <ButtonLink variant="default" to="/p/$profileId/devices/import" params={{ profileId }}>
        {t.fleet.import}
      </ButtonLink>
      <ButtonLink to="/p/$profileId/devices/add" params={{ profileId }}>
        {t.devices.add}
      </ButtonLink>
    </Group>
  ) : (
    <Stack gap={4} align="flex-start" maw={360}>
      <Button disabled>{t.devices.add}</Button>
      <Lacks profileId={profileId} least="developer" />
    </Stack>
  );
  return (
    <Page title={t.devices.title} profile={profileName} actions={untouched ? undefined : add}>
      {!untouched && <Filters search={search} />}
      <ErrorNote error={devices.error} retry={() => void devices.refetch()} />
      {devices.isPending && <Loading />}
      {untouched && (
        <Empty title={t.devices.empty} text={t.devices.emptyText}>
          {add}
        </Empty>
      )}
      {rows?.length === 0 && filtered && page === 1 && (
        <Empty title={t.fleet.nothing}>
          <Button variant="default" onClick={() => void navigate({ search: {} })}>
            {t.fleet.clear}
          </Button>
        </Empty>
      )}
      {rows?.length === 0 && page > 1 && <Empty title={t.devices.pastEnd} />}
      {(chosen.all || chosen.ids.length > 0) && (
        <BulkBar
          profileId={profileId}
          meant={chosen.all ? { search } : { ids: chosen.ids }}
          canTakeAll={hasNext || page > 1}
          takeAll={() => setChosen({ ...chosen, all: true })}
          clear={() => setChosen({ ...nothing, filter })}
        />
      )}
      {rows && rows.length > 0 && (
        <DeviceTable rows={rows} profileId={profileId} search={search} chosen={may ? chosen : undefined} choose={setChosen} />
      )}
      {(page > 1 || hasNext) && (
        <Group component="nav" aria-label={t.devices.pages} justify="center">
          <Button
            variant="default"
            disabled={page <= 1}
            onClick={() => void navigate({ search: (old) => ({ ...old, page: page > 2 ? page - 1 : undefined }) })}
          >
            {t.devices.previous}
          </Button>
          <Text size="sm">{t.devices.page(page)}</Text>
          <Button
            variant="default"
            disabled={!hasNext}
            onClick={() => void navigate({ search: (old) => ({ ...old, page: page + 1 }) })}
          >
            {t.devices.next}
          </Button>
        </Group>
      )}
    </Page>
  );
}

/** The devices that something is to be done with, among those of a filter. */
interface Chosen {
  ids: string[];
  all: boolean;
  filter: string;
}
const nothing: Chosen = { ids: [], all: false, filter: "" };

function Filters({ search }: { search: DevicesSearch }) {
  const navigate = route.useNavigate();
  const set = (part: DevicesSearch, replace = false) =>
    void navigate({ search: (old) => ({ ...old, page: undefined, ...part }), replace });
  return (
    <Group gap="xs" wrap="wrap">
      <Typed label={t.fleet.search} value={search.search ?? ""} onSettle={(value) => set({ search: value || undefined }, true)} grow />
      <Typed label={t.fleet.tag} placeholder={t.fleet.tagHint} value={search.tag ?? ""} onSettle={(value) => set({ tag: value || undefined }, true)} />
      <Select
        aria-label={t.fleet.state}
        w={140}
        allowDeselect={false}
        data={stateNames.map((value) => ({ value, label: t.fleet.states[value] }))}
        value={search.state ?? "all"}
        onChange={(value) => set({ state: stateNames.find((name) => name === value && name !== "all") })}
      />
      <Select
        aria-label={t.fleet.silence}
        w={190}
        allowDeselect={false}
        data={silenceNames.map((value) => ({ value, label: t.fleet.silences[value] }))}
        value={search.silent ?? "any"}
        onChange={(value) => set({ silent: silenceNames.find((name) => name === value && name !== "any") })}
      />
    </Group>
  );
}

interface TypedProps {
  label: string;
  placeholder?: string;
  value: string;
  onSettle: (value: string) => void;
  grow?: boolean;
}

/** A field that acts when typing pauses. */
function Typed({ label, placeholder = label, value, onSettle, grow }: TypedProps) {
  const [typed, setTyped] = useState(value);
  const [settled] = useDebouncedValue(typed.trim(), 250);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    // The address was changed elsewhere: by "back", or by a button that clears it.
    setKnown(value);
    if (value !== typed.trim()) setTyped(value);
  }
  useEffect(() => {
    if (settled !== value && settled === typed.trim()) onSettle(settled);
    // Only a change of what was typed leads somewhere; a change of the address alone must not be undone.
    // eslint-disable-next-line react/exhaustive-deps
  }, [settled]);
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={placeholder}
      miw={grow ? 220 : 150}
      w={grow ? undefined : 180}
      flex={grow ? "1 1 220px" : undefined}
      maw={grow ? 340 : undefined}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
    />
  );
}

interface TableProps {
  rows: DeviceRow[];
  profileId: string;
  search: DevicesSearch;
  /** Nothing for who may change no device. */
  chosen: Chosen | undefined;
  choose: (chosen: Chosen) => void;
}

function DeviceTable({ rows, profileId, search, chosen, choose }: TableProps) {
  const now = useNow();
  const ids = rows.map((row) => row.id);
  const here = chosen?.all ? ids : ids.filter((one) => chosen?.ids.includes(one));
  const toggle = (some: string[], on: boolean) => {
    if (!chosen) return;
    const before = chosen.all ? ids : chosen.ids;
    const rest = before.filter((one) => !some.includes(one));
    choose({ ...chosen, all: false, ids: on ? [...rest, ...some] : rest });
  };
  return (
    <Card withBorder padding={0}>
      <Table verticalSpacing="sm" horizontalSpacing="md" highlightOnHover className="tabular">
        <Table.Thead>
          <Table.Tr>
            {chosen && (
              <Table.Th w={44} pr={0}>
                <Checkbox
                  aria-label={t.fleet.selectPage}
                  checked={here.length === rows.length}
                  indeterminate={here.length > 0 && here.length < rows.length}
                  onChange={(event) => toggle(ids, event.currentTarget.checked)}
                />
              </Table.Th>
            )}
            <Sortable name="name" label={t.devices.name} search={search} />
            <Table.Th visibleFrom="md">{t.fleet.tags}</Table.Th>
            <Table.Th visibleFrom="sm" ta="right">
              {t.fleet.pointsToday}
            </Table.Th>
            <Table.Th visibleFrom="sm" ta="right">
              {t.fleet.refusalsToday}
            </Table.Th>
            <Sortable name="last_input" label={t.devices.lastInput} search={search} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id} pos="relative" bg={here.includes(row.id) ? "light-dark(var(--mantine-color-paddock-0), var(--mantine-color-dark-6))" : undefined}>
              {chosen && (
                <Table.Td pr={0}>
                  <Checkbox
                    pos="relative"
                    style={{ zIndex: 1 }}
                    aria-label={t.fleet.select(row.name)}
                    checked={here.includes(row.id)}
                    onChange={(event) => toggle([row.id], event.currentTarget.checked)}
                  />
                </Table.Td>
              )}
              <Table.Td>
                <Stack gap={2} align="flex-start">
                  <TextLink
                    to="/p/$profileId/devices/$deviceId"
                    params={{ profileId, deviceId: row.id }}
                    className="covering"
                    fw={600}
                    style={{ overflowWrap: "anywhere" }}
                  >
                    {row.name}
                  </TextLink>
                  {row.serie_number && (
                    <Text size="xs" c="dimmed" className="mono">
                      {row.serie_number}
                    </Text>
                  )}
                  {!row.active && (
                    <Badge color="gray" variant="light" size="sm">
                      {t.devices.inactive}
                    </Badge>
                  )}
                </Stack>
              </Table.Td>
              <Table.Td visibleFrom="md" maw={260}>
                <Tags row={row} />
              </Table.Td>
              <Table.Td visibleFrom="sm" ta="right">
                {count(row.points_today)}
              </Table.Td>
              <Table.Td visibleFrom="sm" ta="right">
                {row.refusals_today > 0 ? (
                  <Text span size="sm" c="red" fw={600}>
                    {row.refusals_today >= 100 ? t.fleet.manyRefusals : count(row.refusals_today)}
                  </Text>
                ) : (
                  <Text span size="sm" c="dimmed">
                    0
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                {row.last_input ? (
                  <Ago iso={row.last_input} now={now} size="sm" pos="relative" style={{ zIndex: 1 }} />
                ) : (
                  <Text c="dimmed" size="sm">
                    {t.devices.never}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}

const shownTags = 2;

function Tags({ row }: { row: DeviceRow }) {
  return (
    <Group gap={4}>
      {row.tags.slice(0, shownTags).map((tag, at) => (
        <Badge key={`${tag.key} ${at}`} variant="light" color="gray" tt="none" fw={500} maw={200}>
          {tagText(tag)}
        </Badge>
      ))}
      {row.tags.length > shownTags && (
        <Text size="xs" c="dimmed" title={row.tags.map(tagText).join("\n")}>
          {t.fleet.more(row.tags.length - shownTags)}
        </Text>
      )}
    </Group>
  );
}

function Sortable({ name, label, search }: { name: "name" | "last_input"; label: string; search: DevicesSearch }) {
  const navigate = route.useNavigate();
  const { sort = "name" } = search;
  const up = sort === name;
  const down = sort === `-${name}`;
  return (
    <Table.Th aria-sort={up ? "ascending" : down ? "descending" : undefined}>
      <UnstyledButton
        fw="inherit"
        fz="inherit"
        className="nowrap"
        title={t.fleet.sortBy(label)}
        onClick={() => void navigate({ search: (old) => ({ ...old, page: undefined, sort: up ? `-${name}` : down || name !== "name" ? name : undefined }) })}
      >
        {label}
        <span aria-hidden>{up ? " ↑" : down ? " ↓" : ""}</span>
      </UnstyledButton>
    </Table.Th>
  );
}
