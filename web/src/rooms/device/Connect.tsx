import { Button, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { Snippet } from "../../ui/Snippet";
import { tokensQuery } from "./queries";
import { curlLine, mask, sdkLines } from "./snippets";

/** The device's token and lines that send with it. The token is masked on the screen; copies hold it whole. */
export function Connect({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const tokens = useQuery(tokensQuery(profileId, deviceId));
  const [shown, setShown] = useState(false);
  if (tokens.isPending) return <Loading />;
  if (!tokens.data) return <ErrorNote error={tokens.error} retry={() => void tokens.refetch()} />;
  const token = tokens.data[0]?.token;
  if (!token)
    return (
      <Section title={t.devices.token}>
        <Text size="sm">{t.devices.noToken}</Text>
      </Section>
    );
  const { origin } = window.location;
  const visible = shown ? token : mask(token);
  return (
    <Section title={t.devices.token} text={t.devices.tokenHint}>
      <Group gap="xs">
        <Text className="mono" size="sm" aria-label={shown ? undefined : t.devices.tokenMasked} role={shown ? undefined : "img"}>
          {visible}
        </Text>
        <Group gap={6}>
          <Button
            size="compact-sm"
            variant="default"
            aria-label={shown ? t.devices.tokenHide : t.devices.tokenShow}
            onClick={() => setShown(!shown)}
          >
            {shown ? t.hide : t.show}
          </Button>
          <CopyButton value={token} label={t.devices.tokenCopy} />
        </Group>
      </Group>
      <Stack gap="lg">
        <Snippet
          title={t.devices.curl}
          shown={curlLine(origin, visible)}
          value={curlLine(origin, token)}
          copyLabel={t.devices.curlCopy}
        />
        <Snippet
          title={t.devices.sdk}
          hint={t.devices.sdkHint}
          shown={sdkLines(origin, visible)}
          value={sdkLines(origin, token)}
          copyLabel={t.devices.sdkCopy}
        />
      </Stack>
    </Section>
  );
}
