import { Anchor, Badge, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { BillingPage } from "./BillingPage";
import { centsText } from "./money";
import { PastDue } from "./PastDue";
import { invoicePage, invoicesQuery } from "./queries";

/** What the account was billed for its subscription. */
export function InvoicesPage() {
  return (
    <BillingPage title={t.billing.invoices} text={t.billing.invoicesText}>
      <Invoices />
    </BillingPage>
  );
}

const colors = { open: "yellow", paid: "green", void: "gray", credit: "gray" } as const;

function Invoices() {
  const dates = useDates();
  const invoices = useQuery(invoicesQuery);
  if (invoices.isPending) return <Loading />;
  if (!invoices.data) return <ErrorNote error={invoices.error} retry={() => void invoices.refetch()} />;
  if (invoices.data.length === 0) return <Empty title={t.billing.noInvoices} />;
  return (
    <Section title={t.billing.invoices}>
      <PastDue />
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.invoiceNumber}</Table.Th>
            <Table.Th visibleFrom="xs">{t.billing.issuedOn}</Table.Th>
            <Table.Th ta="right">{t.billing.amount}</Table.Th>
            <Table.Th>{t.billing.state}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {invoices.data.map((invoice) => (
            <Table.Tr key={invoice.number}>
              <Table.Td>
                <Anchor size="sm" href={invoicePage(invoice.id ?? "")} target="_blank" rel="noreferrer" aria-label={t.billing.openInvoice(invoice.number)}>
                  {invoice.number}
                </Anchor>
              </Table.Td>
              <Table.Td visibleFrom="xs">{dates.day(invoice.issued_at)}</Table.Td>
              <Table.Td ta="right" className="nowrap">
                {centsText(invoice.total, invoice.currency)}
              </Table.Td>
              <Table.Td>
                <Badge color={invoice.overdue ? "red" : colors[invoice.status]} variant="light" tt="none">
                  {invoice.overdue ? t.billing.overdue : t.billing.invoiceStates[invoice.status]}
                </Badge>
                {invoice.status === "open" && invoice.due_at && (
                  <Text size="xs" c="dimmed">
                    {t.billing.dueOn(dates.day(invoice.due_at))}
                  </Text>
                )}
                {invoice.settled_at && (
                  <Text size="xs" c="dimmed">
                    {[t.billing.paidOn(dates.day(invoice.settled_at)), invoice.note].filter(Boolean).join(" · ")}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}
