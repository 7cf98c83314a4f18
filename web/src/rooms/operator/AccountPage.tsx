import { Alert, Badge, Button, Checkbox, Group, Modal, NumberInput, Select, SimpleGrid, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, unlimited, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { centsText } from "../billing/money";
import { Marks, pastDueText } from "./AccountsPage";
import { Answered, Facts } from "./Frame";
import {
  type Account,
  accountQuery,
  type Billed,
  billedQuery,
  block,
  changePlan,
  endLimit,
  type Limit,
  markPaid,
  type Override,
  sendReset,
  setLimit,
  unlock,
  useOperate,
} from "./queries";

const route = getRouteApi("/_in/operator/accounts/$accountId");

/** One account: who it is, what it may have, and what an operator does about it. */
export function AccountPage() {
  const { accountId } = route.useParams();
  const account = useQuery(accountQuery(accountId));
  const billed = useQuery(billedQuery(accountId));
  return (
    <Answered query={account}>
      {(data) => (
        <Page title={data.name} text={data.email} actions={<TextLink to="/operator/accounts">{t.operator.account.back}</TextLink>}>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md" style={{ alignItems: "start" }}>
            <Who account={data} />
            <Plan account={data} />
          </SimpleGrid>
          {billed.data ? (
            <>
              <Limits account={data} overrides={billed.data.overrides} />
              <Profiles account={data} />
              <Invoices invoices={billed.data.invoices} />
            </>
          ) : (
            <>
              <ErrorNote error={billed.error} retry={() => void billed.refetch()} />
              <Profiles account={data} />
            </>
          )}
        </Page>
      )}
    </Answered>
  );
}

/** Asks before something is done, for a reason where one is wanted. */
function Confirm(props: {
  title: string;
  text: string;
  action: string;
  red?: boolean;
  /** Who reads the reason; none is asked for when left out. */
  reason?: string;
  pending: boolean;
  error: unknown;
  close: () => void;
  act: (reason: string) => void;
  children?: ReactNode;
}) {
  const [reason, setReason] = useState("");
  return (
    <Modal opened onClose={props.close} title={props.title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          props.act(reason);
        }}
      >
        <Stack gap="md">
          <Text size="sm">{props.text}</Text>
          {props.children}
          {props.reason !== undefined && (
            <TextInput
              label={t.operator.account.reason}
              description={props.reason}
              required
              data-autofocus
              maxLength={300}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
              error={props.error instanceof ApiError ? props.error.about("reason") : undefined}
            />
          )}
          <ErrorNote error={props.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={props.close}>
              {t.cancel}
            </Button>
            <Button type="submit" color={props.red ? "red" : undefined} loading={props.pending} disabled={props.reason !== undefined && reason.trim() === ""}>
              {props.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Who({ account }: { account: Account }) {
  const dates = useDates();
  const words = t.operator.account;
  const [asking, setAsking] = useState<"block" | "reset">();
  const blocking = useOperate(block);
  const unlocking = useOperate(unlock);
  const resetting = useOperate(sendReset);
  const close = () => setAsking(undefined);
  return (
    <Section title={words.facts}>
      {(account.blocked || account.operator || !account.active) && (
        <Group gap={6}>
          <Marks row={account} />
        </Group>
      )}
      {account.locked_until && (
        <Alert color="yellow">
          <Group justify="space-between" gap="xs">
            <Text size="sm">{words.lockedUntil(dates.minute(account.locked_until))}</Text>
            <Button size="compact-sm" variant="default" loading={unlocking.isPending} onClick={() => unlocking.mutate(account.id)}>
              {words.unlock}
            </Button>
          </Group>
        </Alert>
      )}
      <Facts
        rows={[
          [words.id, <span key="id" className="mono">{account.id}</span>],
          ...(account.company ? ([[words.company, account.company]] as [string, ReactNode][]) : []),
          ...(account.phone ? ([[words.phone, account.phone]] as [string, ReactNode][]) : []),
          [words.zone, account.timezone],
          [t.operator.accounts.created, dates.day(account.created_at)],
          [t.operator.accounts.login, account.last_login ? dates.minute(account.last_login) : t.operator.accounts.never],
          [words.sessions, words.browsers(account.sessions)],
          [t.operator.accounts.factor, account.second_factor ? "✓" : t.none],
          ...(account.past_due.length > 0
            ? ([[t.operator.accounts.pastDue, pastDueText(account.past_due)]] as [string, ReactNode][])
            : []),
        ]}
      />
      <Group gap="xs">
        <Button variant="default" disabled={account.blocked} onClick={() => setAsking("reset")}>
          {words.reset}
        </Button>
        <Button
          variant="default"
          c={account.blocked || account.self ? undefined : "red"}
          disabled={account.self}
          title={account.self ? words.self : undefined}
          onClick={() => setAsking("block")}
        >
          {account.blocked ? words.unblock : words.block}
        </Button>
      </Group>
      <Text size="sm" role="status" c="dimmed" hidden={!resetting.isSuccess && !unlocking.isSuccess}>
        {resetting.isSuccess ? words.resetSent : unlocking.isSuccess ? words.unlocked : ""}
      </Text>
      <ErrorNote error={unlocking.error} />
      {asking === "block" && (
        <Confirm
          title={account.blocked ? words.unblockTitle(account.name) : words.blockTitle(account.name)}
          text={account.blocked ? words.unblockText : words.blockText(account.profiles)}
          action={account.blocked ? words.unblockDo : words.blockDo}
          red={!account.blocked}
          reason={words.reasonLog}
          pending={blocking.isPending}
          error={blocking.error}
          close={close}
          act={(reason) => blocking.mutate({ id: account.id, on: !account.blocked, reason }, { onSuccess: close })}
        />
      )}
      {asking === "reset" && (
        <Confirm
          title={words.resetTitle(account.name)}
          text={words.resetText(account.email)}
          action={words.resetDo}
          pending={resetting.isPending}
          error={resetting.error}
          close={close}
          act={() => resetting.mutate(account.id, { onSuccess: close })}
        />
      )}
    </Section>
  );
}

function Plan({ account }: { account: Account }) {
  const words = t.operator.account;
  const [plan, setPlan] = useState(account.plan);
  const [charge, setCharge] = useState("prorated");
  const [asking, setAsking] = useState(false);
  const change = useOperate(changePlan);
  return (
    <Section title={words.plan} text={words.planText}>
      <Select
        label={words.plan}
        description={words.planNow(account.plan)}
        allowDeselect={false}
        data={account.plans}
        value={plan}
        onChange={(value) => setPlan(value ?? account.plan)}
        maw={320}
      />
      {account.billing && (
        <Select
          label={words.charge}
          allowDeselect={false}
          data={["prorated", "none"].map((value) => ({ value, label: words.charges[value] ?? value }))}
          value={charge}
          onChange={(value) => setCharge(value ?? "prorated")}
          maw={320}
        />
      )}
      <Group>
        <Button variant="default" disabled={plan === account.plan} onClick={() => setAsking(true)}>
          {words.change}
        </Button>
      </Group>
      {asking && (
        <Confirm
          title={words.changeTitle(account.plan, plan)}
          text={words.changeText}
          action={words.changeDo}
          reason={words.reasonOwner}
          pending={change.isPending}
          error={change.error}
          close={() => setAsking(false)}
          act={(reason) => change.mutate({ id: account.id, plan, charge, reason }, { onSuccess: () => setAsking(false) })}
        />
      )}
    </Section>
  );
}

/** A limit in words: a service by its name, anything else as the catalogue calls it. */
function nameOf(limit: { kind: string; name: string }): string {
  if (limit.kind === "service") return t.operator.account.services[limit.name] ?? limit.name;
  const plain = limit.name.replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

const amountOf = (n: number | null) => (n === null || unlimited(n) ? t.operator.account.unlimited : amount(n));

function Limits({ account, overrides }: { account: Account; overrides: Override[] }) {
  const dates = useDates();
  const words = t.operator.account;
  const [ending, setEnding] = useState<Override>();
  const end = useOperate(endLimit);
  return (
    <Section title={words.limits} text={words.limitsText}>
      {overrides.length === 0 ? (
        <Text size="sm">{words.noLimits}</Text>
      ) : (
        <Table verticalSpacing="xs" horizontalSpacing="sm" style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th pl={0}>{words.limit}</Table.Th>
              <Table.Th ta="right">{words.amount}</Table.Th>
              <Table.Th ta="right" visibleFrom="sm">
                {words.planGives}
              </Table.Th>
              <Table.Th visibleFrom="sm">{words.until}</Table.Th>
              <Table.Th pr={0} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {overrides.map((row) => (
              <Table.Tr key={`${row.kind} ${row.name}`}>
                <Table.Td pl={0}>
                  <Text size="sm" fw={600}>
                    {nameOf(row)}
                  </Text>
                  <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                    {row.reason}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">{amountOf(row.amount)}</Table.Td>
                <Table.Td ta="right" visibleFrom="sm">
                  {amountOf(account.limits.find((limit) => limit.kind === row.kind && limit.name === row.name)?.plan ?? null)}
                </Table.Td>
                <Table.Td visibleFrom="sm" className="nowrap">
                  {row.until ? dates.day(row.until) : words.forGood}
                  {row.ended && ` (${words.ended})`}
                </Table.Td>
                <Table.Td ta="right" pr={0}>
                  <Button size="compact-sm" variant="default" aria-label={`${words.end}: ${nameOf(row)}`} onClick={() => setEnding(row)}>
                    {words.end}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <SetLimit account={account} />
      {ending && (
        <Confirm
          title={words.endTitle(nameOf(ending))}
          text={words.endText}
          action={words.endDo}
          red
          reason={words.reasonOwner}
          pending={end.isPending}
          error={end.error}
          close={() => setEnding(undefined)}
          act={(reason) => end.mutate({ id: account.id, limit: ending, reason }, { onSuccess: () => setEnding(undefined) })}
        />
      )}
    </Section>
  );
}

// What is said of a field stands under it, so that fields beside each other stand in line.
const below: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];

function SetLimit({ account }: { account: Account }) {
  const words = t.operator.account;
  const [key, setKey] = useState<string | null>(null);
  const [value, setValue] = useState<string | number>("");
  const [free, setFree] = useState(false);
  const [until, setUntil] = useState("");
  const [asking, setAsking] = useState(false);
  const set = useOperate(setLimit);
  const keyOf = (limit: Limit) => `${limit.kind} ${limit.name}`;
  const chosen = account.limits.find((limit) => keyOf(limit) === key);
  const group = (kind: Limit["kind"]) => ({
    group: words.kinds[kind] ?? kind,
    items: account.limits.filter((limit) => limit.kind === kind).map((limit) => ({ value: keyOf(limit), label: nameOf(limit) })),
  });
  const ready = chosen !== undefined && (free || value !== "");
  const wanted = free ? ("unlimited" as const) : Number(value);
  return (
    <Stack gap="sm">
      <Text size="sm" fw={600} component="h3" m={0}>
        {words.set}
      </Text>
      <Group align="flex-start" gap="sm">
        <Select
          label={words.limit}
          searchable
          w={260}
          maw="100%"
          inputWrapperOrder={below}
          description={chosen && `${words.planGives}: ${amountOf(chosen.plan)}`}
          data={[group("service"), group("cap"), group("rate")]}
          value={key}
          onChange={setKey}
        />
        <NumberInput
          label={words.amount}
          w={150}
          min={0}
          thousandSeparator
          disabled={free}
          value={free ? "" : value}
          onChange={setValue}
        />
        <TextInput
          label={words.until}
          inputWrapperOrder={below}
          description={words.untilHint}
          type="date"
          w={180}
          value={until}
          onChange={(event) => setUntil(event.currentTarget.value)}
        />
      </Group>
      <Checkbox label={words.unlimitedBox} checked={free} onChange={(event) => setFree(event.currentTarget.checked)} />
      <Group>
        <Button variant="default" disabled={!ready} onClick={() => setAsking(true)}>
          {words.setDo}
        </Button>
        <Text size="sm" role="status" c="dimmed">
          {set.isSuccess ? words.was : ""}
        </Text>
      </Group>
      {asking && chosen && (
        <Confirm
          title={words.setTitle(nameOf(chosen), wanted === "unlimited" ? words.unlimited : amount(wanted))}
          text={words.setText(amountOf(chosen.plan))}
          action={words.setConfirm}
          reason={words.reasonOwner}
          pending={set.isPending}
          error={set.error}
          close={() => setAsking(false)}
          act={(reason) =>
            set.mutate(
              { id: account.id, limit: chosen, amount: wanted, until: until || null, reason },
              {
                onSuccess: () => {
                  setAsking(false);
                  setKey(null);
                  setValue("");
                  setUntil("");
                },
              },
            )
          }
        />
      )}
    </Stack>
  );
}

function Profiles({ account }: { account: Account }) {
  const dates = useDates();
  const words = t.operator.account;
  return (
    <Section title={words.profiles} text={account.self ? undefined : words.lookNote}>
      {account.owned.length === 0 ? (
        <Text size="sm">{words.noProfiles}</Text>
      ) : (
        <Table verticalSpacing="xs" horizontalSpacing="sm">
          <Table.Tbody>
            {account.owned.map((row) => (
              <Table.Tr key={row.id}>
                <Table.Td pl={0}>
                  <Group gap={6}>
                    <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
                      {row.name}
                    </Text>
                    {row.paused && (
                      <Badge variant="light" tt="none" color="yellow">
                        {words.paused}
                      </Badge>
                    )}
                  </Group>
                  <Text size="xs" c="dimmed" className="mono">
                    {row.id}
                  </Text>
                </Table.Td>
                <Table.Td visibleFrom="sm" className="nowrap">
                  {dates.day(row.created_at)}
                </Table.Td>
                <Table.Td ta="right" pr={0}>
                  {!account.self && (
                    <TextLink to="/desk" search={{ profile: row.id }} size="sm" aria-label={`${words.look}: ${row.name}`}>
                      {words.look}
                    </TextLink>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  );
}

function Invoices({ invoices }: { invoices: Billed["invoices"] }) {
  const dates = useDates();
  const words = t.operator.account;
  const [asking, setAsking] = useState<Billed["invoices"][number]>();
  const [note, setNote] = useState("");
  const paying = useOperate(markPaid);
  const ask = (row?: Billed["invoices"][number]): void => {
    setNote("");
    paying.reset();
    setAsking(row);
  };
  if (invoices.length === 0) return null;
  return (
    <Section title={words.invoices}>
      <Table verticalSpacing="xs" horizontalSpacing="sm" style={{ fontVariantNumeric: "tabular-nums" }}>
        <Table.Tbody>
          {invoices.map((row) => (
            <Table.Tr key={row.number}>
              <Table.Td pl={0}>{row.number}</Table.Td>
              <Table.Td visibleFrom="xs" className="nowrap">
                {dates.day(row.issued_at)}
              </Table.Td>
              <Table.Td ta="right" className="nowrap">
                {centsText(row.total, row.currency)}
              </Table.Td>
              <Table.Td>
                <Badge variant="light" tt="none" color={row.overdue ? "red" : "gray"}>
                  {row.overdue ? words.overdue : t.billing.invoiceStates[row.status]}
                </Badge>
                {row.status === "open" && row.due_at && (
                  <Text size="xs" c="dimmed">
                    {words.due(dates.day(row.due_at))}
                  </Text>
                )}
                {row.settled_at && (
                  <Text size="xs" c="dimmed">
                    {[t.billing.paidOn(dates.day(row.settled_at)), row.note].filter(Boolean).join(" · ")}
                  </Text>
                )}
              </Table.Td>
              <Table.Td ta="right" pr={0}>
                {(row.status === "open" || row.status === "credit") && (
                  <Button size="compact-sm" variant="default" aria-label={`${words.paid} ${row.number}`} onClick={() => ask(row)}>
                    {words.paid}
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {asking && (
        <Confirm
          title={words.paidTitle(asking.number)}
          text={words.paidText(centsText(asking.total, asking.currency))}
          action={words.paidDo}
          pending={paying.isPending}
          error={paying.error}
          close={() => ask()}
          act={() => paying.mutate({ id: asking.id ?? "", note: note.trim() }, { onSuccess: () => ask() })}
        >
          <TextInput label={words.paidNote} maxLength={300} data-autofocus value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        </Confirm>
      )}
    </Section>
  );
}
