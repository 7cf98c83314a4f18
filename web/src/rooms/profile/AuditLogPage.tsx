import { Button, Card, Code, Group, NativeSelect, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { AuditEvent } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { When } from "../../ui/When";
import { type AuditFilter, auditLogFile, auditLogQuery, auditRanges, defaultRange } from "./auditlog";
import { useProfileName } from "./useProfileName";

const route = getRouteApi("/_in/p/$profileId/_about/auditlog");

/** Who did what in the profile. The filters stand in the address, so that back, reload and a link keep them. */
export function AuditLogPage() {
  const { profileId } = route.useParams();
  return <AuditLog key={profileId} profileId={profileId} />;
}

function AuditLog({ profileId }: { profileId: string }) {
  const filter: AuditFilter = route.useSearch();
  const navigate = route.useNavigate();
  const profileName = useProfileName(profileId);
  const log = useInfiniteQuery(auditLogQuery(profileId, filter));
  const change = (part: AuditFilter): void =>
    void navigate({ search: (old) => ({ ...old, ...part }), replace: true });

  const [typed, setTyped] = useState(filter.find ?? "");
  const [settled] = useDebouncedValue(typed.trim(), 250);
  useEffect(() => {
    if (settled !== (filter.find ?? "")) change({ find: settled || undefined });
    // Only a change of what was typed leads somewhere; a change of the address alone must not be undone.
    // eslint-disable-next-line react/exhaustive-deps
  }, [settled]);

  const events = log.data?.pages.flatMap((page) => page.events);
  const stopped = log.data?.pages.at(-1)?.status === "Timeout";
  return (
    <Page
      title={t.audit.title}
      profile={profileName}
      text={t.audit.text}
      actions={
        <Group gap="xs">
          {(["csv", "json"] as const).map((format) => (
            <Button key={format} component="a" variant="default" href={auditLogFile(profileId, filter, format)} download>
              {t.audit.download[format]}
            </Button>
          ))}
        </Group>
      }
    >
      <Group align="flex-end" gap="sm">
        <NativeSelect
          label={t.audit.range}
          value={filter.range ?? defaultRange}
          onChange={(event) => {
            const range = auditRanges.find((name) => name === event.currentTarget.value);
            change({ range: range === defaultRange ? undefined : range });
          }}
          data={auditRanges.map((value) => ({ value, label: t.audit.ranges[value] }))}
        />
        <NativeSelect
          label={t.audit.who}
          value={filter.who ?? ""}
          onChange={(event) => change({ who: event.currentTarget.value || undefined })}
          data={people(events ?? [], filter.who)}
        />
        <NativeSelect
          label={t.audit.resource}
          value={filter.resource ?? ""}
          onChange={(event) => change({ resource: event.currentTarget.value || undefined })}
          data={kinds(events ?? [], filter.resource)}
        />
        <TextInput
          type="search"
          label={t.audit.find}
          maxLength={200}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      </Group>
      <ErrorNote error={log.error} retry={() => void log.refetch()} />
      {log.isPending && <Loading />}
      {events?.length === 0 && !log.hasNextPage && <Empty title={t.audit.empty} text={t.audit.emptyText} />}
      {events && events.length > 0 && <Events events={events} />}
      {log.hasNextPage && (
        <Group justify="center">
          {stopped && <Text size="sm">{t.audit.stopped}</Text>}
          <Button variant="default" loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
            {t.audit.more}
          </Button>
        </Group>
      )}
    </Page>
  );
}

interface Choice {
  value: string;
  label: string;
}

/** Those one can choose without knowing anybody, and everybody who stands on the page. */
function people(events: AuditEvent[], chosen?: string): Choice[] {
  const out: Choice[] = [
    { value: "", label: t.audit.everybody },
    { value: "current", label: t.audit.you },
    { value: "system", label: t.audit.system },
    { value: "operator", label: t.audit.operator },
    { value: "look", label: t.audit.look },
  ];
  for (const event of events)
    if (!event.you && /^[0-9a-f]{24}$/.test(event.who) && !out.some((choice) => choice.value === event.who))
      out.push({ value: event.who, label: event.name });
  if (chosen && !out.some((choice) => choice.value === chosen)) out.push({ value: chosen, label: chosen });
  return out;
}

/** The kinds of things there are, and any other that stands on the page. */
function kinds(events: AuditEvent[], chosen?: string): Choice[] {
  const names = new Set(["device", "dashboard", "profile", "team", "token"]);
  for (const event of events) names.add(event.resourceName);
  if (chosen) names.add(chosen);
  return [{ value: "", label: t.audit.everything }, ...[...names].sort().map((value) => ({ value, label: t.audit.kinds[value] ?? value }))];
}

function Events({ events }: { events: AuditEvent[] }) {
  return (
    <Card withBorder padding={0}>
      <Table.ScrollContainer minWidth={290}>
        <Table verticalSpacing="xs" horizontalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.audit.time}</Table.Th>
              <Table.Th>{t.audit.who}</Table.Th>
              <Table.Th>{t.audit.what}</Table.Th>
              <Table.Th visibleFrom="md">{t.audit.from}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {events.map((event) => (
              <Table.Tr key={event.id} style={{ verticalAlign: "top" }}>
                <Table.Td>
                  <When at={event.date} />
                </Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>
                  {event.you ? t.audit.you : event.name}
                  {event.token && (
                    <Text size="xs" c="dimmed">
                      {t.audit.token(event.token)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>
                  {event.message}
                  <Text size="xs" c="dimmed">
                    {t.audit.kinds[event.resourceName] ?? event.resourceName} <span className="mono">{event.resourceID}</span>
                  </Text>
                  <Change before={event.before} after={event.after} />
                </Table.Td>
                <Table.Td className="mono" visibleFrom="md">
                  {event.addr ?? t.none}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

/** What changed: the members that are not the same before and after. */
function Change({ before, after }: { before: unknown; after: unknown }) {
  if (isNone(before) && isNone(after)) return null;
  const [was, is] = differing(before, after);
  return (
    <details>
      <summary>
        <Text span size="xs">
          {t.audit.change}
        </Text>
      </summary>
      <Stack gap={4}>
        {!isNone(was) && <Side title={t.audit.before} value={was} />}
        {!isNone(is) && <Side title={t.audit.after} value={is} />}
      </Stack>
    </details>
  );
}

function Side({ title, value }: { title: string; value: unknown }) {
  return (
    <div>
      <Text size="xs" fw={600}>
        {title}
      </Text>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {JSON.stringify(value, undefined, 2)}
      </Code>
    </div>
  );
}

const isNone = (value: unknown): value is null | undefined => value === null || value === undefined;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Both sides without the members that are the same on both. */
function differing(before: unknown, after: unknown): [unknown, unknown] {
  if (!isRecord(before) || !isRecord(after)) return [before, after];
  const same = (name: string): boolean => JSON.stringify(before[name]) === JSON.stringify(after[name]);
  const rest = (side: Record<string, unknown>) => Object.fromEntries(Object.entries(side).filter(([name]) => !same(name)));
  return [rest(before), rest(after)];
}
