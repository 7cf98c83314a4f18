import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { ProfileInfo } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { atLeast } from "./Allowed";
import { MoreCard } from "./MoreCard";
import { usePause, useResume } from "./queries";

/** Blocks a profile with a reason, or ends that. */
export function Pause({ info }: { info: ProfileInfo["info"] }) {
  const [opened, setOpened] = useState(false);
  const may = atLeast(info.role, "admin");
  const resume = useResume(info.id);
  const lacks = may ? undefined : t.team.lacks("admin", info.role, t.settings.pausing);
  if (info.paused)
    return (
      <MoreCard title={t.settings.resume} text={t.settings.resumeText(info.pause_reason ?? "")} lacks={lacks}>
        <Stack gap="xs">
          <ErrorNote error={resume.error} />
          <Group>
            <Button disabled={!may} loading={resume.isPending} onClick={() => resume.mutate()}>
              {t.settings.resumeButton}
            </Button>
          </Group>
        </Stack>
      </MoreCard>
    );
  return (
    <MoreCard title={t.settings.morePause} text={t.settings.morePauseText} lacks={lacks}>
      <Button variant="default" disabled={!may} onClick={() => setOpened(true)}>
        {t.settings.pauseButton}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.settings.pauseTitle(info.name)} centered>
        <PauseForm info={info} close={() => setOpened(false)} />
      </Modal>
    </MoreCard>
  );
}

function PauseForm({ info, close }: { info: ProfileInfo["info"]; close: () => void }) {
  const [reason, setReason] = useState("");
  const pause = usePause(info.id);
  const about = pause.error instanceof ApiError ? pause.error.about("reason") : undefined;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        pause.mutate(reason.trim(), { onSuccess: close });
      }}
    >
      <Stack>
        <Text size="sm">{t.settings.pauseLoses}</Text>
        <TextInput
          label={t.settings.pauseReason}
          description={t.settings.pauseReasonHint}
          required
          data-autofocus
          maxLength={200}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          error={about}
        />
        <ErrorNote error={pause.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" color="red" disabled={reason.trim() === ""} loading={pause.isPending}>
            {t.settings.pauseConfirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
