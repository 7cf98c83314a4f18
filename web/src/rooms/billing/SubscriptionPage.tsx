import { Alert, Button, Group, Modal, MultiSelect, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Prices, Schedule, Subscription } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { centsText } from "./money";
import { PastDue } from "./PastDue";
import {
  pricesQuery,
  proratedQuery,
  scheduleQuery,
  subscriptionQuery,
  type SubscriptionWish,
  useCancelSchedule,
  useSubscribe,
} from "./queries";
import { serviceName } from "./sums";

/** What the account has bought, and what else there is; every price is there before the click. */
export function SubscriptionPage() {
  const subscription = useQuery(subscriptionQuery);
  const house = subscription.data?.plan_name === "house";
  return (
    <BillingPage title={t.billing.subscription} text={house ? undefined : t.billing.subscriptionText}>
      {subscription.isPending && <Loading />}
      <ErrorNote error={subscription.error} retry={() => void subscription.refetch()} />
      {house && <Empty title={t.billing.noSubscription} text={t.billing.noSubscriptionText} />}
      {subscription.data && !house && <Bought subscription={subscription.data} />}
    </BillingPage>
  );
}

/** A change that waits for a yes, with what it costs. */
interface Wish {
  body: SubscriptionWish;
  what: string;
  /** Cents for the rest of the cycle. */
  now: number;
}

function Bought({ subscription }: { subscription: Subscription }) {
  const schedule = useQuery(scheduleQuery);
  const prices = useQuery(pricesQuery);
  const prorated = useQuery(proratedQuery);
  const [wish, setWish] = useState<Wish>();
  const error = schedule.error ?? prices.error ?? prorated.error;
  if (error) return <ErrorNote error={error} />;
  if (!schedule.data || !prices.data || !prorated.data) return <Loading />;
  const parts = { subscription, prices: prices.data, prorated: prorated.data, ask: setWish };
  return (
    <>
      <Now subscription={subscription} />
      {schedule.data.release_at && <Scheduled now={subscription} schedule={schedule.data} at={schedule.data.release_at} />}
      <Plans {...parts} />
      <Tiers key={JSON.stringify(subscription.services)} {...parts} />
      <Addons key={JSON.stringify(subscription.addons)} {...parts} />
      <Modal opened={wish !== undefined} onClose={() => setWish(undefined)} title={t.billing.changeTitle} centered>
        {wish && <Confirm wish={wish} subscription={subscription} close={() => setWish(undefined)} />}
      </Modal>
    </>
  );
}

function Now({ subscription }: { subscription: Subscription }) {
  const dates = useDates();
  const { current_cycle: cycle, currency } = subscription;
  return (
    <Section title={t.billing.planNow(subscription.plan_name)} text={t.billing.cycle(dates.range(cycle.start, cycle.end))}>
      <Text size="sm">{t.billing.renewal(dates.day(cycle.end), centsText(subscription.upcoming_invoice_total, currency))}</Text>
      {subscription.payment === "none" && (
        <Text size="sm" c="dimmed">
          {t.billing.noPayment}
        </Text>
      )}
      <PastDue />
    </Section>
  );
}

/** What the next cycle changes, in sentences. */
function differences(now: Subscription, { subscription: then }: Schedule, names: (id: string) => string): string[] {
  const out: string[] = [];
  if (then.plan_name !== now.plan_name) out.push(t.billing.thenPlan(then.plan_name));
  for (const [service, { limit, proportional_change: change }] of Object.entries(then.services)) {
    if (limit !== now.services[service]?.limit) out.push(t.billing.thenLimit(serviceName(service), amount(limit)));
    if (change) out.push(t.billing.thenShrinks(serviceName(service), amount(-change)));
  }
  for (const [addon, profiles] of Object.entries(now.addons)) {
    const lost = profiles.filter((id) => !then.addons[addon]?.includes(id));
    if (lost.length > 0) out.push(t.billing.thenAddon(addon, lost.map(names)));
  }
  return out;
}

function useNames(): (id: string) => string {
  const profiles = useQuery(profilesQuery).data;
  return (id) => profiles?.find((row) => row.id === id)?.name ?? t.billing.goneProfile;
}

function Scheduled({ now, schedule, at }: { now: Subscription; schedule: Schedule; at: string }) {
  const dates = useDates();
  const names = useNames();
  const cancel = useCancelSchedule();
  return (
    <Alert color="yellow" title={t.billing.scheduled(dates.day(at))}>
      <Stack gap="xs" align="flex-start">
        {differences(now, schedule, names).map((text) => (
          <Text key={text} size="sm">
            {text}
          </Text>
        ))}
        <ErrorNote error={cancel.error} />
        <Button size="compact-sm" variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
          {t.billing.cancelSchedule}
        </Button>
      </Stack>
    </Alert>
  );
}

interface Parts {
  subscription: Subscription;
  prices: Prices;
  prorated: Prices;
  ask: (wish: Wish) => void;
}

