import { Alert, Badge, Button, Checkbox, Group, Modal, NumberInput, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { ApiError } from "../../api/client";
import type { Issued, Statement, StatementMonth } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, useDates, useZone } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { BillingPage } from "./BillingPage";
import { centsText } from "./money";
import { archiveFile, cardsQuery, statementFile, statementsPage, statementsQuery, useCorrect, useIssue } from "./queries";
import { isMonth, monthBefore, monthText, thisMonth } from "./range";

const route = getRouteApi("/_in/cost/statements");

/** What the customers behind profiles are billed, month by month. */
export function StatementsPage() {
  return (
    <BillingPage title={t.billing.statements} text={t.billing.statementsText}>
      <Chosen />
    </BillingPage>
  );
}

function Chosen() {
  const zone = useZone();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const cards = useQuery(cardsQuery);
  const month = search.month ?? monthBefore(thisMonth(zone), 1);
  const only = search.profiles?.split(",") ?? [];
  if (cards.isPending) return <Loading />;
  if (!cards.data) return <ErrorNote error={cards.error} retry={() => void cards.refetch()} />;
  return (
    <>
      <TextInput
        type="month"
        label={t.billing.month}
        w={200}
        max={thisMonth(zone)}
        value={month}
        onChange={(event) => {
          const value = event.currentTarget.value;
          if (isMonth(value)) void navigate({ search: (old) => ({ ...old, month: value }), replace: true });
        }}
      />
      {cards.data.length === 0 && (
        <Empty title={t.billing.noCards} text={t.billing.noCardsText}>
          <ButtonLink to="/cost/cards/$cardId" params={{ cardId: "new" }}>
            {t.billing.cardAdd}
          </ButtonLink>
        </Empty>
      )}
      {only.length > 0 && (
        <Group gap="xs">
          <Text size="sm">{t.money.onlyChosen(only.length)}</Text>
          <ButtonLink to="/cost/statements" search={{ month: search.month }} size="compact-sm" variant="default">
            {t.switcher.all}
          </ButtonLink>
        </Group>
      )}
      <Month key={`${month} ${search.profiles ?? ""}`} month={month} only={only} bare={cards.data.length === 0} />
    </>
  );
}

function Month({ month, only, bare }: { month: string; only: string[]; bare: boolean }) {
  const dates = useDates();
  const [page, setPage] = useState(1);
  const [issuing, setIssuing] = useState<string>();
  const all = useIssue();
  const statements = useQuery(statementsQuery(month, page, only));
  if (statements.isPending) return <Loading />;
  if (!statements.data) return <ErrorNote error={statements.error} retry={() => void statements.refetch()} />;
  const { count, profiles, issue_from: from, totals_cents: totals } = statements.data;
  const due = Date.parse(from) <= Date.now();
  const drafts = profiles.some((row) => row.status === "draft");
  const issued = profiles.some((row) => row.status === "issued");
  if (bare && !issued) return null;
  if (count === 0) return <Empty title={t.billing.noProfiles} text={t.billing.noProfilesText} />;
  return (
    <Section title={monthText(month)} text={due ? undefined : t.billing.issueFrom(dates.minute(from))}>
      {due && drafts && (
        <Group justify="space-between" wrap="wrap">
          <Text size="sm" c="dimmed" maw={520} flex="1 1 280px">
            {t.billing.issueText([])}
          </Text>
          <Button loading={all.isPending} onClick={() => all.mutate({ month, profiles: only })}>
            {only.length > 0 ? t.money.issueThese : t.money.issueAll}
          </Button>
        </Group>
      )}
      <ErrorNote error={all.error} />
      {all.data && <Done issued={all.data} />}
      {issued && (
        <Group>
          <Button component="a" variant={drafts ? "default" : "filled"} href={archiveFile(month, only)} download>
            {only.length > 0 ? t.backup.download : t.money.download}
          </Button>
        </Group>
      )}
      <Rows profiles={profiles} due={due} issue={setIssuing} />
      {Object.entries(totals).map(([currency, cents]) => (
        <Text key={currency} size="sm" fw={600} ta="right">
          {page === 1 && count <= profiles.length ? t.billing.total : t.billing.totalOfPage} {centsText(cents, currency)}
        </Text>
      ))}
      <Group>
        {count > statementsPage && (
          <>
            <Button variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
              {t.devices.previous}
            </Button>
            <Text size="sm">{t.devices.page(page)}</Text>
            <Button variant="default" disabled={page * statementsPage >= count} onClick={() => setPage(page + 1)}>
              {t.devices.next}
            </Button>
          </>
        )}
      </Group>
      <Modal opened={issuing !== undefined} onClose={() => setIssuing(undefined)} title={t.billing.issueTitle(monthText(month))} centered>
        {issuing && (
          <IssueForm
            month={month}
            profile={issuing}
            name={profiles.find((row) => row.profile === issuing)?.name ?? ""}
            close={() => setIssuing(undefined)}
          />
        )}
      </Modal>
    </Section>
  );
}

