import { Button, Group, Modal, NumberInput, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { CostFigure } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Section } from "../../ui/Section";
import { centsText } from "./money";
import { useRemoveFigure, useSetFigure } from "./queries";

/** Services that profiles share, as the API names them; and a first guess for somebody who has not thought of it yet. */
const shared = ["input", "output", "analysis", "data_records", "sms", "email", "run_users", "push_notification", "file_storage"];
const guess: Record<string, number> = { input: 30, output: 20, data_records: 50 };

/** What the server costs a month, as its owner says, and the part of it that falls to each service. */
export function Figure({ figure, currency }: { figure: CostFigure | null; currency: string }) {
  const [changing, setChanging] = useState(false);
  const remove = useRemoveFigure();
  const [removing, setRemoving] = useState(false);
  return (
    <Section title={t.billing.figure} text={figure ? undefined : t.billing.figureText}>
      {figure && !changing ? (
        <Group justify="space-between">
          <Text size="sm">
            <Text span fw={600}>
              {centsText(figure.amount, figure.currency)}
            </Text>{" "}
            {t.money.aMonth(
              Object.entries(figure.shares)
                .sort(([, a], [, b]) => b - a)
                .map(([service, percent]) => `${t.usage.services[service] ?? service} ${percent} %`),
            )}
          </Text>
          <Group gap="xs">
            <Button variant="default" onClick={() => setChanging(true)}>
              {t.money.changeFigure}
            </Button>
            <Button color="red" variant="subtle" onClick={() => setRemoving(true)}>
              {t.billing.figureRemove}
            </Button>
          </Group>
        </Group>
      ) : (
        <Form figure={figure} currency={currency} close={figure ? () => setChanging(false) : undefined} />
      )}
      <Modal opened={removing} onClose={() => setRemoving(false)} title={t.billing.figureRemoveTitle} centered>
        <Stack gap="md">
          <Text size="sm">{t.billing.figureRemoveText}</Text>
          <ErrorNote error={remove.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(false)}>
              {t.cancel}
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: () => setRemoving(false) })}>
              {t.billing.figureRemoveConfirm}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Section>
  );
}

function Form({ figure, currency, close }: { figure: CostFigure | null; currency: string; close?: (() => void) | undefined }) {
  const [sum, setSum] = useState<number | string>(figure ? figure.amount / 100 : "");
  const [unit, setUnit] = useState((figure?.currency ?? currency).toUpperCase());
  const [shares, setShares] = useState<Record<string, number | string>>(figure?.shares ?? guess);
  const save = useSetFigure();
  const percent = shared.reduce((all, service) => all + (Number(shares[service]) || 0), 0);
  const about = (field: string) => (save.error instanceof ApiError ? save.error.about(field) : undefined);
  return (
      <form
        id="figure"
        onSubmit={(event) => {
          event.preventDefault();
          const parts = shared.map((service) => [service, Number(shares[service]) || 0] as const).filter(([, part]) => part > 0);
          save.mutate({ amount: Math.round(Number(sum) * 100), currency: unit.trim().toLowerCase(), shares: Object.fromEntries(parts) });
        }}
      >
        <Stack gap="md" maw={640}>
          <Group align="flex-start" gap="sm">
            <NumberInput
              label={t.billing.figureAmount}
              w={180}
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
              label={t.billing.currency}
              w={100}
              required
              maxLength={3}
              value={unit}
              onChange={(event) => setUnit(event.currentTarget.value.toUpperCase())}
              error={about("currency")}
            />
          </Group>
          <Stack gap={6} role="group" aria-label={t.billing.shares}>
            <Text size="sm" fw={500}>
              {t.billing.shares}
            </Text>
            <Text size="xs" c="dimmed">
              {t.billing.sharesHint}
            </Text>
            <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="sm">
              {shared.map((service) => (
                <NumberInput
                  key={service}
                  label={t.usage.services[service]}
                  size="xs"
                  min={0}
                  max={100}
                  allowDecimal={false}
                  suffix=" %"
                  value={shares[service] ?? 0}
                  onChange={(value) => setShares({ ...shares, [service]: value })}
                  error={about(`shares.${service}`)}
                />
              ))}
            </SimpleGrid>
            <Text size="sm" c={percent === 100 ? "dimmed" : "red"} role="status">
              {t.billing.together(percent)}
            </Text>
          </Stack>
          <ErrorNote error={save.error} />
          <Group>
            <Button type="submit" loading={save.isPending} disabled={percent !== 100 || Number(sum) <= 0}>
              {t.save}
            </Button>
            {close && (
              <Button variant="default" onClick={close}>
                {t.cancel}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
  );
}
