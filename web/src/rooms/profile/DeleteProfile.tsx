import { Button, Checkbox, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { ProfileInfo, ProfileSummary } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { asksForCode, CodeField } from "../account/code";
import { statusQuery } from "../account/session";
import { summaryQuery } from "../usage/queries";
import { atLeast } from "./Allowed";
import { MoreCard } from "./MoreCard";
import { useDeleteProfile } from "./queries";

type Info = ProfileInfo["info"];

/** The end of a profile, with a way back unless the owner wants none. */
export function DeleteProfile({ info }: { info: Info }) {
  const [opened, setOpened] = useState(false);
  const may = atLeast(info.role, "owner");
  return (
    <MoreCard
      title={t.settings.moreDelete}
      text={t.settings.moreDeleteText}
      lacks={may ? undefined : t.team.lacks("owner", info.role)}
    >
      <Button color="red" variant="outline" disabled={!may} onClick={() => setOpened(true)}>
        {t.profiles.deleteButton}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.profiles.deleteTitle(info.name)} centered>
        <DeleteForm info={info} cancel={() => setOpened(false)} />
      </Modal>
    </MoreCard>
  );
}

function DeleteForm({ info, cancel }: { info: Info; cancel: () => void }) {
  const summary = useQuery(summaryQuery(info.id)).data;
  const remove = useDeleteProfile(info.id);
  const [typed, setTyped] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asked, setAsked] = useState(false);
  const [purge, setPurge] = useState(false);
  const grace = useQuery(statusQuery).data?.profile_grace ?? 0;
  const forGood = purge || grace === 0;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        remove.mutate(
          { password, ...(purge ? { purge } : {}), ...(asked ? { pin_code: code } : {}) },
          {
            onError: (error) => {
              setCode(""); // each works once
              if (asksForCode(error)) setAsked(true);
            },
          },
        );
      }}
    >
      <Stack>
        <Text size="sm">{summary ? holds(summary, forGood) : t.profiles.deleteText}</Text>
        <Text size="sm">{forGood ? t.profiles.deleteForGood : t.profiles.deleteWayBack(span(grace))}</Text>
        <Text size="sm">{t.profiles.deleteEnds}</Text>
        {grace > 0 && (
          <Checkbox
            label={t.profiles.deletePurge}
            description={t.profiles.deletePurgeHint}
            checked={purge}
            onChange={(event) => setPurge(event.currentTarget.checked)}
          />
        )}
        <TextInput
          label={t.profiles.deleteType(info.name)}
          autoComplete="off"
          data-autofocus
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <PasswordInput
          label={t.profiles.deletePassword}
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        {asked && <CodeField value={code} onChange={setCode} focus />}
        {!asksForCode(remove.error) && <ErrorNote error={remove.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t.cancel}
          </Button>
          <Button type="submit" color="red" disabled={typed !== info.name || !password} loading={remove.isPending}>
            {forGood ? t.profiles.deleteConfirm : t.profiles.deleteGently}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** What goes with a profile, in one sentence. */
function holds(summary: ProfileSummary, forGood: boolean): string {
  const points = summary.limit_used.data_records ?? 0;
  const say = forGood ? t.profiles.deleteLoss : t.profiles.deleteHolds;
  return say(summary.amount.device ?? 0, points, count(points));
}

/** Seconds as days or, when there are less than two, hours. */
function span(seconds: number): string {
  return seconds >= 2 * 86_400 ? t.profiles.days(Math.round(seconds / 86_400)) : t.profiles.hours(Math.max(1, Math.round(seconds / 3600)));
}
