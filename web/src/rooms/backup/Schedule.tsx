import { Alert, Button, Checkbox, Group, NativeSelect, NumberInput, PasswordInput, SimpleGrid, Stack, Switch, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { BackupSchedule } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { scheduleQuery, useSetSchedule } from "./queries";

/** When a profile is backed up by itself. */
export function Schedule({ profileId }: { profileId: string }) {
  const schedule = useQuery(scheduleQuery(profileId));
  return (
    <Section title={t.backup.schedule} text={t.backup.scheduleText}>
      {schedule.isPending && <Loading />}
      <ErrorNote error={schedule.error} retry={() => void schedule.refetch()} />
      {schedule.data && <State schedule={schedule.data} />}
      {schedule.data && <Form profileId={profileId} schedule={schedule.data} />}
    </Section>
  );
}

function State({ schedule }: { schedule: BackupSchedule }) {
  const dates = useDates();
  return (
    <Stack gap="xs">
      {schedule.failed_at !== null && (
        <Alert color="red" title={t.backup.failedOn(dates.minute(schedule.failed_at))}>
          {schedule.reason}
        </Alert>
      )}
      {schedule.active && (
        <Text size="sm">
          {schedule.next_at !== null && t.backup.next(dates.minute(schedule.next_at))}{" "}
          {schedule.done_at !== null ? t.backup.last(dates.minute(schedule.done_at)) : t.backup.never}
        </Text>
      )}
    </Stack>
  );
}

const numberOr = (value: string | number): number | null => (typeof value === "number" && value > 0 ? value : null);

function Form({ profileId, schedule }: { profileId: string; schedule: BackupSchedule }) {
  const set = useSetSchedule(profileId);
  const [active, setActive] = useState(schedule.active);
  const [every, setEvery] = useState<string>(schedule.every);
  const [weekday, setWeekday] = useState<string>(schedule.weekday);
  const [hour, setHour] = useState(schedule.hour);
  const [data, setData] = useState(schedule.data);
  const [target, setTarget] = useState<string>(schedule.target);
  const [keepLast, setKeepLast] = useState<string | number>(schedule.keep_last ?? "");
  const [keepDays, setKeepDays] = useState<string | number>(schedule.keep_days ?? "");
  const [passphrase, setPassphrase] = useState("");
  const [plain, setPlain] = useState(false);
  const about = (field: string) => (set.error instanceof ApiError ? set.error.about(field) : undefined);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        set.mutate(
          {
            active,
            every,
            weekday,
            hour,
            data,
            target,
            keep_last: numberOr(keepLast),
            keep_days: numberOr(keepDays),
            ...(passphrase ? { passphrase } : plain ? { passphrase: null } : {}),
          },
          {
            onSuccess: () => {
              setPassphrase("");
              setPlain(false);
            },
          },
        );
      }}
    >
      <Stack gap="sm" maw={560}>
        <Switch label={t.backup.active} checked={active} onChange={(event) => setActive(event.currentTarget.checked)} />
        <SimpleGrid cols={{ base: 1, xs: every === "week" ? 3 : 2 }} spacing="sm">
          <NativeSelect
            label={t.backup.every}
            value={every}
            onChange={(event) => setEvery(event.currentTarget.value)}
            data={[
              { value: "day", label: t.backup.day },
              { value: "week", label: t.backup.week },
            ]}
          />
          {every === "week" && (
            <NativeSelect
              label={t.backup.weekday}
              value={weekday}
              onChange={(event) => setWeekday(event.currentTarget.value)}
              data={Object.entries(t.backup.weekdays).map(([value, label]) => ({ value, label }))}
            />
          )}
          <NativeSelect
            label={t.backup.hour}
            value={String(hour)}
            onChange={(event) => setHour(Number(event.currentTarget.value))}
            data={Array.from({ length: 24 }, (_, n) => ({ value: String(n), label: `${String(n).padStart(2, "0")}:00` }))}
          />
        </SimpleGrid>
        <Text size="xs" c="dimmed">
          {t.backup.zone(schedule.timezone)}
        </Text>
        <Checkbox label={t.backup.withData} checked={data} onChange={(event) => setData(event.currentTarget.checked)} />
        {schedule.external !== null && (
          <NativeSelect
            label={t.backup.target}
            value={target}
            onChange={(event) => setTarget(event.currentTarget.value)}
            data={[
              { value: "server", label: t.backup.onServer },
              { value: "external", label: t.backup.places[schedule.external] },
            ]}
          />
        )}
        <PasswordInput
          label={t.backup.passphrase}
          description={schedule.encrypted ? t.backup.schedulePassphraseStays : t.backup.schedulePassphraseHint}
          autoComplete="new-password"
          name="schedule-passphrase"
          disabled={plain}
          value={passphrase}
          onChange={(event) => setPassphrase(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
          error={about("passphrase")}
        />
        {schedule.encrypted && (
          <Checkbox label={t.backup.plain} checked={plain} onChange={(event) => setPlain(event.currentTarget.checked)} />
        )}
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <NumberInput
            label={t.backup.keepLast}
            min={1}
            max={365}
            allowDecimal={false}
            value={keepLast}
            onChange={setKeepLast}
            error={about("keep_last")}
          />
          <NumberInput
            label={t.backup.keepDays}
            min={1}
            max={3650}
            allowDecimal={false}
            value={keepDays}
            onChange={setKeepDays}
            error={about("keep_days")}
          />
        </SimpleGrid>
        <Text size="xs" c="dimmed">
          {t.backup.keepHint}
        </Text>
        <ErrorNote error={set.error} />
        <Group>
          <Button type="submit" loading={set.isPending}>
            {t.backup.scheduleSave}
          </Button>
          <Text size="sm" role="status">
            {set.isSuccess ? t.saved : ""}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}
