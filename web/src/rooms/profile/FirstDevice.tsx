import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { focused } from "../../ui/focus";
import { ButtonLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Snippet } from "../../ui/Snippet";
import { FirstPoint } from "../data/FirstPoint";
import { amountQuery, newestQuery } from "../data/queries";
import { useCreateDevice } from "../device/queries";
import { curlLine } from "../device/snippets";

interface Props {
  profileId: string;
  name: string;
  /** Why it has no colour and tags, where they were refused. */
  undressed: unknown;
  again: () => void;
}

/** A new profile's first device, made in place: its token, a line to try, and a panel that turns green with the first point. */
export function FirstDevice({ profileId, name, undressed, again }: Props) {
  const [device, setDevice] = useState("");
  const create = useCreateDevice(profileId);
  const made = create.data;
  const called = create.variables?.name ?? "";
  return (
    <Page title={t.profiles.added(name)} profile={name}>
      <ErrorNote error={undressed} title={t.settings.addedButNot} />
      {made ? (
        <>
          <Waiting profileId={profileId} deviceId={made.device_id} />
          <Section title={t.settings.deviceReady(called)} text={t.settings.deviceReadyText}>
            <Stack gap={6}>
              <Text fw={600} size="sm">
                {t.devices.token}
              </Text>
              <Group gap="xs">
                <Text className="mono" size="sm">
                  {made.token}
                </Text>
                <CopyButton value={made.token} label={t.devices.tokenCopy} />
              </Group>
            </Stack>
            <Snippet
              title={t.devices.curl}
              shown={curlLine(window.location.origin, made.token)}
              value={curlLine(window.location.origin, made.token)}
              copyLabel={t.devices.curlCopy}
            />
          </Section>
        </>
      ) : (
        <Section title={t.settings.device} text={t.settings.deviceText}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              create.mutate({ name: device.trim() || t.settings.devicePlaceholder, type: "mutable" });
            }}
          >
            <Stack gap="sm" maw={480}>
              <TextInput
                label={t.settings.deviceName}
                placeholder={t.settings.devicePlaceholder}
                name="device"
                ref={focused}
                maxLength={100}
                value={device}
                onChange={(event) => setDevice(event.currentTarget.value)}
                error={create.error instanceof ApiError ? create.error.about("name") : undefined}
              />
              <ErrorNote error={create.error} />
              <Group>
                <Button type="submit" loading={create.isPending}>
                  {t.settings.deviceButton}
                </Button>
              </Group>
            </Stack>
          </form>
        </Section>
      )}
      <Group>
        {made && (
          <ButtonLink to="/p/$profileId/devices/$deviceId" params={{ profileId, deviceId: made.device_id }}>
            {t.settings.toDevice}
          </ButtonLink>
        )}
        <ButtonLink variant="default" to="/p/$profileId" params={{ profileId }}>
          {t.settings.openProfile}
        </ButtonLink>
        <Button variant="subtle" onClick={again}>
          {t.settings.addAnother}
        </Button>
      </Group>
    </Page>
  );
}

function Waiting({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const held = useQuery({ ...amountQuery(profileId, deviceId), refetchInterval: (query) => (query.state.data ? false : 1000) });
  const points = useQuery({ ...newestQuery(profileId, deviceId), enabled: Boolean(held.data), refetchInterval: false });
  return (
    <>
      <FirstPoint point={points.data} />
      <ErrorNote error={held.error ?? points.error} />
    </>
  );
}
