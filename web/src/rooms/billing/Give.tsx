import { Button, Group, MultiSelect, NumberInput, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { Subscription } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, unlimited, useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { profilesQuery } from "../profile/queries";
import { type Allocation, allocationQuery, subscriptionQuery, useAllocate } from "./queries";
import { serviceName } from "./sums";

const hour = 3_600_000;

/** When the next hour of the account's cycle begins: what is allocated then counts. */
export function nextHour(cycleStart: string, now: number): number {
  const start = Date.parse(cycleStart);
  return start + Math.ceil((now - start) / hour) * hour;
}

/** What of each service no profile has now; services without a limit are not there. */
function freeOf(subscription: Subscription, rows: Allocation[]): Record<string, number> {
  const free: Record<string, number> = {};
  for (const [service, { limit }] of Object.entries(subscription.services)) {
    if (unlimited(limit)) continue;
    const left = rows.reduce((all, row) => all - (Number(row[service]) || 0), limit);
    if (left > 0) free[service] = Math.floor(left * 100) / 100;
  }
  return free;
}

/** Gives profiles of what no profile has. `done` is told what was given, in a sentence. */
export function Give({ services, done }: { services: string[]; done: (text?: string) => void }) {
  const subscription = useQuery(subscriptionQuery);
  const allocation = useQuery(allocationQuery);
  const error = subscription.error ?? allocation.error;
  if (error) return <ErrorNote error={error} />;
  if (!subscription.data || !allocation.data) return <Loading />;
  return <Form subscription={subscription.data} rows={allocation.data} services={services} done={done} />;
}

interface FormProps {
  subscription: Subscription;
  rows: Allocation[];
  /** Those with a cost that nobody carries, the dearest first. */
  services: string[];
  done: (text?: string) => void;
}

function Form({ subscription, rows, services, done }: FormProps) {
  const dates = useDates();
  const profiles = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  const free = freeOf(subscription, rows);
  const choices = services.filter((service) => (free[service] ?? 0) > 0);
  const [service, setService] = useState(choices[0]);
  const [to, setTo] = useState<string[]>(profiles.length === 1 ? [profiles[0]?.id ?? ""] : []);
  const [typed, setTyped] = useState<number | string>();
  const allocate = useAllocate();
  if (!service) return <Text size="sm">{t.money.giveNothing}</Text>;
  const there = free[service] ?? 0;
  const each = typed ?? Math.floor(there / Math.max(to.length, 1));
  const left = there - Number(each) * to.length;
  const from = dates.minute(new Date(nextHour(subscription.current_cycle.start, Date.now())).toISOString());
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const had = new Map(rows.map((row) => [row.profile, Number(row[service]) || 0]));
        allocate.mutate(
          to.map((profile) => ({ profile, [service]: (had.get(profile) ?? 0) + Number(each) })),
          { onSuccess: () => done(t.money.gave(serviceName(service), from)) },
        );
      }}
    >
      <Stack gap="md">
        <Text size="sm">{t.money.giveText}</Text>
        <Select
          label={t.money.giveService}
          allowDeselect={false}
          data={choices.map((value) => ({ value, label: `${serviceName(value)} · ${t.money.giveFree(amount(free[value] ?? 0))}` }))}
          value={service}
          onChange={(value) => {
            if (value) setService(value);
            setTyped(undefined);
          }}
        />
        <MultiSelect
          label={t.money.giveProfiles}
          placeholder={to.length === 0 ? t.money.giveProfilesHint : undefined}
          searchable
          limit={50}
          data={profiles.map(({ id, name }) => ({ value: id, label: name }))}
          value={to}
          onChange={setTo}
        />
        <NumberInput
          label={t.money.giveEach}
          min={0}
          hideControls
          thousandSeparator
          value={each}
          onChange={setTyped}
          error={left < 0 ? t.money.giveTooMuch(amount(there)) : allocate.error instanceof ApiError && allocate.error.about(service)}
          description={to.length > 0 && left >= 0 ? t.money.giveLeft(amount(left)) : undefined}
        />
        <Text size="sm" c="dimmed">
          {t.money.giveFrom(from)}
        </Text>
        <ErrorNote error={allocate.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={() => done()}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={allocate.isPending} disabled={to.length === 0 || left < 0 || !Number(each)}>
            {t.money.giveButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
