import { Anchor, Button, Group, List, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { type ClipboardEvent, useMemo, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import type { Refused, Table } from "../../api/usage";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { useGuest } from "../profile/Guest";
import { amountOf, cellKey, type Edits, equalShare, noLimit, parse, partsOf, plainText, restOf } from "./allocation";
import { AllocationGrid, type GridHandle } from "./AllocationGrid";
import { AllocationOne } from "./AllocationOne";
import { nameOf } from "./names";
import { type AllocationRow, tableQuery, useAllocate } from "./queries";

/** What each profile has of what the account has, to be changed in one go. */
export function AllocationPage() {
  const guest = useGuest();
  const table = useQuery({ ...tableQuery, enabled: guest === false });
  const dates = useDates();
  return (
    <Page title={t.nav.allocation} text={guest === false ? t.allocation.text(table.data ? dates.day(table.data.reset) : undefined) : undefined}>
      {guest === undefined && <Loading />}
      {guest && <Empty title={t.allocation.guest} text={t.allocation.guestText} />}
      {guest === false && table.isPending && <Loading />}
      <ErrorNote error={table.error} retry={() => void table.refetch()} />
      {table.data?.profiles.length === 1 && (
        <Empty title={t.allocation.one(table.data.profiles[0]?.name ?? "")} text={t.allocation.oneText}>
          <ButtonLink to="/profiles/add">{t.profiles.addTitle}</ButtonLink>
        </Empty>
      )}
      {table.data && table.data.profiles.length > 1 && <Sheet table={table.data} />}
    </Page>
  );
}

const orders = ["made", "name", "full"] as const;
type Order = (typeof orders)[number];

/** How full the fullest service of a profile is. */
const fullest = (row: Table["profiles"][number]): number =>
  Math.max(0, ...Object.entries(row.allocation).map(([service, has]) => (has === null ? 0 : (row.used[service] ?? 0) / Math.max(has, 1e-9))));

/** So many steps can be taken back. */
const mostSteps = 200;

function Sheet({ table }: { table: Table }) {
  const small = useMediaQuery("(max-width: 48em)", window.matchMedia("(max-width: 48em)").matches);
  const [edits, setEdits] = useState<Edits>({});
  const [steps, setSteps] = useState<Edits[]>([]);
  const [find, setFind] = useState("");
  const [order, setOrder] = useState<Order>("made");
  const [refused, setRefused] = useState<ReadonlyMap<string, string>>(new Map());
  const [saved, setSaved] = useState(0);
  const [giving, setGiving] = useState(false);
  const grid = useRef<GridHandle>(null);
  const typing = useRef("");
  const allocate = useAllocate();

  const rows = useMemo(() => {
    const words = find.trim().toLowerCase();
    const found = words ? table.profiles.filter((row) => row.name.toLowerCase().includes(words)) : table.profiles;
    if (order === "name") return found.toSorted((a, b) => a.name.localeCompare(b.name));
    return order === "full" ? found.toSorted((a, b) => fullest(b) - fullest(a)) : found;
  }, [table, find, order]);
  const rests = useMemo(() => new Map(table.services.map((one) => [one.service, restOf(table, one, edits)])), [table, edits]);
  const changed = Object.keys(edits).length;
  const dirty = changed > 0;
  const bad = Object.values(edits).some((edit) => edit.value === undefined);
  const blocker = useBlocker({ shouldBlockFn: () => dirty, enableBeforeUnload: () => dirty, withResolver: true });

  /** Takes cells over as they are typed; what a cell said before is no edit. */
  const change = (cells: [profile: string, service: string, text: string][], step: string) => {
    const next: Record<string, Edits[string]> = { ...edits };
    const left = new Map(refused);
    for (const [profile, service, text] of cells) {
      const row = table.profiles.find((one) => one.id === profile);
      const pool = table.services.find((one) => one.service === service);
      if (!row || !pool) continue;
      const key = cellKey(profile, service);
      const value = parse(text, service, pool.pool === null);
      if (value !== undefined && value === (row.allocation[service] ?? null)) delete next[key];
      else next[key] = { text, value };
      left.delete(key);
    }
    // All that is typed into a cell at one go is one step back.
    if (step === "" || step !== typing.current) setSteps([...steps.slice(-mostSteps + 1), edits]);
    typing.current = step;
    setEdits(next);
    setRefused(left);
    setSaved(0);
  };
  const undo = () => {
    const before = steps.at(-1);
    if (!before) return;
    typing.current = "";
    setEdits(before);
    setSteps(steps.slice(0, -1));
    setRefused(new Map());
  };
  const paste = (event: ClipboardEvent, profile: string, service: string) => {
    const block = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "");
    if (!/[\t\n]/.test(block)) return;
    event.preventDefault();
    const top = rows.findIndex((row) => row.id === profile);
    const left = table.services.findIndex((one) => one.service === service);
    change(
      block.split(/\r?\n/).flatMap((line, down) =>
        line.split("\t").flatMap((text, right): [string, string, string][] => {
          const row = rows[top + down];
          const column = table.services[left + right];
          return row && column ? [[row.id, column.service, text]] : [];
        }),
      ),
      "",
    );
  };
  const save = () => {
    const body = new Map<string, AllocationRow>();
    for (const [key, edit] of Object.entries(edits)) {
      const [profile, service] = partsOf(key);
      const row: AllocationRow = body.get(profile) ?? { profile };
      row[service] = edit.value ?? noLimit;
      body.set(profile, row);
    }
    allocate.mutate([...body.values()], {
      onSuccess: () => {
        setSaved(changed);
        setEdits({});
        setSteps([]);
        setRefused(new Map());
      },
      onError: (error) => {
        const detail = error instanceof ApiError ? (error.detail as Partial<Refused> | undefined) : undefined;
        setRefused(new Map((detail?.refused ?? []).map((cell) => [cellKey(cell.profile, cell.service ?? ""), cell.reason])));
      },
    });
  };
  const give = (profile: string, services: string[]) => {
    const row = table.profiles.find((one) => one.id === profile);
    if (!row) return;
    change(
      services.flatMap((service): [string, string, string][] => {
        const rest = rests.get(service);
        const has = Math.max(amountOf(row, service, edits) ?? 0, row.used[service] ?? 0);
        return rest && rest > 0 ? [[profile, service, plainText(Math.round((has + rest) * 1e6) / 1e6)]] : [];
      }),
      "",
    );
    setGiving(false);
  };
  const share = () =>
    change(
      table.services.flatMap((service) => [...equalShare(table, service, rows, edits)].map(([profile, part]): [string, string, string] => [profile, service.service, plainText(part)])),
      "",
    );
  const bounded = table.services.filter((one) => one.pool !== null);
  const shared = { table, rows, rests, edits, refused, change, paste, undo };
  return (
    <Stack gap="md">
      <Group gap="sm" align="flex-end">
        <TextInput label={t.allocation.find} type="search" w={{ base: "100%", xs: 200 }} value={find} onChange={(event) => setFind(event.currentTarget.value)} />
        {!small && (
          <Select
            label={t.allocation.order}
            w={170}
            allowDeselect={false}
            value={order}
            data={orders.map((value) => ({ value, label: t.allocation.orders[value] }))}
            onChange={(value) => setOrder(value as Order)}
          />
        )}
        {bounded.length > 0 && (
          <>
            <Button variant="default" onClick={() => setGiving(true)}>
              {t.allocation.give}
            </Button>
            <Button variant="default" disabled={rows.length < 2} onClick={share}>
              {rows.length === table.profiles.length ? t.allocation.equal : t.allocation.equalOf(rows.length)}
            </Button>
          </>
        )}
      </Group>
      {rows.length === 0 ? <Text c="dimmed">{t.allocation.noneFound(find)}</Text> : small ? <AllocationOne {...shared} /> : <AllocationGrid ref={grid} {...shared} />}
      <Stack gap="sm" className="savebar" data-shown={dirty || undefined}>
        {allocate.error && refused.size > 0 ? (
          <ErrorNote error={allocate.error} title={t.allocation.refused}>
            <Marked table={table} refused={refused} show={(profile, service) => grid.current?.show(profile, service)} />
          </ErrorNote>
        ) : (
          <ErrorNote error={allocate.error} />
        )}
        <Group gap="sm">
          <Button onClick={save} loading={allocate.isPending} disabled={!dirty || bad}>
            {t.allocation.save}
          </Button>
          <Button variant="default" onClick={undo} disabled={steps.length === 0}>
            {t.allocation.undo}
          </Button>
          <Button variant="subtle" disabled={!dirty} onClick={() => change(Object.keys(edits).map((key) => restore(table, key)), "")}>
            {t.allocation.discard}
          </Button>
          <Text size="sm" role="status" c={bad ? "red" : "dimmed"}>
            {bad ? t.allocation.bad : dirty ? t.allocation.changed(changed) : saved > 0 ? t.allocation.saved(saved) : t.allocation.hint}
          </Text>
        </Group>
      </Stack>
      <Modal opened={giving} onClose={() => setGiving(false)} title={t.allocation.giveTitle} centered>
        <Give table={table} rests={rests} give={give} />
      </Modal>
      <Modal opened={blocker.status === "blocked"} onClose={() => blocker.reset?.()} title={t.allocation.leaveTitle} centered>
        <Stack gap="md">
          <Text size="sm">{t.allocation.leaveText(changed)}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => blocker.reset?.()}>
              {t.allocation.stay}
            </Button>
            <Button color="red" onClick={() => blocker.proceed?.()}>
              {t.allocation.leave}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Stack>
  );
}

