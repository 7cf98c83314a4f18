import { Button, Group, Pagination, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import type { Cost, CostLine } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { TextLink } from "../../ui/links";
import { Money } from "./money";
import { type CostQuestion, costQuery } from "./queries";
import type { CostSearch } from "./search";
import { type Group as SumGroup, type Grouping, labelOf } from "./sums";

/** Groups on a page, and lines of an open group that are shown at first. */
const onPage = 25;
const atOnce = 50;

interface Props {
  cost: Cost;
  /** How the cost was asked for. */
  question: CostQuestion;
  search: CostSearch;
  by: Grouping;
  groups: SumGroup[];
  /** Opens the dialog that gives what is left; without it there is nothing to give. */
  give?: (() => void) | undefined;
}

/** The groups of a sum, a page of them at a time, with the sum so far; each opens to its lines. */
export function SumTable({ cost, question, search, by, groups, give }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [page, setPage] = useState(1);
  const [wanted, setWanted] = useState("");
  const turn = (key: string): void => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const word = wanted.trim().toLowerCase();
  const found = word ? groups.filter(({ name }) => name.toLowerCase().includes(word)) : groups;
  const pages = Math.ceil(found.length / onPage);
  const at = Math.min(page, Math.max(pages, 1));
  const shown = found.slice((at - 1) * onPage, at * onPage);
  let sofar = found.slice(0, (at - 1) * onPage).reduce((all, { micro }) => all + micro, 0);
  return (
    <>
      {groups.length > onPage && (
        <TextInput
          aria-label={t.money.search}
          placeholder={t.money.search}
          maw={280}
          value={wanted}
          onChange={(event) => {
            setWanted(event.currentTarget.value);
            setPage(1);
          }}
        />
      )}
      <Table verticalSpacing={8} horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.what}</Table.Th>
            <Table.Th ta="right">{t.billing.amount}</Table.Th>
            {!word && (
              <Table.Th ta="right" visibleFrom="sm">
                {t.billing.sofar}
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {at > 1 && !word && (
            <Table.Tr c="dimmed">
              <Table.Td>{t.money.before}</Table.Td>
              <Table.Td ta="right">
                <Money micro={sofar} currency={cost.currency} />
              </Table.Td>
              <Table.Td ta="right" visibleFrom="sm">
                <Money micro={sofar} currency={cost.currency} />
              </Table.Td>
            </Table.Tr>
          )}
          {shown.length === 0 && (
            <Table.Tr>
              <Table.Td colSpan={2} c="dimmed">
                {t.money.noMatch}
              </Table.Td>
            </Table.Tr>
          )}
          {shown.map((group) => {
            const isOpen = open.has(group.key);
            sofar += group.micro;
            return (
              <Fragment key={group.key}>
                <Table.Tr>
                  <Table.Th scope="row" fw={500}>
                    <Group gap="xs" justify="space-between">
                      <div>
                      <UnstyledButton fz="sm" fw={500} aria-expanded={isOpen} onClick={() => turn(group.key)}>
                        <span aria-hidden="true" style={{ display: "inline-block", width: "1.2em" }}>
                          {isOpen ? "▾" : "▸"}
                        </span>
                        {group.name}
                      </UnstyledButton>
                      {group.key === ":unallocated" && (
                        <Text size="xs" c="dimmed" pl="1.2em" fw={400}>
                          {cost.basis === "use" ? t.money.nobodyUsed : t.money.nobodyHas}
                        </Text>
                      )}
                      </div>
                      {group.key === ":unallocated" && give && (
                        <Button size="compact-sm" variant="light" ml="1.2em" onClick={give}>
                          {t.money.give}
                        </Button>
                      )}
                    </Group>
                  </Table.Th>
                  <Table.Td ta="right">
                    <Money micro={group.micro} currency={cost.currency} />
                  </Table.Td>
                  {!word && (
                    <Table.Td ta="right" c="dimmed" visibleFrom="sm">
                      <Money micro={sofar} currency={cost.currency} />
                    </Table.Td>
                  )}
                </Table.Tr>
                {isOpen && <Opened cost={cost} question={question} search={search} by={by} group={group} />}
              </Fragment>
            );
          })}
        </Table.Tbody>
        {!word && (
          <Table.Tfoot>
            <Table.Tr>
              <Table.Th scope="row" fz="sm">
                {t.billing.total}
              </Table.Th>
              <Table.Td ta="right" fw={700}>
                <Money micro={cost.total_micro} currency={cost.currency} />
              </Table.Td>
              <Table.Td visibleFrom="sm" />
            </Table.Tr>
          </Table.Tfoot>
        )}
      </Table>
      {pages > 1 && (
        <Group justify="space-between">
          <Text size="sm" c="dimmed">
            {t.money.rows((at - 1) * onPage + 1, Math.min(at * onPage, found.length), found.length)}
          </Text>
          <Pagination
            size="sm"
            total={pages}
            value={at}
            onChange={setPage}
            aria-label={t.money.pages}
            getItemProps={(n) => ({ "aria-label": String(n) })}
            getControlProps={(control) => ({ "aria-label": control === "previous" ? t.money.previous : t.money.next })}
          />
        </Group>
      )}
    </>
  );
}

interface OpenedProps {
  cost: Cost;
  question: CostQuestion;
  search: CostSearch;
  by: Grouping;
  group: SumGroup;
}

/** The lines of a group. Those that profiles share are asked for when it is opened: of a thousand profiles nobody opens all. */
function Opened({ cost, question, search, by, group }: OpenedProps) {
  const [all, setAll] = useState(false);
  const own = !group.key.startsWith(":");
  const ask = own || group.key === ":unallocated";
  const lines = useQuery({
    ...costQuery({
      ...question,
      basis: cost.basis,
      spread: cost.spread,
      group: "profile,service",
      ...(own && by === "service" ? { service: group.key } : { profile: own ? group.key : "none" }),
    }),
    enabled: ask,
    placeholderData: undefined,
  });
  if (ask && !lines.data)
    return (
      <Table.Tr>
        <Table.Td colSpan={3} pl="2.2em" c="dimmed">
          {lines.isError ? <ErrorNote error={lines.error} retry={() => void lines.refetch()} /> : t.loading}
        </Table.Td>
      </Table.Tr>
    );
  const mine = (ask ? (lines.data?.lines ?? []) : group.lines)
    .filter((line) => (own ? line.kind !== "addon" : `:${line.kind}` === group.key))
    .sort((a, b) => b.micro - a.micro);
  const shown = all ? mine : mine.slice(0, atOnce);
  return (
    <>
      {shown.map((line) => (
        <Table.Tr key={`${line.kind} ${line.profile ?? ""} ${line.service ?? ""} ${line.item ?? ""}`} className="inner">
          <Table.Td pl="2.2em">
            <TextLink size="sm" to="/cost/line" search={{ ...lineOf(line), ...part(cost, search) }}>
              {labelOf(line, own ? by : undefined)}
            </TextLink>
          </Table.Td>
          <Table.Td ta="right">
            <Money micro={line.micro} currency={cost.currency} />
          </Table.Td>
          <Table.Td visibleFrom="sm" />
        </Table.Tr>
      ))}
      {shown.length < mine.length && (
        <Table.Tr className="inner">
          <Table.Td colSpan={3} pl="2.2em">
            <Button variant="subtle" size="compact-sm" onClick={() => setAll(true)}>
              {t.money.moreLines(mine.length - shown.length)}
            </Button>
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

const lineOf = (line: CostLine) => ({
  kind: line.kind,
  ...(line.profile && line.kind !== "unallocated" ? { profile: line.profile } : {}),
  ...(line.service ? { service: line.service } : {}),
  ...(line.item ? { item: line.item } : {}),
});

const part = (cost: Cost, search: CostSearch) => ({
  ...(search.range ? { range: search.range } : {}),
  ...(cost.currencies.length > 1 ? { currency: cost.currency } : {}),
  basis: cost.basis,
});
