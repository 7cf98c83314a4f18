import { Group, Pagination, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Cost, StatementMonth } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { numberText } from "../../ui/formats";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { centsText, microText } from "./money";
import { cardsQuery, statementsPage, statementsQuery } from "./queries";
import { monthText } from "./range";

const microPerCent = 10_000;

/** What the customer behind each profile pays for a month, by rate card, beside what the profile costs. */
export function Margins({ month, cost }: { month: string; cost: Cost }) {
  const [page, setPage] = useState(1);
  const cards = useQuery(cardsQuery);
  const statements = useQuery(statementsQuery(month, page));
  const error = cards.error ?? statements.error;
  if (error) return <ErrorNote error={error} />;
  if (!cards.data || !statements.data) return <Loading />;
  if (cards.data.length === 0)
    return (
      <Empty title={t.billing.noCards} text={t.billing.noCardsText}>
        <ButtonLink to="/cost/cards/$cardId" params={{ cardId: "new" }}>
          {t.billing.cardAdd}
        </ButtonLink>
      </Empty>
    );
  const pages = Math.ceil(statements.data.count / statementsPage);
  return (
    <Section title={t.money.pricesTitle} text={t.money.pricesText(monthText(month))}>
      <Rows cost={cost} month={statements.data} whole={pages <= 1} />
      <Group justify="space-between">
        <TextLink size="sm" to="/cost/statements" search={{ month }}>
          {t.money.toStatements}
        </TextLink>
        {pages > 1 && <Pagination size="sm" total={pages} value={page} onChange={setPage} aria-label={t.money.pages} />}
      </Group>
    </Section>
  );
}

function Rows({ cost, month, whole }: { cost: Cost; month: StatementMonth; whole: boolean }) {
  const costs = new Map<string, number>();
  let nobodys = 0;
  for (const line of cost.lines) {
    if (line.profile) costs.set(line.profile, (costs.get(line.profile) ?? 0) + line.micro);
    else nobodys += line.micro;
  }
  const rows = month.profiles.map(({ profile, name, reason, statement }) => {
    const micro = costs.get(profile) ?? 0;
    const same = statement?.currency === cost.currency;
    return { profile, name, reason, micro, statement, price: same ? statement.subtotal_cents : undefined };
  });
  const compared = rows.filter((row) => row.price !== undefined);
  const sum = (of: (row: (typeof rows)[number]) => number) => compared.reduce((all, row) => all + of(row), 0);
  const [micro, price] = [sum((row) => row.micro), sum((row) => row.price ?? 0)];
  return (
    <>
      <Table verticalSpacing={8} horizontalSpacing={8} className="tabular">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.groups.profile}</Table.Th>
            <Table.Th ta="right">{t.money.cost}</Table.Th>
            <Table.Th ta="right">{t.money.price}</Table.Th>
            <Table.Th ta="right">{t.money.margin}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.profile}>
              <Table.Td>
                {row.name}
                {row.reason && (
                  <Text size="xs" c="dimmed" visibleFrom="sm">
                    {row.reason}
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right" className="nowrap">
                {microText(row.micro, cost.currency)}
              </Table.Td>
              <Table.Td ta="right">
                {row.statement ? (
                  <span className="nowrap">{centsText(row.statement.subtotal_cents, row.statement.currency)}</span>
                ) : (
                  <Text size="sm" c="dimmed">
                    {t.money.noStatement}
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right">
                {row.price !== undefined && <Margin micro={row.micro} cents={row.price} currency={cost.currency} />}
                {row.price === undefined && row.statement && (
                  <Text size="sm" c="dimmed">
                    {t.money.otherCurrency}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        {compared.length > 0 && (
          <Table.Tfoot>
            <Table.Tr fw={700}>
              <Table.Th scope="row" fz="sm">
                {whole ? t.money.pricesTotal : t.money.pricesTotalPage}
              </Table.Th>
              <Table.Td ta="right" className="nowrap">
                {microText(micro, cost.currency)}
              </Table.Td>
              <Table.Td ta="right" className="nowrap">
                {centsText(price, cost.currency)}
              </Table.Td>
              <Table.Td ta="right">
                <Margin micro={micro} cents={price} currency={cost.currency} />
              </Table.Td>
            </Table.Tr>
          </Table.Tfoot>
        )}
      </Table>
      {nobodys > 0 && (
        <Text size="sm" c="dimmed">
          {t.money.rest(microText(nobodys, cost.currency))}
        </Text>
      )}
    </>
  );
}

/** What is left of a price when the cost is paid, and the part of the price that is. */
function Margin({ micro, cents, currency }: { micro: number; cents: number; currency: string }) {
  const left = cents - micro / microPerCent;
  const percent = cents > 0 ? left / cents : undefined;
  return (
    <>
      <Text span size="sm" inherit className="nowrap" c={left < 0 ? "red" : undefined}>
        {centsText(Math.round(left), currency)}
      </Text>
      {percent !== undefined && percent > -1 && (
        <Text span size="xs" c="dimmed" ml={6} className="nowrap">
          {numberText(percent, { style: "percent", maximumFractionDigits: 0 })}
        </Text>
      )}
    </>
  );
}
