import { Badge, Button, Card, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Ticket } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { ticketsPerPage, ticketsQuery } from "./queries";

const states = ["open", "answered", "closed"] as const;
const kinds = ["question", "transfer"] as const;

/** Tickets with their filters: one's own, or those of all accounts. */
export function TicketList({ all }: { all: boolean }) {
  const [state, setState] = useState<string | null>(null);
  const [kind, setKind] = useState<string | null>(null);
  const [text, setText] = useState("");
  const [page, setPage] = useState(1);
  const [find] = useDebouncedValue(text.trim(), 250);
  const list = useQuery(ticketsQuery({ all, state: state ?? undefined, kind: kind ?? undefined, find: find || undefined, page }));
  const filtered = state !== null || kind !== null || find !== "";
  const first = <Value,>(set: (value: Value) => void) => (value: Value) => {
    set(value);
    setPage(1);
  };
  return (
    <Stack gap="md">
      <Group align="end">
        <TextInput
          label={t.support.search}
          placeholder={t.support.searchHint}
          type="search"
          w={280}
          maw="100%"
          value={text}
          maxLength={100}
          onChange={(event) => first(setText)(event.currentTarget.value)}
        />
        <Select
          label={t.support.state}
          placeholder={t.support.any}
          clearable
          data={states.map((value) => ({ value, label: t.support.states[value] ?? value }))}
          value={state}
          onChange={first(setState)}
        />
        <Select
          label={t.support.kind}
          placeholder={t.support.any}
          clearable
          data={kinds.map((value) => ({ value, label: t.support.kinds[value] ?? value }))}
          value={kind}
          onChange={first(setKind)}
        />
      </Group>
      {list.isPending ? (
        <Loading />
      ) : !list.data ? (
        <ErrorNote error={list.error} retry={() => void list.refetch()} />
      ) : list.data.length === 0 ? (
        <Empty
          title={filtered || page > 1 ? t.support.nothingFound : all ? t.support.emptyDesk : t.support.empty}
          text={filtered || all || page > 1 ? undefined : t.support.emptyText}
        />
      ) : (
        <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }} aria-label={t.support.tickets}>
          {list.data.map((ticket) => (
            <li key={ticket.id}>
              <One ticket={ticket} all={all} />
            </li>
          ))}
        </Stack>
      )}
      {(page > 1 || list.data?.length === ticketsPerPage) && (
        <Group>
          <Button variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
            {t.support.newer}
          </Button>
          <Button variant="default" disabled={(list.data?.length ?? 0) < ticketsPerPage} onClick={() => setPage(page + 1)}>
            {t.support.older}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

/** How far a ticket has come. */
export function StateBadge({ ticket }: { ticket: Ticket }) {
  return (
    <Badge variant="light" tt="none" miw="max-content" color={ticket.state === "open" ? "paddock" : "gray"}>
      {t.support.states[ticket.state] ?? ticket.state}
    </Badge>
  );
}

function One({ ticket, all }: { ticket: Ticket; all: boolean }) {
  const time = useTime();
  return (
    <Card withBorder padding="md" pos="relative">
      <Stack gap={4}>
        <Group gap="xs" justify="space-between" align="flex-start">
          <TextLink
            to="/support/$ticketId"
            params={{ ticketId: ticket.id }}
            className="covering"
            fw={600}
            c="inherit"
            miw={0}
            flex="1 1 200px"
            style={{ overflowWrap: "anywhere" }}
          >
            {t.support.number(ticket.number)} {ticket.subject}
          </TextLink>
          <StateBadge ticket={ticket} />
        </Group>
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {t.support.kinds[ticket.kind] ?? ticket.kind}
          {all && ` · ${t.support.from(ticket.opener.name, ticket.opener.email ?? "")}`}
          {ticket.profile?.name && ` · ${ticket.profile.name}`}
          {` · ${t.support.updated(time(ticket.updated_at))}`}
        </Text>
      </Stack>
    </Card>
  );
}