/** What a cell said before. */
function restore(table: Table, key: string): [string, string, string] {
  const [profile, service] = partsOf(key);
  return [profile, service, plainText(table.profiles.find((row) => row.id === profile)?.allocation[service] ?? null)];
}

/** Names the cells that were refused, by reason. */
function Marked({ table, refused, show }: { table: Table; refused: ReadonlyMap<string, string>; show: (profile: string, service: string) => void }) {
  const most = 5;
  const cells = [...refused];
  return (
    <>
      <List size="sm" spacing={2}>
        {cells.slice(0, most).map(([key, reason]) => {
          const [profile, service] = partsOf(key);
          const name = table.profiles.find((row) => row.id === profile)?.name ?? profile;
          return (
            <List.Item key={key}>
              <Anchor component="button" type="button" size="sm" c="inherit" underline="always" onClick={() => show(profile, service)}>
                {service ? `${name}, ${nameOf(service)}` : name}
              </Anchor>
              : {reason}
            </List.Item>
          );
        })}
      </List>
      {cells.length > most && <Text size="sm">{t.allocation.moreRefused(cells.length - most)}</Text>}
    </>
  );
}

/** Gives what no profile has to one of them. */
function Give({ table, rests, give }: { table: Table; rests: ReadonlyMap<string, number | null>; give: (profile: string, services: string[]) => void }) {
  const [profile, setProfile] = useState<string | null>(null);
  const [service, setService] = useState<string | null>(null);
  const free = table.services.filter((one) => (rests.get(one.service) ?? 0) > 0);
  return (
    <Stack gap="md">
      <Text size="sm">{free.length > 0 ? t.allocation.giveText : t.allocation.nothingFree}</Text>
      <Select
        label={t.allocation.giveTo}
        searchable
        limit={50}
        nothingFoundMessage={t.account.nothingFound}
        value={profile}
        data={table.profiles.map((row) => ({ value: row.id, label: row.name }))}
        onChange={setProfile}
      />
      <Select
        label={t.usage.service}
        clearable
        placeholder={t.allocation.allServices}
        value={service}
        data={free.map((one) => ({ value: one.service, label: nameOf(one.service) }))}
        onChange={setService}
      />
      <Group justify="flex-end">
        <Button disabled={!profile || free.length === 0} onClick={() => profile && give(profile, service ? [service] : free.map((one) => one.service))}>
          {t.allocation.giveButton}
        </Button>
      </Group>
    </Stack>
  );
}