/** What an issue came to, also for those that no statement could be made of. */
function Done({ issued }: { issued: Issued }) {
  return (
    <Stack gap={4} role="status">
      <Text size="sm">{t.billing.issuedNow(issued.issued)}</Text>
      {issued.skipped.map((row) => (
        <Text key={row.profile} size="sm" c="dimmed">
          {row.name}: {row.reason}
        </Text>
      ))}
    </Stack>
  );
}

function IssueForm({ month, profile, name, close }: { month: string; profile: string; name: string; close: () => void }) {
  const issue = useIssue();
  return (
    <Stack gap="md">
      <Text size="sm">{t.billing.issueText([name])}</Text>
      <ErrorNote error={issue.error} />
      {issue.data && <Done issued={issue.data} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {issue.data ? t.close : t.cancel}
        </Button>
        {!issue.data && (
          <Button loading={issue.isPending} onClick={() => issue.mutate({ month, profiles: [profile] })}>
            {t.billing.issueConfirm}
          </Button>
        )}
      </Group>
    </Stack>
  );
}

const colors = { issued: "green", draft: "gray", none: "yellow" } as const;

function Rows({ profiles, due, issue }: { profiles: StatementMonth["profiles"]; due: boolean; issue: (profile: string) => void }) {
  const [open, setOpen] = useState<string>();
  const [correcting, setCorrecting] = useState<Statement>();
  return (
    <>
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.groups.profile}</Table.Th>
            <Table.Th ta="right">{t.billing.total}</Table.Th>
            <Table.Td visibleFrom="sm" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {profiles.map(({ profile, name, status, reason, statement }) => {
            const id = statement?.id;
            const actions = (
              <Group gap={6} justify="flex-end">
                {statement && (
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-expanded={open === profile}
                    aria-label={t.billing.previewOf(name)}
                    onClick={() => setOpen(open === profile ? undefined : profile)}
                  >
                    {t.billing.preview}
                  </Button>
                )}
                {statement && !id && due && (
                  <Button size="compact-sm" aria-label={t.billing.issueOf(name)} onClick={() => issue(profile)}>
                    {t.billing.issue}
                  </Button>
                )}
                {id && (
                  <>
                    <Button component="a" size="compact-sm" variant="default" href={statementFile(id, "html")} target="_blank" rel="noreferrer">
                      {t.billing.page}
                    </Button>
                    <Button component="a" size="compact-sm" variant="default" href={statementFile(id, "csv")} download>
                      {t.billing.csvShort}
                    </Button>
                    <Button size="compact-sm" variant="default" aria-label={t.billing.correctOf(name)} onClick={() => setCorrecting(statement)}>
                      {t.billing.correct}
                    </Button>
                  </>
                )}
              </Group>
            );
            return (
              <Fragment key={profile}>
                <Table.Tr>
                  <Table.Td>
                    <Group gap="xs">
                      <Text size="sm" fw={500}>
                        {name}
                      </Text>
                      <Badge color={colors[status]} variant="light" tt="none">
                        {statement?.number ? t.billing.number(statement.number) : t.billing.states[status]}
                      </Badge>
                    </Group>
                    {reason && (
                      <Text size="xs" c="dimmed">
                        {reason}
                      </Text>
                    )}
                    <Group hiddenFrom="sm" mt={6}>
                      {actions}
                    </Group>
                  </Table.Td>
                  <Table.Td ta="right" className="nowrap">
                    {statement ? centsText(statement.total_cents, statement.currency) : t.none}
                  </Table.Td>
                  <Table.Td visibleFrom="sm">{actions}</Table.Td>
                </Table.Tr>
                {open === profile && statement && (
                  <Table.Tr>
                    <Table.Td colSpan={3}>
                      <Preview statement={statement} />
                    </Table.Td>
                  </Table.Tr>
                )}
              </Fragment>
            );
          })}
        </Table.Tbody>
      </Table>
      <Modal
        opened={correcting !== undefined}
        onClose={() => setCorrecting(undefined)}
        title={t.billing.correctTitle(correcting?.number ?? 0)}
        centered
      >
        {correcting && <CorrectForm statement={correcting} close={() => setCorrecting(undefined)} />}
      </Modal>
    </>
  );
}

