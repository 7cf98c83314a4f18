import { Badge, Button, Card, Group, NumberInput, Progress, SegmentedControl, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { ApiError } from "../../api/client";
import type { LimitRow } from "../../api/usage";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, count, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Allowed } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { nameOf, shareColor, shareOf } from "../usage/names";
import { limitsQuery } from "../usage/queries";
import { dayRefusalsQuery, useSoftLimits } from "./queries";

const route = getRouteApi("/_in/p/$profileId/limits");

const kinds = ["service", "cap", "rate", "soft_rate", "pool"] as const;
type Kind = (typeof kinds)[number];

/** Every limit that bounds a profile. */
export function LimitsPage() {
  const { profileId } = route.useParams();
  const name = useProfileName(profileId);
  const limits = useQuery({ ...limitsQuery(profileId), refetchInterval: 15_000 });
  const refusals = useQuery(dayRefusalsQuery(profileId));
  const [find, setFind] = useState("");
  const [kind, setKind] = useState<Kind | "all" | "near">("all");
  const words = find.trim().toLowerCase();
  const refused = new Map<string, number>();
  for (const group of refusals.data ?? []) refused.set(group.limit, (refused.get(group.limit) ?? 0) + group.requests);
  const total = [...refused.values()].reduce((sum, n) => sum + n, 0);
  const fits = (row: LimitRow): boolean =>
    (kind === "all" || kind === row.kind || (kind === "near" && row.limit !== null && shareOf(row.used, row.limit) >= 80)) &&
    (words === "" || `${title(row)} ${row.name} ${row.group ?? ""} ${row.device_name ?? ""}`.toLowerCase().includes(words));
  const rows = (limits.data ?? []).filter(fits);
  return (
    <Page title={t.nav.limits} {...(name === undefined ? {} : { profile: name })} text={t.limits.text}>
      {total > 0 && (
        <Card withBorder padding="sm">
          <Group justify="space-between" gap="xs">
            <Text size="sm">{t.limits.refused(count(total))}</Text>
            <TextLink size="sm" to="/p/$profileId" params={{ profileId }}>
              {t.limits.toHome}
            </TextLink>
          </Group>
        </Card>
      )}
      <Group gap="sm" align="flex-end">
        <TextInput label={t.limits.find} type="search" w={{ base: "100%", xs: 220 }} value={find} onChange={(event) => setFind(event.currentTarget.value)} />
        <SegmentedControl
          aria-label={t.limits.show}
          className="wraps"
          value={kind}
          data={[
            { value: "all", label: t.limits.all },
            { value: "near", label: t.limits.near },
            ...kinds.filter((one) => one !== "soft_rate" && (one !== "pool" || limits.data?.some((row) => row.kind === one))).map((value) => ({ value, label: t.limits.kinds[value] })),
          ]}
          onChange={(value) => setKind(value as typeof kind)}
        />
      </Group>
      {limits.isPending && <Loading />}
      <ErrorNote error={limits.error} retry={() => void limits.refetch()} />
      {limits.data && rows.length === 0 && <Text c="dimmed">{t.limits.noneFound}</Text>}
      {kinds.map((one) => {
        const own = rows.filter((row) => row.kind === one);
        if (one === "soft_rate") return (kind === "all" || kind === "rate") && words === "" && limits.data && <Soft key={one} profileId={profileId} rows={limits.data.filter((row) => row.kind === one)} />;
        return own.length > 0 && <Kinds key={one} kind={one} rows={own} refused={refused} whole={words !== "" || kind !== "all"} />;
      })}
      {limits.data && (kind === "all" || kind === "rate") && words === "" && !limits.data.some((row) => row.kind === "rate") && (
        <Text size="sm" c="dimmed">
          {t.limits.noRates}
        </Text>
      )}
    </Page>
  );
}

/** A limit as people call it. */
function title(row: LimitRow): string {
  if (row.kind === "service" || row.kind === "pool") return nameOf(row.name);
  if (row.kind === "cap") return t.limits.caps[row.name] ?? row.name;
  if (row.kind === "soft_rate") return row.name === "rpm.data_input" ? t.limits.softInput : t.limits.softOutput;
  return row.name;
}

