import { Badge, Button, Card, Checkbox, Group, Modal, NumberInput, Progress, Select, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { Budget } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { centsText, microText } from "./money";
import { budgetsQuery, figureQuery, subscriptionQuery, useRemoveBudget, useSaveBudget } from "./queries";

/** What a cycle may cost before its owner is told. */
export function BudgetsPage() {
  return (
    <BillingPage title={t.billing.budgets} text={t.billing.budgetsText}>
      <Budgets />
    </BillingPage>
  );
}

function Budgets() {
  const budgets = useQuery(budgetsQuery);
  const [changing, setChanging] = useState<Budget>();
  const [removing, setRemoving] = useState<Budget>();
  const remove = useRemoveBudget();
  const close = (): void => setRemoving(undefined);
  if (budgets.isPending) return <Loading />;
  if (!budgets.data) return <ErrorNote error={budgets.error} retry={() => void budgets.refetch()} />;
  return (
    <>
      {budgets.data.length === 0 && <Empty title={t.billing.noBudgets} text={t.billing.noBudgetsText} />}
      {budgets.data.map((budget) => (
        <One key={budget.id} budget={budget} change={() => setChanging(budget)} remove={() => setRemoving(budget)} />
      ))}
      <Section title={t.billing.budgetAdd}>
        <Form key={budgets.data.length} />
      </Section>
      <Modal opened={changing !== undefined} onClose={() => setChanging(undefined)} title={t.billing.budgetChange} centered>
        {changing && <Form budget={changing} close={() => setChanging(undefined)} />}
      </Modal>
      <Modal opened={removing !== undefined} onClose={close} title={t.billing.budgetRemoveTitle} centered>
        <Stack gap="md">
          <Text size="sm">{t.billing.budgetRemoveText}</Text>
          <ErrorNote error={remove.variables === removing?.id ? remove.error : null} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t.cancel}
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => removing && remove.mutate(removing.id, { onSuccess: close })}>
              {t.tags.remove}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

const nameOf = (budget: Budget): string => (budget.profile === null ? t.billing.wholeAccount : budget.name || t.billing.goneProfile);

function One({ budget, change, remove }: { budget: Budget; change: () => void; remove: () => void }) {
  const dates = useDates();
  const { currency, share } = budget;
  const name = nameOf(budget);
  const over = budget.forecast_micro > budget.amount * 10_000;
  const color = share >= 100 ? "red" : share >= 80 || over ? "yellow" : "paddock";
  return (
    <Card withBorder padding="lg" component="article" aria-label={name}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs">
          <Group gap="xs">
            <Text fw={600}>{name}</Text>
            {over && (
              <Badge color="yellow" variant="light" tt="none">
                {t.billing.over}
              </Badge>
            )}
          </Group>
          <Group gap={6}>
            <Button size="compact-sm" variant="default" aria-label={t.billing.budgetChangeOf(name)} onClick={change}>
              {t.team.change}
            </Button>
            <Button size="compact-sm" variant="subtle" color="red" aria-label={t.billing.budgetRemoveOf(name)} onClick={remove}>
              {t.tags.remove}
            </Button>
          </Group>
        </Group>
        <Text size="sm">
          {t.billing.spent(microText(budget.spent_micro, currency), centsText(budget.amount, currency), share)}{" "}
          {t.billing.expected(microText(budget.forecast_micro, currency))}
        </Text>
        <Progress.Root size="md">
          <Progress.Section value={Math.min(100, share)} color={color} aria-label={`${name}: ${t.usage.share(share)}`} />
        </Progress.Root>
        <Text size="xs" c="dimmed">
          {t.billing.toldAt(budget.shares, budget.forecast)}
          {budget.last_told && ` ${t.billing.lastTold(dates.minute(budget.last_told.at), budget.last_told.share)}`}
        </Text>
      </Stack>
    </Card>
  );
}

/** A list such as "50, 80, 100"; undefined where a part is no number. */
function percents(text: string): number[] | undefined {
  const parts = text.split(/[,;\s]+/).filter(Boolean).map(Number);
  return parts.length > 0 && parts.every((n) => Number.isInteger(n)) ? parts : undefined;
}

/** Makes a budget, or changes one. */
function Form({ budget, close }: { budget?: Budget; close?: () => void }) {
  const own = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  const figure = useQuery(figureQuery).data;
  const plan = useQuery(subscriptionQuery).data;
  const [profile, setProfile] = useState<string | null>(null);
  const [sum, setSum] = useState<number | string>(budget ? budget.amount / 100 : "");
  const [shares, setShares] = useState((budget?.shares ?? [50, 80, 100]).join(", "));
  const [forecast, setForecast] = useState(budget?.forecast ?? true);
  const save = useSaveBudget(budget?.id);
  const list = percents(shares);
  const about = (field: string) => (save.error instanceof ApiError ? save.error.about(field) : undefined);
  const currency = (budget?.currency ?? figure?.currency ?? plan?.currency ?? "").toUpperCase();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(
          { ...(budget ? {} : { profile }), amount: Math.round(Number(sum) * 100), shares: list ?? [], forecast },
          { onSuccess: close },
        );
      }}
    >
      <Stack gap="sm" maw={480}>
        {!budget && (
          <Select
            label={t.billing.budgetFor}
            clearable
            searchable
            placeholder={t.billing.wholeAccount}
            value={profile}
            data={own.map((row) => ({ value: row.id, label: row.name }))}
            onChange={setProfile}
            error={about("profile")}
          />
        )}
        <NumberInput
          label={t.billing.budgetAmount(currency)}
          required
          min={0.01}
          decimalScale={2}
          fixedDecimalScale
          hideControls
          value={sum}
          onChange={setSum}
          error={about("amount")}
        />
        <TextInput
          label={t.billing.budgetShares}
          description={t.billing.budgetSharesHint}
          required
          value={shares}
          onChange={(event) => setShares(event.currentTarget.value)}
          error={list ? about("shares") : t.billing.budgetSharesBad}
        />
        <Checkbox label={t.billing.budgetForecast} checked={forecast} onChange={(event) => setForecast(event.currentTarget.checked)} />
        <ErrorNote error={save.error} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={Number(sum) <= 0 || !list}>
            {budget ? t.save : t.billing.budgetAddButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
