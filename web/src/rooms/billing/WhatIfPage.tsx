import { ActionIcon, Alert, Badge, Button, Group, NumberInput, Select, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, call } from "../../api/client";
import type { Basis } from "../../api/types";
import type { Simulation } from "../../api/usage";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { centsText, Money, microText } from "./money";
import { cardsQuery, pricesQuery, subscriptionQuery } from "./queries";
import { labelOf, serviceName } from "./sums";

type Change = { profile: string | null; service: string | null; amount: number | string };

/** What is supposed; null as it is. */
interface Scenario {
  plan: string | null;
  services: Record<string, number | null>;
  changes: Change[];
  card: string | null;
}

const asItIs: Scenario = { plan: null, services: {}, changes: [], card: null };

/** A change that says everything it must. */
const whole = (change: Change): boolean => change.profile !== null && change.service !== null && change.amount !== "";

function bodyOf(scenario: Scenario, cycle: string, basis: Basis | null): Record<string, unknown> {
  const services = Object.fromEntries(Object.entries(scenario.services).filter(([, limit]) => limit !== null));
  const rows = new Map<string, Record<string, unknown>>();
  for (const change of scenario.changes.filter(whole)) {
    const profile = change.profile ?? "";
    rows.set(profile, { ...rows.get(profile), profile, [change.service ?? ""]: Number(change.amount) });
  }
  return {
    cycle,
    ...(basis ? { basis } : {}),
    ...(scenario.plan ? { plan: scenario.plan } : {}),
    ...(Object.keys(services).length > 0 ? { services } : {}),
    ...(rows.size > 0 ? { allocation: [...rows.values()] } : {}),
    ...(scenario.card ? { card: scenario.card } : {}),
  };
}

/** What a cycle would have cost with something else, and what would have been blocked. */
export function WhatIfPage() {
  return (
    <BillingPage title={t.nav.whatIf} text={t.whatIf.text}>
      <Suppose />
    </BillingPage>
  );
}

function Suppose() {
  const [scenarios, setScenarios] = useState<Scenario[]>([asItIs]);
  const [cycle, setCycle] = useState("last");
  const [basis, setBasis] = useState<Basis | null>(null);
  const run = useMutation({
    mutationFn: (bodies: Record<string, unknown>[]) =>
      Promise.all(bodies.map((body) => call<Simulation>("POST", "/account/cost/simulate", { body }))),
  });
  const set = (at: number, scenario: Scenario) => setScenarios(scenarios.map((one, i) => (i === at ? scenario : one)));
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run.mutate(scenarios.map((scenario) => bodyOf(scenario, cycle, basis)));
        }}
      >
        <Stack gap="md">
          <SimpleGrid cols={{ base: 1, md: scenarios.length }} spacing="md">
            {scenarios.map((scenario, at) => (
              // A supposition has no name but its place.
              // eslint-disable-next-line react/no-array-index-key
              <Section key={at} title={scenarios.length > 1 ? t.whatIf.scenario(at) : t.whatIf.suppose}>
                <Fields scenario={scenario} set={(to) => set(at, to)} />
                {at > 0 && (
                  <Group>
                    <Button variant="subtle" color="red" size="compact-sm" onClick={() => setScenarios(scenarios.slice(0, at))}>
                      {t.whatIf.removeScenario}
                    </Button>
                  </Group>
                )}
              </Section>
            ))}
          </SimpleGrid>
          <Group gap="sm" align="flex-end">
            <Select
              label={t.whatIf.cycle}
              w={200}
              allowDeselect={false}
              value={cycle}
              data={[
                { value: "last", label: t.billing.lastCycle },
                { value: "current", label: t.whatIf.current },
              ]}
              onChange={(value) => setCycle(value ?? "last")}
            />
            <Select
              label={t.billing.basis}
              w={220}
              clearable
              placeholder={t.whatIf.chosen}
              value={basis}
              data={(["allocation", "use"] as const).map((value) => ({ value, label: t.billing.bases[value] }))}
              onChange={(value) => setBasis(value as Basis | null)}
            />
            <Button type="submit" loading={run.isPending}>
              {t.whatIf.run}
            </Button>
            {scenarios.length < 2 && (
              <Button variant="default" onClick={() => setScenarios([...scenarios, scenarios[0] ?? asItIs])}>
                {t.whatIf.compare}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
      <ErrorNote error={run.error} />
      {run.error instanceof ApiError && run.error.field.startsWith("allocation") && <Text size="sm">{t.whatIf.allocationHint}</Text>}
      {run.data && <Results results={run.data} last={cycle === "last"} tryCurrent={() => {
        setCycle("current");
        run.mutate(scenarios.map((scenario) => bodyOf(scenario, "current", basis)));
      }} />}
    </>
  );
}