/** More rows than this of a kind are shown when asked for. */
const most = 16;

function Kinds({ kind, rows, refused, whole }: { kind: Kind; rows: LimitRow[]; refused: ReadonlyMap<string, number>; whole: boolean }) {
  const [all, setAll] = useState(false);
  // Of many rates those that matter now come first; the others keep their order.
  const ordered = kind === "rate" ? rows.toSorted((a, b) => (refused.get(b.name) ?? 0) - (refused.get(a.name) ?? 0) || b.used - a.used) : rows;
  const shown = all || whole ? ordered : ordered.slice(0, most);
  const resets = kind === "service" || kind === "pool" ? rows.find((row) => row.reset)?.reset : undefined;
  return (
    <Section title={t.limits.kinds[kind]} text={t.limits.means[kind]}>
      {kind === "rate" && rows[0]?.reset && <Minute />}
      {resets && <Resets at={resets} />}
      <Table verticalSpacing={6} horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.usage.limit}</Table.Th>
            <Table.Th ta="right">{t.limits.usedOf}</Table.Th>
            <Table.Th visibleFrom="sm" w={110}>
              {t.limits.window}
            </Table.Th>
            {/* Bars have no heading of their own. */}
            <Table.Td visibleFrom="md" w="22%" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody className="tabular">
          {shown.map((row) => (
            <Row key={`${row.scope} ${row.name} ${row.device ?? ""}`} row={row} refused={row.kind === "pool" ? 0 : (refused.get(row.name) ?? 0)} />
          ))}
        </Table.Tbody>
      </Table>
      {!whole && rows.length > most && (
        <Group>
          <Button variant="subtle" size="compact-sm" onClick={() => setAll(!all)}>
            {all ? t.statistics.fewer : t.billing.more(rows.length - most)}
          </Button>
        </Group>
      )}
    </Section>
  );
}