function Preview({ statement }: { statement: Statement }) {
  const { currency } = statement;
  return (
    <Table verticalSpacing={4} horizontalSpacing={8} fz="sm" withRowBorders={false}>
      <Table.Tbody>
        {statement.lines.length === 0 && (
          <Table.Tr>
            <Table.Td colSpan={3}>{t.billing.noLines}</Table.Td>
          </Table.Tr>
        )}
        {statement.lines.map((line) => (
          <Table.Tr key={`${line.kind} ${line.item}`}>
            <Table.Td>{line.text}</Table.Td>
            <Table.Td ta="right" c="dimmed">
              {line.quantity !== null && `${amount(line.quantity)} ${line.unit}`}
            </Table.Td>
            <Table.Td ta="right">{centsText(line.cents, currency)}</Table.Td>
          </Table.Tr>
        ))}
        {statement.tax_cents !== 0 && (
          <>
            <Table.Tr>
              <Table.Td colSpan={2}>{t.billing.subtotal}</Table.Td>
              <Table.Td ta="right">{centsText(statement.subtotal_cents, currency)}</Table.Td>
            </Table.Tr>
            <Table.Tr>
              <Table.Td colSpan={2}>{statement.tax_text || t.billing.tax}</Table.Td>
              <Table.Td ta="right">{centsText(statement.tax_cents, currency)}</Table.Td>
            </Table.Tr>
          </>
        )}
        <Table.Tr>
          <Table.Th colSpan={2} scope="row">
            {t.billing.total}
          </Table.Th>
          <Table.Td ta="right" fw={700}>
            {centsText(statement.total_cents, currency)}
          </Table.Td>
        </Table.Tr>
      </Table.Tbody>
    </Table>
  );
}

function CorrectForm({ statement, close }: { statement: Statement; close: () => void }) {
  const [text, setText] = useState("");
  const [sum, setSum] = useState<number | string>("");
  const [own, setOwn] = useState(false);
  const [key] = useState(() => crypto.getRandomValues(new Uint32Array(4)).join("-")); // pressed twice, it is one correction
  const correct = useCorrect();
  const about = (field: string) => (correct.error instanceof ApiError ? correct.error.about(field) : undefined);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        correct.mutate({ id: statement.id ?? "", text: text.trim(), cents: Math.round(Number(sum) * 100), own, key }, { onSuccess: close });
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{t.billing.correctText}</Text>
        <TextInput
          label={t.billing.correctFor}
          required
          maxLength={200}
          data-autofocus
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={about("text")}
        />
        <NumberInput
          label={t.billing.correctSum(statement.currency)}
          description={t.billing.correctSumHint}
          required
          decimalScale={2}
          hideControls
          value={sum}
          onChange={setSum}
          error={about("cents")}
        />
        <Checkbox label={t.billing.correctOwn} checked={own} onChange={(event) => setOwn(event.currentTarget.checked)} />
        <Alert color="gray" variant="light">
          {own ? t.billing.correctNow : t.billing.correctNext}
        </Alert>
        <ErrorNote error={correct.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={correct.isPending} disabled={text.trim() === "" || !Number(sum)}>
            {t.billing.correctButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