/** Plans that have neither tiers nor add-ons. */
const untiered = ["house", "free"];

function Fields({ scenario, set }: { scenario: Scenario; set: (scenario: Scenario) => void }) {
  const prices = useQuery(pricesQuery);
  const plan = useQuery(subscriptionQuery);
  const cards = useQuery(cardsQuery);
  const own = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  if (prices.isPending || plan.isPending) return <Loading />;
  if (!prices.data || !plan.data) return <ErrorNote error={prices.error ?? plan.error} />;
  const now = plan.data.plan_name;
  const currency = plan.data.currency;
  const tiered = !untiered.includes(scenario.plan ?? now);
  const services = Object.keys(t.usage.services).filter((service) => (prices.data[service]?.length ?? 0) > 0);
  const change = (at: number, part: Partial<Change>) => set({ ...scenario, changes: scenario.changes.map((one, i) => (i === at ? { ...one, ...part } : one)) });
  return (
    <Stack gap="md">
      <Select
        label={t.billing.plan}
        clearable
        placeholder={t.whatIf.asNow(now)}
        value={scenario.plan}
        data={prices.data.plans.map((one) => ({ value: one.name, label: `${one.name} (${centsText(one.price, currency)})` }))}
        onChange={(to) => set({ ...scenario, plan: to, services: untiered.includes(to ?? now) ? {} : scenario.services })}
      />
      {tiered && (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          {services.map((service) => (
            <Select
              key={service}
              label={serviceName(service)}
              clearable
              searchable
              placeholder={scenario.plan && scenario.plan !== now ? t.whatIf.included : t.whatIf.asItIs}
              value={scenario.services[service] == null ? null : String(scenario.services[service])}
              data={(prices.data[service] ?? []).map((tier) => ({ value: String(tier.amount), label: t.billing.tier(amount(tier.amount), centsText(tier.price, currency)) }))}
              onChange={(to) => set({ ...scenario, services: { ...scenario.services, [service]: to === null ? null : Number(to) } })}
            />
          ))}
        </SimpleGrid>
      )}
      {own.length > 1 && (
        <Stack gap="xs" role="group" aria-label={t.nav.allocation}>
          <Text size="sm" fw={500}>
            {t.nav.allocation}
          </Text>
          {scenario.changes.map((one, at) => (
            // eslint-disable-next-line react/no-array-index-key
            <Group key={at} gap={6} wrap="nowrap" align="flex-start">
              <Select
                aria-label={t.whatIf.profileOf(at + 1)}
                placeholder={t.whatIf.profile}
                searchable
                limit={50}
                flex={2}
                miw={0}
                value={one.profile}
                data={own.map((row) => ({ value: row.id, label: row.name }))}
                onChange={(profile) => change(at, { profile })}
              />
              <Select
                aria-label={t.whatIf.serviceOf(at + 1)}
                placeholder={t.usage.service}
                flex={2}
                miw={0}
                value={one.service}
                data={Object.keys(t.usage.services).map((service) => ({ value: service, label: serviceName(service) }))}
                onChange={(service) => change(at, { service })}
              />
              <NumberInput
                aria-label={t.whatIf.amountOf(at + 1)}
                placeholder={t.usage.limit}
                hideControls
                min={0}
                allowNegative={false}
                thousandSeparator
                flex={1}
                miw={0}
                value={one.amount}
                onChange={(to) => change(at, { amount: to })}
              />
              <ActionIcon
                variant="subtle"
                color="gray"
                size="input-sm"
                aria-label={t.whatIf.removeChange(at + 1)}
                onClick={() => set({ ...scenario, changes: scenario.changes.filter((_, i) => i !== at) })}
              >
                ×
              </ActionIcon>
            </Group>
          ))}
          <Group>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => set({ ...scenario, changes: [...scenario.changes, { profile: null, service: null, amount: "" }] })}
            >
              {t.whatIf.addChange}
            </Button>
          </Group>
        </Stack>
      )}
      {(cards.data?.length ?? 0) > 0 && (
        <Select
          label={t.billing.card}
          description={t.whatIf.cardText}
          clearable
          placeholder={t.whatIf.noCard}
          value={scenario.card}
          data={(cards.data ?? []).map((card) => ({ value: card.id, label: card.name }))}
          onChange={(card) => set({ ...scenario, card })}
        />
      )}
    </Stack>
  );
}

