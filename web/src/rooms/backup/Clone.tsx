import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { atLeast } from "../profile/Allowed";
import { MoreCard } from "../profile/MoreCard";
import { useClone } from "./queries";

/** Among what can be done with a profile: a copy of it. */
export function Clone({ profileId, name, role }: { profileId: string; name: string; role: string }) {
  const [opened, setOpened] = useState(false);
  const may = atLeast(role, "owner");
  return (
    <MoreCard
      title={t.settings.moreClone}
      text={t.settings.moreCloneText}
      lacks={may ? undefined : t.team.lacks("owner", role)}
    >
      <Button variant="default" disabled={!may} onClick={() => setOpened(true)}>
        {t.settings.cloneButton}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.settings.cloneTitle(name)} centered>
        <CloneForm profileId={profileId} name={name} close={() => setOpened(false)} />
      </Modal>
    </MoreCard>
  );
}

function CloneForm({ profileId, name, close }: { profileId: string; name: string; close: () => void }) {
  const clone = useClone(profileId);
  const [to, setTo] = useState(t.backup.cloneOf(name));
  if (clone.data)
    return (
      <Stack>
        <Text size="sm" role="status">
          {t.backup.cloned}
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.close}
          </Button>
          <ButtonLink to="/p/$profileId/devices" params={{ profileId: clone.data.profile }}>
            {t.profiles.open(clone.data.name)}
          </ButtonLink>
        </Group>
      </Stack>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        clone.mutate(to.trim());
      }}
    >
      <Stack>
        <TextInput
          label={t.backup.cloneName}
          description={t.backup.cloneHint}
          name="clone"
          required
          data-autofocus
          maxLength={100}
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
          error={clone.error instanceof ApiError ? clone.error.about("name") : undefined}
        />
        <ErrorNote error={clone.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={clone.isPending} disabled={to.trim() === ""}>
            {t.backup.cloneButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