function Row({ row, refused }: { row: LimitRow; refused: number }) {
  const dates = useDates();
  const share = row.limit === null ? undefined : shareOf(row.used, row.limit);
  const means = row.kind === "service" ? t.limits.serviceMeans[row.name] : row.kind === "rate" ? row.group : undefined;
  const notes = [
    row.kind === "service" && row.policy && row.policy !== "block" ? t.limits.policies[row.policy] : undefined,
    row.runs_out && row.limit !== null && row.used < row.limit ? t.statistics.runsOut(dates.day(row.runs_out)) : undefined,
    row.overage ? t.statistics.over(amount(row.overage)) : undefined,
    row.free != null ? t.limits.free(amount(row.free)) : undefined,
    row.departed ? t.limits.departed(amount(row.departed)) : undefined,
  ].filter((note) => note !== undefined);
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500}>
        <Group gap={6}>
          {title(row)}
          {row.scope === "account" && row.kind !== "pool" && (
            <Badge size="xs" variant="light" color="gray" tt="none">
              {t.limits.scopes.account}
            </Badge>
          )}
          {refused > 0 && (
            <Badge size="xs" variant="light" color="red" tt="none">
              {t.limits.refusedHere(refused)}
            </Badge>
          )}
        </Group>
        {means && (
          <Text size="xs" c="dimmed" fw={400}>
            {means}
          </Text>
        )}
        {notes.length > 0 && (
          <Text size="xs" fw={400}>
            {notes.join(" ")}
          </Text>
        )}
      </Table.Th>
      <Table.Td ta="right">
        {amount(row.used)}
        <Text span size="sm" c="dimmed">
          {" "}
          / {row.limit === null ? t.usage.noLimit : amount(row.limit)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Text size="xs" c="dimmed">
          {row.window ? t.limits.windows[row.window] : t.limits.held}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        {share !== undefined && (
          <Progress.Root size="sm">
            <Progress.Section value={share} color={shareColor(share)} aria-label={`${title(row)}: ${t.usage.share(share)}`} />
          </Progress.Root>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** How long it takes to the end of a month's window. */
function Resets({ at }: { at: string }) {
  const dates = useDates();
  const hours = Math.max(0, Math.ceil((Date.parse(at) - Date.now()) / 3_600_000));
  return (
    <Text size="sm">
      {t.limits.resets(dates.day(at), hours >= 48 ? t.limits.inDays(Math.floor(hours / 24)) : t.limits.inHours(hours))}
    </Text>
  );
}

/** Counts down to the next minute of the clock. */
function Minute() {
  const [left, setLeft] = useState(() => 60 - Math.floor((Date.now() / 1000) % 60));
  useEffect(() => {
    const timer = setInterval(() => setLeft(60 - Math.floor((Date.now() / 1000) % 60)), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <Text size="sm" className="tabular">
      {t.limits.minute(left)}
    </Text>
  );
}

/** Limits that a profile sets for itself, and those of its devices. */
function Soft({ profileId, rows }: { profileId: string; rows: LimitRow[] }) {
  const own = rows.filter((row) => row.scope === "profile");
  const devices = rows.filter((row) => row.scope === "device");
  const limitOf = (name: string) => own.find((row) => row.name === name)?.limit ?? "";
  return (
    <Section title={t.limits.kinds.soft_rate} text={t.limits.means.soft_rate}>
      <Allowed profileId={profileId} least="admin">
        <SoftForm key={`${limitOf("rpm.data_input")} ${limitOf("rpm.data_output")}`} profileId={profileId} rows={own} />
      </Allowed>
      {devices.length > 0 && (
        <Table verticalSpacing={6} horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.limits.deviceLimits}</Table.Th>
              <Table.Th ta="right">{t.limits.usedOf}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody className="tabular">
            {devices.map((row) => (
              <Table.Tr key={`${row.device} ${row.name}`}>
                <Table.Td>
                  <TextLink size="sm" to="/p/$profileId/devices/$deviceId" params={{ profileId, deviceId: row.device ?? "" }}>
                    {row.device_name || row.device}
                  </TextLink>
                  <Text size="xs" c="dimmed">
                    {title(row)}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">
                  {amount(row.used)} / {amount(row.limit ?? 0)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  );
}

function SoftForm({ profileId, rows }: { profileId: string; rows: LimitRow[] }) {
  const save = useSoftLimits(profileId);
  const row = (name: string) => rows.find((one) => one.name === name);
  const [input, setInput] = useState<number | string>(row("rpm.data_input")?.limit ?? "");
  const [output, setOutput] = useState<number | string>(row("rpm.data_output")?.limit ?? "");
  const about = (field: string) => (save.error instanceof ApiError ? (save.error.about(`rpm.${field}`) ?? save.error.about(field)) : undefined);
  const now = (name: string) => t.limits.softNow(amount(row(name)?.used ?? 0));
  const same = (name: string, value: number | string) => (row(name)?.limit ?? "") === value;
  const value = (text: number | string): number | null => (text === "" ? null : Number(text));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate({ data_input: value(input), data_output: value(output) });
      }}
    >
      <Stack gap="sm">
        <Group gap="sm" align="flex-start">
          <NumberInput
            label={t.limits.softInput}
            description={row("rpm.data_input") ? now("rpm.data_input") : t.limits.softNone}
            min={1}
            allowDecimal={false}
            allowNegative={false}
            thousandSeparator
            w={250}
            value={input}
            onChange={setInput}
            error={about("data_input")}
          />
          <NumberInput
            label={t.limits.softOutput}
            description={row("rpm.data_output") ? now("rpm.data_output") : t.limits.softNone}
            min={1}
            allowDecimal={false}
            allowNegative={false}
            thousandSeparator
            w={250}
            value={output}
            onChange={setOutput}
            error={about("data_output")}
          />
        </Group>
        <ErrorNote error={save.error} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={same("rpm.data_input", input) && same("rpm.data_output", output)}>
            {t.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