type Line = Simulation["lines"][number];

const keyOf = (line: Line): string => JSON.stringify([line.kind, line.profile, line.service, line.item, line.currency]);

function nameOfLine(line: Line): string {
  if (line.kind === "service") return `${line.name || t.billing.goneProfile}, ${serviceName(line.service ?? "")}`;
  const label = labelOf({ ...line, micro: 0 });
  return line.kind === "unallocated" ? `${t.billing.kinds.unallocated}: ${label}` : label;
}

function Results({ results, last, tryCurrent }: { results: Simulation[]; last: boolean; tryCurrent: () => void }) {
  const dates = useDates();
  const first = results[0];
  if (!first) return null;
  const several = results.length > 1;
  const heads = results.map((_, at) => (several ? t.whatIf.scenario(at) : t.whatIf.simulated));
  const nothing = results.every((one) => one.lines.length === 0 && one.blocked.length === 0 && one.statements.length === 0);
  if (nothing)
    return (
      <Empty title={t.whatIf.nothing} text={last ? t.whatIf.nothingLast(dates.range(first.cycle.from, first.cycle.to)) : t.whatIf.nothingYet}>
        {last && (
          <Button variant="default" onClick={tryCurrent}>
            {t.whatIf.tryCurrent}
          </Button>
        )}
      </Empty>
    );
  return (
    <>
      <Section title={t.whatIf.result} text={t.whatIf.span(dates.range(first.cycle.from, first.until), t.billing.bases[first.basis])}>
        <Costs results={results} heads={heads} />
      </Section>
      {results.map((result, at) => (
        // eslint-disable-next-line react/no-array-index-key
        <Section key={at} title={several ? `${t.whatIf.scenario(at)}: ${t.whatIf.blocked}` : t.whatIf.blocked}>
          <Blocked result={result} />
        </Section>
      ))}
      {results.map(
        (result, at) =>
          result.statements.length > 0 && (
            // eslint-disable-next-line react/no-array-index-key
            <Section key={at} title={several ? `${t.whatIf.scenario(at)}: ${t.whatIf.statements}` : t.whatIf.statements}>
              <Table verticalSpacing={6} horizontalSpacing={8}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t.whatIf.profile}</Table.Th>
                    <Table.Th ta="right">{t.billing.total}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody className="tabular">
                  {result.statements.map((statement) => (
                    <Table.Tr key={statement.profile}>
                      <Table.Td>{statement.name}</Table.Td>
                      <Table.Td ta="right">{centsText(statement.total_cents, statement.currency)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Section>
          ),
      )}
    </>
  );
}

/** More lines than this are shown when asked for. */
const most = 40;

function Costs({ results, heads }: { results: Simulation[]; heads: string[] }) {
  const [all, setAll] = useState(false);
  const lines = new Map<string, Line>();
  for (const result of results) for (const line of result.lines) lines.set(keyOf(line), lines.get(keyOf(line)) ?? line);
  const of = (result: Simulation, key: string): Line | undefined => result.lines.find((line) => keyOf(line) === key);
  const currencies = [...new Set(results.flatMap((result) => result.totals.map((total) => total.currency)))];
  const shown = [...lines].slice(0, all ? undefined : most);
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 1 + results.length * 2 }} component="dl" m={0}>
        {currencies.flatMap((currency) => [
          <Figure key={`${currency} real`} name={t.whatIf.real} text={microText(results[0]?.totals.find((one) => one.currency === currency)?.real_micro ?? 0, currency)} />,
          ...results.flatMap((result, at) => {
            const total = result.totals.find((one) => one.currency === currency);
            return [
              <Figure key={`${currency} ${heads[at]}`} name={heads[at] ?? ""} text={microText(total?.simulated_micro ?? 0, currency)} />,
              <Figure key={`${currency} ${heads[at]} difference`} name={t.whatIf.difference} text={signed(total?.difference_micro ?? 0, currency)} />,
            ];
          }),
        ])}
      </SimpleGrid>
      {lines.size === 0 ? (
        <Text size="sm" c="dimmed">
          {t.whatIf.noLines}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={380}>
          <Table verticalSpacing={6} horizontalSpacing={8} aria-label={t.whatIf.result}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.billing.what}</Table.Th>
                <Table.Th ta="right">{t.whatIf.real}</Table.Th>
                {heads.map((head) => (
                  <Table.Th key={head} ta="right">
                    {head}
                  </Table.Th>
                ))}
                {results.length === 1 && <Table.Th ta="right">{t.whatIf.difference}</Table.Th>}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody className="tabular">
              {shown.map(([key, line]) => (
                <Table.Tr key={key}>
                  <Table.Th scope="row" fw={500}>
                    {nameOfLine(line)}
                  </Table.Th>
                  <Table.Td ta="right">
                    <Money micro={line.real_micro} currency={line.currency} />
                  </Table.Td>
                  {results.map((result, at) => (
                    <Table.Td key={heads[at]} ta="right">
                      <Money micro={of(result, key)?.simulated_micro ?? 0} currency={line.currency} />
                    </Table.Td>
                  ))}
                  {results.length === 1 && <Table.Td ta="right">{signed(line.simulated_micro - line.real_micro, line.currency)}</Table.Td>}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {lines.size > most && (
        <Group>
          <Button variant="subtle" size="compact-sm" onClick={() => setAll(!all)}>
            {all ? t.statistics.fewer : t.billing.more(lines.size - most)}
          </Button>
        </Group>
      )}
    </>
  );
}

const signed = (micro: number, currency: string): string => `${micro > 0 ? "+" : ""}${microText(micro, currency)}`;

function Figure({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <Text component="dt" size="xs" c="dimmed">
        {name}
      </Text>
      <Text component="dd" m={0} size="lg" fw={600} className="tabular">
        {text}
      </Text>
    </div>
  );
}

/** What would have been used beyond the supposed limits. */
function Blocked({ result }: { result: Simulation }) {
  const dates = useDates();
  if (result.blocked.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.whatIf.nothingBlocked}
      </Text>
    );
  const refused = result.blocked.filter((row) => row.at_limit === "block").length;
  return (
    <>
      {refused > 0 && (
        <Alert color="yellow" variant="light">
          {t.whatIf.wouldBlock(refused)}
        </Alert>
      )}
      <Table.ScrollContainer minWidth={340}>
        <Table verticalSpacing={6} horizontalSpacing={8} aria-label={t.whatIf.blocked}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.whatIf.profile}</Table.Th>
              <Table.Th>{t.usage.service}</Table.Th>
              <Table.Th ta="right">{t.limits.usedOf}</Table.Th>
              <Table.Th ta="right" visibleFrom="sm">
                {t.whatIf.over}
              </Table.Th>
              <Table.Th>{t.whatIf.from}</Table.Th>
              <Table.Th visibleFrom="sm">{t.whatIf.atLimit}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody className="tabular">
            {result.blocked.map((row) => (
              <Table.Tr key={`${row.profile} ${row.service}`}>
                <Table.Th scope="row" fw={500}>
                  {row.name}
                </Table.Th>
                <Table.Td>{serviceName(row.service)}</Table.Td>
                <Table.Td ta="right">
                  {amount(row.used)} / {amount(row.limit)}
                </Table.Td>
                <Table.Td ta="right" visibleFrom="sm">
                  {amount(row.over)}
                </Table.Td>
                <Table.Td>{dates.day(row.from)}</Table.Td>
                <Table.Td visibleFrom="sm">
                  <Badge variant="light" tt="none" color={row.at_limit === "block" ? "red" : "gray"}>
                    {t.whatIf.policies[row.at_limit]}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}
