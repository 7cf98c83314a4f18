import { Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { DeviceInfo, DeviceParam } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { Section } from "../../ui/Section";
import { filled, TagRows } from "../../ui/TagRows";
import { amountQuery } from "../data/queries";
import { Allowed } from "../profile/Allowed";
import { paramsQuery, useDeleteDevice, useEditDevice, useSetParams } from "./queries";

/** Name, tags, parameters, and the end of a device. */
export function Settings({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const [name, setName] = useState(device.name);
  const edit = useEditDevice(profileId, device.id);
  return (
    <Stack gap="lg">
      <Section title={t.devices.settingsCard}>
        <Allowed profileId={profileId} least="developer">
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
        </Allowed>
      </Section>
      <Tags profileId={profileId} device={device} />
      <Params profileId={profileId} deviceId={device.id} />
      <Delete profileId={profileId} device={device} />
    </Stack>
  );
}

function Tags({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const [rows, setRows] = useState(device.tags);
  const edit = useEditDevice(profileId, device.id);
  return (
    <Section title={t.fleet.tags} text={t.fleet.tagsText}>
      <Allowed profileId={profileId} least="developer" silent>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            edit.mutate({ tags: filled(rows) });
          }}
        >
          <Stack gap="sm" maw={560}>
            <TagRows label={t.fleet.tags} hideLabel rows={rows} onChange={setRows} />
            <ErrorNote error={edit.error} />
            <Saver pending={edit.isPending} saved={edit.isSuccess} disabled={same(filled(rows), device.tags)} label={t.tags.save} />
          </Stack>
        </form>
      </Allowed>
    </Section>
  );
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function Saver({ label, pending, saved, disabled }: { label: string; pending: boolean; saved: boolean; disabled: boolean }) {
  return (
    <Group>
      <Button type="submit" variant="default" loading={pending} disabled={disabled}>
        {label}
      </Button>
      <Text size="sm" role="status">
        {saved && disabled ? t.saved : ""}
      </Text>
    </Group>
  );
}

function Params({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const params = useQuery(paramsQuery(profileId, deviceId));
  return (
    <Section title={t.fleet.params} text={t.fleet.paramsText}>
      <ErrorNote error={params.error} retry={() => void params.refetch()} />
      {params.data && <ParamRows key={JSON.stringify(params.data)} profileId={profileId} deviceId={deviceId} before={params.data} />}
    </Section>
  );
}

type ParamRow = Omit<DeviceParam, "id"> & { id?: string };

function ParamRows({ profileId, deviceId, before }: { profileId: string; deviceId: string; before: DeviceParam[] }) {
  const [rows, setRows] = useState<ParamRow[]>(before);
  const edit = useSetParams(profileId, deviceId);
  const set = (at: number, part: Partial<ParamRow>) => setRows(rows.map((row, i) => (i === at ? { ...row, ...part } : row)));
  const after = rows.filter((row) => row.key.trim() !== "");
  return (
    <Allowed profileId={profileId} least="developer" silent>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate({ before, after });
        }}
      >
        <Stack gap="sm" maw={640}>
          {rows.map((row, at) => (
            // Rows hold nothing but what is passed to them.
            // eslint-disable-next-line react/no-array-index-key
            <Group key={at} gap={6} wrap="nowrap">
              <TextInput
                aria-label={t.fleet.paramKeyOf(at + 1)}
                placeholder={t.fleet.paramKey}
                flex={1}
                miw={0}
                maxLength={100}
                value={row.key}
                onChange={(event) => set(at, { key: event.currentTarget.value })}
              />
              <TextInput
                aria-label={t.fleet.paramValueOf(at + 1)}
                placeholder={t.fleet.paramValue}
                flex={1}
                miw={0}
                value={row.value}
                onChange={(event) => set(at, { value: event.currentTarget.value })}
              />
              <Checkbox
                label={t.fleet.paramSent}
                title={t.fleet.paramSentHint}
                checked={row.sent}
                onChange={(event) => set(at, { sent: event.currentTarget.checked })}
              />
              <Button
                variant="subtle"
                color="gray"
                px="xs"
                aria-label={t.fleet.paramRemoveOf(at + 1)}
                onClick={() => setRows(rows.filter((_, i) => i !== at))}
              >
                {t.tags.remove}
              </Button>
            </Group>
          ))}
          {rows.length < 60 && (
            <Group>
              <Button size="compact-sm" variant="default" onClick={() => setRows([...rows, { key: "", value: "", sent: false }])}>
                {t.fleet.paramAdd}
              </Button>
            </Group>
          )}
          <ErrorNote error={edit.error} />
          <Saver pending={edit.isPending} saved={edit.isSuccess} disabled={same(after, before)} label={t.fleet.paramSave} />
        </Stack>
      </form>
    </Allowed>
  );
}

function Delete({ profileId, device }: { profileId: string; device: DeviceInfo }) {
  const [opened, setOpened] = useState(false);
  const points = useQuery(amountQuery(profileId, device.id)).data;
  const remove = useDeleteDevice(profileId, device.id);
  return (
    <Section title={t.devices.deleteCard} text={t.devices.deleteText}>
      <Allowed profileId={profileId} least="developer">
        <Group>
          <Button color="red" variant="outline" onClick={() => setOpened(true)}>
            {t.devices.deleteButton}
          </Button>
        </Group>
      </Allowed>
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
