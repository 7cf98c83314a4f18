import { Alert, Button, Checkbox, Code, Group, Radio, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { NotifySettings } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { deliveriesQuery, settingsQuery, useSettings, useTrial } from "./queries";

const kinds = ["limit", "silent", "recovered", "token", "team", "billing", "budget", "overrun", "backup", "system"] as const;

/** What this person is told and how, and what became of it: of one profile, or without one of all that the account has. */
export function AlertSettings({ profile }: { profile?: string }) {
  const settings = useQuery(settingsQuery(profile));
  if (settings.isPending) return <Loading />;
  if (!settings.data) return <ErrorNote error={settings.error} retry={() => void settings.refetch()} />;
  return (
    <>
      <Choices profile={profile} settings={settings.data} />
      <Webhook key={profile} profile={profile} settings={settings.data} />
      <Trial profile={profile} />
      <History profile={profile} />
    </>
  );
}

function Choices({ profile, settings }: { profile?: string; settings: NotifySettings }) {
  const change = useSettings(profile);
  return (
    <Section title={t.notify.choose} text={profile ? t.notify.chooseText : t.notify.chooseTextAccount}>
      {!settings.mail_server && <Alert color="yellow">{t.notify.noMail}</Alert>}
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.notify.kind}</Table.Th>
            <Table.Th>{t.notify.channels.mail}</Table.Th>
            <Table.Th>{t.notify.channels.notice}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {kinds.map((kind) => (
            <Table.Tr key={kind}>
              <Table.Td>{t.notify.kinds[kind]}</Table.Td>
              {(["mail", "notice"] as const).map((channel) => (
                <Table.Td key={channel}>
                  <Group gap="xs" wrap="nowrap">
                    <Checkbox
                      aria-label={`${t.notify.kinds[kind]}: ${t.notify.channels[channel]}`}
                      checked={settings[channel][kind] ?? true}
                      onChange={(event) => change.mutate({ [channel]: { [kind]: event.currentTarget.checked } })}
                    />
                    {typeof settings.own?.[channel][kind] === "boolean" && (
                      <Button
                        variant="subtle"
                        size="compact-xs"
                        aria-label={t.notify.followLabel(t.notify.kinds[kind], t.notify.channels[channel])}
                        onClick={() => change.mutate({ [channel]: { [kind]: null } })}
                      >
                        {t.notify.follow}
                      </Button>
                    )}
                  </Group>
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <ErrorNote error={change.error} />
    </Section>
  );
}

type Place = "account" | "own" | "none";

function Webhook({ profile, settings }: { profile?: string; settings: NotifySettings }) {
  const hook = settings.webhook;
  const own = hook?.from === (profile ? "profile" : "account") ? hook : null;
  const now: Place = own || !profile ? "own" : settings.webhook_off ? "none" : "account";
  const [place, setPlace] = useState<Place>(now);
  const [url, setURL] = useState(own?.url ?? "");
  const change = useSettings(profile);
  const secret = change.data?.webhook_secret;
  const asked = place === "own" ? url.trim() : "";
  return (
    <Section title={t.notify.channels.webhook} text={profile ? t.notify.webhookText : t.notify.webhookTextAccount}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // Without an address the account has none, and a profile follows the account.
          change.mutate({ webhook: place === "none" ? { url: "" } : asked === "" ? null : { url: asked } });
        }}
      >
        <Stack gap="sm" maw={560}>
          {profile && (
            <Radio.Group label={t.notify.webhookPlace} value={place} onChange={(value) => setPlace(value as Place)}>
              <Stack gap={6} mt={6}>
                {(["account", "own", "none"] as const).map((one) => (
                  <Radio key={one} value={one} label={t.notify.webhookPlaces[one]} />
                ))}
              </Stack>
            </Radio.Group>
          )}
          {profile && hook?.from === "account" && place === "account" && <Text size="sm">{t.notify.webhookOfAccount(hook.origin)}</Text>}
          {place === "own" && (
            <TextInput
              label={t.notify.webhookURL}
              name="url"
              placeholder="https://example.com/paddock"
              value={url}
              maxLength={2000}
              onChange={(event) => setURL(event.currentTarget.value)}
              error={change.error instanceof ApiError ? change.error.about("webhook.url") : undefined}
            />
          )}
          <Group>
            <Button type="submit" loading={change.isPending} disabled={place === now && asked === (own?.url ?? "")}>
              {t.save}
            </Button>
            {own?.url && (
              <Button variant="default" loading={change.isPending} onClick={() => change.mutate({ webhook: { url: own.url ?? "", rotate: true } })}>
                {t.notify.rotate}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
      {secret && (
        <Alert color="paddock" title={t.notify.secretTitle} role="status">
          <Group gap="xs">
            <Code style={{ overflowWrap: "anywhere" }}>{secret}</Code>
            <CopyButton value={secret} label={`${t.copy}: ${t.notify.secret}`} size="compact-xs" />
          </Group>
        </Alert>
      )}
      <ErrorNote error={change.error} />
      {own?.url && <Posted profile={profile} url={own.url} kinds={own.kinds} />}
    </Section>
  );
}

/** Which kinds go to a webhook. */
function Posted({ profile, url, kinds: posted }: { profile?: string; url: string; kinds: Record<string, boolean> }) {
  const change = useSettings(profile);
  return (
    <>
      <Checkbox.Group
        label={t.notify.posted}
        value={kinds.filter((kind) => posted[kind] ?? true)}
        onChange={(chosen) => change.mutate({ webhook: { url, kinds: Object.fromEntries(kinds.map((kind) => [kind, chosen.includes(kind)])) } })}
      >
        <Stack gap={6} mt={6}>
          {kinds.map((kind) => (
            <Checkbox key={kind} value={kind} label={t.notify.kinds[kind]} disabled={change.isPending} />
          ))}
        </Stack>
      </Checkbox.Group>
      <ErrorNote error={change.error} />
    </>
  );
}

function Trial({ profile }: { profile?: string }) {
  const trial = useTrial(profile);
  return (
    <Section title={t.notify.test} text={t.notify.testText}>
      <Group>
        <Button variant="default" loading={trial.isPending} onClick={() => trial.mutate()}>
          {t.notify.testButton}
        </Button>
      </Group>
      <Stack gap={4} role="status">
        {trial.data?.map((one) => (
          <Text key={one.channel} size="sm">
            {t.notify.channels[one.channel]}: {one.ok ? "✓" : "✗"} {one.detail}
          </Text>
        ))}
      </Stack>
      <ErrorNote error={trial.error} />
    </Section>
  );
}

function History({ profile }: { profile?: string }) {
  const time = useTime();
  const list = useQuery(deliveriesQuery(profile));
  return (
    <Section title={t.notify.history} text={t.notify.historyText}>
      {list.data && list.data.length === 0 && <Text size="sm">{t.notify.noHistory}</Text>}
      <ErrorNote error={list.error} />
      {list.data && list.data.length > 0 && (
        <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "group", "aria-label": t.notify.history } }}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                {[t.notify.when, t.notify.what, t.notify.how, t.notify.state, t.notify.attempts, t.notify.reason].map((head) => (
                  <Table.Th key={head}>{head}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td className="nowrap">{time(one.created_at)}</Table.Td>
                  <Table.Td>{one.title}</Table.Td>
                  <Table.Td>
                    {t.notify.channels[one.channel]}
                    {one.target ? ` · ${one.target}` : ""}
                  </Table.Td>
                  <Table.Td>{t.notify.statuses[one.status]}</Table.Td>
                  <Table.Td>{one.attempts}</Table.Td>
                  <Table.Td>{one.reason ?? t.none}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}
