import { Button, Group, NumberInput, Select, Stack, Text } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, unlimited } from "../../ui/format";
import { type ServiceUse, useRaise } from "./queries";
import { serviceName } from "./words";

interface Props {
  profileId: string;
  use: ServiceUse;
  close: () => void;
  done: (text: string) => void;
}

/** Gives the profile more of a service: of what the pool has free and, where that is not enough, of what another profile does not use. */
export function RaiseForm({ profileId, use, close, done }: Props) {
  const raise = useRaise(profileId);
  const now = use.allocation ?? 0;
  const free = use.free ?? 0;
  const spare = use.spare ?? [];
  const [from, setFrom] = useState(spare[0]?.id);
  const donor = spare.find((row) => row.id === from);
  const endless = unlimited(free);
  const most = endless ? Number.MAX_SAFE_INTEGER : now + free + (donor?.spare ?? 0);
  const [value, setValue] = useState<number | string>(() => Math.min(most, Math.max(1, now * 2)));
  const wanted = Number(value);
  const more = wanted - now;
  const rest = endless ? 0 : Math.max(0, more - free);
  const problem = value === "" || more <= 0 ? t.overview.tooLittle(amount(now)) : wanted > most ? t.overview.tooMuch(amount(most)) : undefined;
  const name = serviceName(use.service);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (problem) return;
    const rows = [{ profile: profileId, service: use.service, amount: wanted }];
    if (rest > 0 && donor) rows.push({ profile: donor.id, service: use.service, amount: donor.allocation - rest });
    raise.mutate(rows, { onSuccess: () => done(t.overview.raised(name, amount(wanted))) });
  };
  return (
    <form onSubmit={submit} aria-label={t.overview.raiseOf(name)}>
      <Stack gap="sm" maw={520}>
        <Group align="flex-start" gap="sm">
          <NumberInput
            label={`${name}: ${t.overview.allocation}`}
            description={t.overview.allocationNow(amount(now))}
            value={value}
            onChange={setValue}
            min={0}
            step={Math.max(1, Math.round(now / 10))}
            thousandSeparator=" "
            error={problem}
            flex="1 1 12rem"
            data-autofocus
          />
          {!endless && rest > 0 && spare.length > 0 && (
            <Select
              label={t.overview.donor}
              description={t.overview.free(amount(free))}
              data={spare.map((row) => ({ value: row.id, label: t.overview.donorOption(row.name, amount(row.spare)) }))}
              value={from ?? null}
              onChange={(id) => id && setFrom(id)}
              allowDeselect={false}
              flex="1 1 14rem"
            />
          )}
        </Group>
        {!problem && (
          <Text size="sm" c="dimmed">
            {endless
              ? t.overview.freeUnlimited
              : `${t.overview.free(amount(free))} ${
                  rest > 0 && donor
                    ? t.overview.takesMore(amount(more - rest), amount(rest), donor.name, amount(donor.allocation - rest))
                    : t.overview.takes(amount(more))
                }`}
          </Text>
        )}
        <Group gap="xs">
          <Button type="submit" loading={raise.isPending} disabled={Boolean(problem)}>
            {t.overview.raiseTo(Number.isFinite(wanted) ? amount(wanted) : "")}
          </Button>
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
        </Group>
        <ErrorNote error={raise.error} />
      </Stack>
    </form>
  );
}
