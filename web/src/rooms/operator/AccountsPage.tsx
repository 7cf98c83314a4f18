import { Badge, Button, Card, Group, Select, Stack, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { count, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { sumsText } from "../billing/money";
import { Answered } from "./Frame";
import { type AccountRow, accountsPerPage, accountsQuery } from "./queries";

/** All accounts. The server sorts, filters and pages. */
export function AccountsPage() {
  const [text, setText] = useState("");
  const [plan, setPlan] = useState<string | null>(null);
  const [state, setState] = useState<string | null>(null);
  const [order, setOrder] = useState("name");
  const [down, setDown] = useState(false);
  const [page, setPage] = useState(1);
  const [find] = useDebouncedValue(text.trim(), 250);
  const list = useQuery(accountsQuery({ find: find || undefined, plan: plan ?? undefined, state: state ?? undefined, order, down, page }));
  const words = t.operator.accounts;
  const first = <Value,>(set: (value: Value) => void) => (value: Value) => {
    set(value);
    setPage(1);
  };
  const sort = (column: string) => {
    setDown(column === order ? !down : column !== "name" && column !== "email" && column !== "plan");
    setOrder(column);
    setPage(1);
  };
  const head = (column: string, label: string, from?: "xs" | "sm" | "md") => (
    <Table.Th visibleFrom={from} aria-sort={order === column ? (down ? "descending" : "ascending") : "none"}>
      <UnstyledButton fz="sm" fw={600} className="nowrap" aria-label={words.sortBy(label)} onClick={() => sort(column)}>
        {label}
        <span aria-hidden="true">{order === column ? (down ? " ↓" : " ↑") : ""}</span>
      </UnstyledButton>
    </Table.Th>
  );
  return (
    <Answered query={list}>
      {(data) => {
        const pages = Math.max(1, Math.ceil(data.total / accountsPerPage));
        return (
          <Page title={words.title} text={words.text}>
            <Group align="end">
              <TextInput
                label={words.search}
                placeholder={words.searchHint}
                type="search"
                w={280}
                maw="100%"
                maxLength={100}
                value={text}
                onChange={(event) => first(setText)(event.currentTarget.value)}
              />
              <Select label={words.plan} placeholder={words.any} clearable w={160} data={data.plans} value={plan} onChange={first(setPlan)} />
              <Select
                label={words.state}
                placeholder={words.any}
                clearable
                w={180}
                data={["blocked", "operator", "unconfirmed", ...(data.billing ? ["past_due"] : [])].map((value) => ({
                  value,
                  label: words.states[value] ?? value,
                }))}
                value={state}
                onChange={first(setState)}
              />
            </Group>
            {data.total === 0 ? (
              <Empty title={words.nobody} />
            ) : (
              <Stack gap="sm">
                <Card withBorder padding="xs">
                  <Table verticalSpacing="xs" horizontalSpacing="sm" highlightOnHover style={{ fontVariantNumeric: "tabular-nums" }}>
                    <Table.Thead>
                      <Table.Tr>
                        {head("name", words.name)}
                        {head("email", words.email, "md")}
                        {head("plan", words.plan, "sm")}
                        <Table.Th ta="right">{words.profiles}</Table.Th>
                        {head("last_login", words.login, "sm")}
                        {head("created_at", words.created, "md")}
                        {data.billing && (
                          <Table.Th ta="right" visibleFrom="xs">
                            {words.pastDue}
                          </Table.Th>
                        )}
                      </Table.Tr>
                    </Table.Thead>
                    <Table.Tbody>
                      {data.accounts.map((row) => (
                        <Row key={row.id} row={row} billing={data.billing} />
                      ))}
                    </Table.Tbody>
                  </Table>
                </Card>
                <Group justify="space-between">
                  <Text size="sm" c="dimmed" role="status">
                    {words.total(data.total)}
                    {pages > 1 && ` · ${words.page(page, pages)}`}
                  </Text>
                  {pages > 1 && (
                    <Group gap="xs">
                      <Button variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
                        {words.back}
                      </Button>
                      <Button variant="default" disabled={page >= pages} onClick={() => setPage(page + 1)}>
                        {words.next}
                      </Button>
                    </Group>
                  )}
                </Group>
              </Stack>
            )}
          </Page>
        );
      }}
    </Answered>
  );
}

/** What was not paid in time, by currency; "" for nothing. */
export const pastDueText = (due: AccountRow["past_due"]): string => sumsText(due.map(({ cents, currency }) => ({ amount: cents, currency })));

/** What is special about an account. */
export function Marks({ row }: { row: Pick<AccountRow, "blocked" | "operator" | "active"> }) {
  const words = t.operator.accounts;
  return (
    <>
      {row.blocked && (
        <Badge variant="light" tt="none" color="red">
          {words.blocked}
        </Badge>
      )}
      {row.operator && (
        <Badge variant="light" tt="none">
          {words.operator}
        </Badge>
      )}
      {!row.active && (
        <Badge variant="light" tt="none" color="yellow">
          {words.unconfirmed}
        </Badge>
      )}
    </>
  );
}

function Row({ row, billing }: { row: AccountRow; billing: boolean }) {
  const dates = useDates();
  const words = t.operator.accounts;
  return (
    <Table.Tr pos="relative">
      <Table.Td maw={320}>
        <Group gap={6}>
          <TextLink
            to="/operator/accounts/$accountId"
            params={{ accountId: row.id }}
            className="covering"
            fw={600}
            size="sm"
            c="inherit"
            miw={0}
            style={{ overflowWrap: "anywhere" }}
          >
            {row.name}
          </TextLink>
          <Marks row={row} />
        </Group>
        <Text size="xs" c="dimmed" hiddenFrom="md" style={{ overflowWrap: "anywhere" }}>
          {row.email}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md" style={{ overflowWrap: "anywhere" }}>
        {row.email}
      </Table.Td>
      <Table.Td visibleFrom="sm">{row.plan}</Table.Td>
      <Table.Td ta="right">{count(row.profiles)}</Table.Td>
      <Table.Td visibleFrom="sm" className="nowrap">
        {row.last_login ? dates.day(row.last_login) : words.never}
      </Table.Td>
      <Table.Td visibleFrom="md" className="nowrap">
        {dates.day(row.created_at)}
      </Table.Td>
      {billing && (
        <Table.Td ta="right" visibleFrom="xs" className="nowrap" c={row.past_due.length > 0 ? "red" : undefined}>
          {pastDueText(row.past_due) || t.none}
        </Table.Td>
      )}
    </Table.Tr>
  );
}
