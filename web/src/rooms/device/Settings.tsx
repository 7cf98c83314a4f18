import { Button, Group, Modal, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { DeviceInfo } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { Section } from "../../ui/Section";
import { amountQuery } from "../data/queries";
import { useDeleteDevice, useEditDevice } from "./queries";

/** Name, active switch, and the end of a device. */
export function Settings({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const [name, setName] = useState(device.name);
  const edit = useEditDevice(profileId, device.id);
  const toggle = useEditDevice(profileId, device.id);
  return (
    <Stack gap="lg">
      <Section title={t.devices.settingsCard}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            edit.mutate({ name: name.trim() });
          }}
        >
          <Stack gap="sm" maw={480}>
            <TextInput
              label={t.devices.name}
              name="name"
              required
              maxLength={100}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={edit.error instanceof ApiError ? edit.error.about("name") : undefined}
            />
            <ErrorNote error={edit.error} />
            <Group>
              <Button
                type="submit"
                loading={edit.isPending}
                disabled={name.trim() === device.name || name.trim() === ""}
              >
                {t.save}
              </Button>
              <Text size="sm" role="status">
                {edit.isSuccess ? t.saved : ""}
              </Text>
            </Group>
          </Stack>
        </form>
        <Switch
          label={t.devices.activeSwitch}
          description={t.devices.activeHint}
          checked={toggle.isPending ? toggle.variables.active : device.active}
          onChange={(event) => toggle.mutate({ active: event.currentTarget.checked })}
        />
        <ErrorNote error={toggle.error} />
      </Section>
      <Delete profileId={profileId} device={device} />
    </Stack>
  );
}

function Delete({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const [opened, setOpened] = useState(false);
  const points = useQuery(amountQuery(profileId, device.id)).data;
  const remove = useDeleteDevice(profileId, device.id);
  return (
    <Section title={t.devices.deleteCard} text={t.devices.deleteText}>
      <Group>
        <Button color="red" variant="outline" onClick={() => setOpened(true)}>
          {t.devices.deleteButton}
        </Button>
      </Group>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.devices.deleteTitle(device.name)} centered>
        <Stack>
          <Text size="sm">{points === undefined ? t.devices.deleteText : t.devices.deleteLoss(points, count(points))}</Text>
          <ErrorNote error={remove.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setOpened(false)} data-autofocus>
              {t.cancel}
            </Button>
            <Button
              color="red"
              loading={remove.isPending}
              onClick={() => remove.mutate()}
            >
              {t.devices.deleteConfirm}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Section>
  );
}