function Plans({ subscription, prices, prorated, ask }: Parts) {
  const price = (list: Prices, name: string) => list.plans.find((row) => row.name === name)?.price ?? 0;
  const { currency } = subscription;
  const own = price(prices, subscription.plan_name);
  return (
    <Section title={t.billing.plans} text={t.billing.plansText}>
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.plan}</Table.Th>
            <Table.Th ta="right">{t.billing.aCycle}</Table.Th>
            <Table.Td />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {prices.plans.map((row) => {
            const now = price(prorated, row.name);
            return (
              <Table.Tr key={row.name}>
                <Table.Th scope="row" fw={500}>
                  {row.name}
                </Table.Th>
                <Table.Td ta="right" className="nowrap">
                  {centsText(row.price, currency)}
                </Table.Td>
                <Table.Td ta="right">
                  {row.name === subscription.plan_name ? (
                    <Text size="sm" c="dimmed">
                      {t.billing.yours}
                    </Text>
                  ) : (
                    <>
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={t.billing.chooseOf(row.name)}
                        onClick={() => ask({ body: { plan: row.name }, what: t.billing.changeTo(row.name), now })}
                      >
                        {t.billing.choose}
                      </Button>
                      <Text size="xs" c="dimmed">
                        {row.price < own ? t.billing.atRenewal : t.billing.costsNow(centsText(now, currency))}
                      </Text>
                    </>
                  )}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Tiers({ subscription, prices, prorated, ask }: Parts) {
  const { currency, services } = subscription;
  const [chosen, setChosen] = useState<Record<string, number>>({});
  const tiers = Object.keys(t.usage.services).filter((service) => (prices[service]?.length ?? 0) > 0 && services[service]);
  const changes = tiers.filter((service) => chosen[service] !== undefined && chosen[service] !== services[service]?.limit);
  const price = (list: Prices, service: string, limit: number | undefined) => list[service]?.find((tier) => tier.amount === limit)?.price ?? 0;
  const now = changes.reduce((all, service) => all + price(prorated, service, chosen[service]), 0);
  return (
    <Section title={t.billing.tiers} text={t.billing.tiersText}>
      <Stack gap="sm" maw={560}>
        {tiers.map((service) => {
          const own = services[service]?.limit ?? 0;
          const limit = chosen[service] ?? own;
          const known = prices[service]?.some((tier) => tier.amount === own);
          return (
            <Select
              key={service}
              label={serviceName(service)}
              allowDeselect={false}
              value={String(limit)}
              data={[
                ...(known ? [] : [{ value: String(own), label: t.billing.tierIncluded(amount(own)) }]),
                ...(prices[service] ?? []).map((tier) => ({
                  value: String(tier.amount),
                  label: t.billing.tier(amount(tier.amount), centsText(tier.price, currency)),
                })),
              ]}
              description={
                limit === own ? undefined : limit > own ? t.billing.costsNow(centsText(price(prorated, service, limit), currency)) : t.billing.atRenewal
              }
              onChange={(value) => setChosen({ ...chosen, [service]: Number(value) })}
            />
          );
        })}
        <Group>
          <Button
            disabled={changes.length === 0}
            onClick={() =>
              ask({
                body: { services: Object.fromEntries(changes.map((service) => [service, { limit: chosen[service] ?? 0 }])) },
                what: changes.map((service) => t.billing.thenLimit(serviceName(service), amount(chosen[service] ?? 0))).join(" "),
                now,
              })
            }
          >
            {t.billing.changeTiers}
          </Button>
        </Group>
      </Stack>
    </Section>
  );
}

function Addons({ subscription, prices, prorated, ask }: Parts) {
  const own = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  const [chosen, setChosen] = useState(subscription.addons);
  const { currency } = subscription;
  if (prices.addons.length === 0) return null;
  return (
    <Section title={t.billing.addons} text={t.billing.addonsText}>
      <Stack gap="md" maw={560}>
        {prices.addons.map(({ name, price }) => {
          const before = subscription.addons[name] ?? [];
          const after = chosen[name] ?? [];
          const more = after.filter((id) => !before.includes(id)).length;
          const less = before.filter((id) => !after.includes(id)).length;
          const now = more * (prorated.addons.find((row) => row.name === name)?.price ?? 0);
          return (
            <Group key={name} align="flex-end" gap="sm" wrap="nowrap">
              <MultiSelect
                flex={1}
                miw={0}
                label={t.billing.addonPrice(name, centsText(price, currency))}
                description={more > 0 ? t.billing.costsNow(centsText(now, currency)) : less > 0 ? t.billing.atRenewal : undefined}
                placeholder={after.length === 0 ? t.billing.noProfileHas : undefined}
                data={own.map((row) => ({ value: row.id, label: row.name }))}
                value={after}
                onChange={(value) => setChosen({ ...chosen, [name]: value })}
              />
              <Button
                variant="default"
                disabled={more + less === 0}
                aria-label={t.billing.changeAddon(name)}
                onClick={() => ask({ body: { addons: { [name]: after } }, what: t.billing.changeAddon(name), now })}
              >
                {t.team.change}
              </Button>
            </Group>
          );
        })}
      </Stack>
    </Section>
  );
}

function Confirm({ wish, subscription, close }: { wish: Wish; subscription: Subscription; close: () => void }) {
  const dates = useDates();
  const change = useSubscribe();
  return (
    <Stack gap="md">
      <Text size="sm" fw={500}>
        {wish.what}
      </Text>
      <Text size="sm">
        {wish.now > 0
          ? t.billing.confirmNow(centsText(wish.now, subscription.currency), subscription.payment !== "none")
          : t.billing.confirmLater(dates.day(subscription.current_cycle.end))}
      </Text>
      <ErrorNote error={change.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {t.cancel}
        </Button>
        <Button loading={change.isPending} onClick={() => change.mutate(wish.body, { onSuccess: close })}>
          {t.billing.confirm}
        </Button>
      </Group>
    </Stack>
  );
}
