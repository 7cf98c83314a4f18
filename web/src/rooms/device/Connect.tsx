import { Button, Group, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { Snippet } from "../../ui/Snippet";
import { atLeast, Lacks, useOwnRole } from "../profile/Allowed";
import { Qr } from "./Qr";
import { tokensQuery } from "./queries";
import { arduinoLines, curlLine, mask, sdkLines } from "./snippets";

/** The device's token and lines that send with it. The token is masked on the screen; copies hold it whole. */
export function Connect({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const may = atLeast(useOwnRole(profileId), "developer"); // others are given the end of it, which sends nothing
  const tokens = useQuery({ ...tokensQuery(profileId, deviceId), enabled: may });
  const [shown, setShown] = useState(false);
  if (!may)
    return (
      <Section title={t.devices.token} text={t.devices.tokenHint}>
        <Lacks profileId={profileId} least="developer" />
      </Section>
    );
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
          <Qr value={token} />
        </Group>
      </Group>
      <Tabs defaultValue="curl">
        <Tabs.List aria-label={t.fleet.snippets} mb="sm">
          <Tabs.Tab value="curl">{t.fleet.curl}</Tabs.Tab>
          <Tabs.Tab value="sdk">{t.fleet.sdk}</Tabs.Tab>
          <Tabs.Tab value="arduino">{t.fleet.arduino}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="curl">
          <Snippet
            title={t.devices.curl}
            shown={curlLine(origin, visible)}
            value={curlLine(origin, token)}
            copyLabel={t.devices.curlCopy}
          />
        </Tabs.Panel>
        <Tabs.Panel value="sdk">
          <Snippet
            title={t.fleet.sdk}
            hint={t.devices.sdkHint}
            shown={sdkLines(origin, visible)}
            value={sdkLines(origin, token)}
            copyLabel={t.devices.sdkCopy}
          />
        </Tabs.Panel>
        <Tabs.Panel value="arduino">
          <Snippet
            title={t.fleet.arduino}
            hint={t.fleet.arduinoHint}
            shown={arduinoLines(origin, visible)}
            value={arduinoLines(origin, token)}
            copyLabel={t.fleet.arduinoCopy}
          />
        </Tabs.Panel>
      </Tabs>
    </Section>
  );
}
