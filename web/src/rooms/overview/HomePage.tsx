import { Button, Card, Group, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, count, useDates } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Allowed, atLeast, useOwnRole } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { Offered } from "../transfer/Offered";
import { Dot } from "./Dot";
import { type Health, activityQuery, healthQuery, type ServiceUse, useAsk, useResume } from "./queries";
import { RaiseForm } from "./RaiseForm";
import { Refusals } from "./Refusals";
import { Today } from "./Today";
import { limitName, list, nearDay, sentence, serviceName, useWhen } from "./words";

const route = getRouteApi("/_in/p/$profileId/");

/** How a profile is, in one sentence, and what can be done about it. */
export function HomePage() {
  const { profileId } = route.useParams();
  return <Home key={profileId} profileId={profileId} />;
}

function Home({ profileId }: { profileId: string }) {
  const name = useProfileName(profileId);
  const health = useQuery(healthQuery(profileId));
  return (
    <Page title={t.nav.home} profile={name}>
      <Offered />
      {health.isPending && <Loading />}
      {!health.data && <ErrorNote error={health.error} retry={() => void health.refetch()} />}
      {health.data && <Facts profileId={profileId} health={health.data} />}
    </Page>
  );
}

function Facts({ profileId, health }: { profileId: string; health: Health }) {
  const role = useOwnRole(profileId);
  const [raising, setRaising] = useState<string>();
  const [raised, setRaised] = useState("");
  const fresh = health.state === "new";
  const raise = (service: string | undefined): void => {
    setRaised("");
    setRaising(service);
  };
  return (
    <Stack gap="lg">
      <Sentence profileId={profileId} health={health} raising={raising} raise={raise} raised={raised} setRaised={setRaised} />
      {fresh && <FirstSteps profileId={profileId} devices={health.devices} />}
      {!fresh && (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <Stack gap="lg">
            <Section title={t.overview.today}>
              <Today health={health} />
            </Section>
            <Refusals profileId={profileId} health={health} raise={raise} />
          </Stack>
          <Section title={t.overview.using}>
            <Services uses={health.services} />
          </Section>
        </SimpleGrid>
      )}
      {health.silent.count > 0 && <Silent profileId={profileId} health={health} />}
      {fresh && health.refusals.groups.length > 0 && <Refusals profileId={profileId} health={health} raise={raise} />}
      {atLeast(role, "admin") && <Activity profileId={profileId} />}
    </Stack>
  );
}

interface SentenceProps {
  profileId: string;
  health: Health;
  raising: string | undefined;
  raise: (service: string | undefined) => void;
  raised: string;
  setRaised: (text: string) => void;
}

/** The sentence, and what mends it in place. */
function Sentence({ profileId, health, raising, raise, raised, setRaised }: SentenceProps) {
  const when = useWhen();
  const resume = useResume(profileId);
  const tight = health.services.filter((use) => use.state !== "ok" && use.allocation !== null);
  // What is used up comes before what is nearly so; the form is of one.
  const urgent = tight.filter((use) => use.state === "blocked");
  const offered = urgent.length > 0 ? urgent : tight;
  const form = health.services.find((use) => use.service === raising);
  return (
    <Card withBorder padding="lg" component="section" aria-label={t.overview.health}>
      <Stack gap="md">
        <Group wrap="nowrap" align="flex-start" gap="md">
          <Dot status={health.state} size={16} mt={9} />
          <Stack gap={6} miw={0}>
            <div role="status">
              <Title order={2} size="h3" fw={600} lh={1.35} style={{ overflowWrap: "anywhere", textWrap: "pretty" }}>
                {sentence(health, when)}
              </Title>
            </div>
            {health.state === "blocked" && (
              <Text c="dimmed">
                {t.overview.blockedMore} {t.overview.receivingToo(count(health.points_today), health.points_today)}
              </Text>
            )}
            {health.state === "near" && <Text c="dimmed">{t.overview.okSentence(count(health.points_today), health.points_today, health.silent.count)}</Text>}
            {health.refusals.rates_1h.length > 0 && (
              <Text c="dimmed">{t.overview.rates(list(health.refusals.rates_1h.map((rate) => limitName(rate.limit))))}</Text>
            )}
            {raised && (
              <Text size="sm" c="var(--paddock-good)">
                {raised}
              </Text>
            )}
          </Stack>
        </Group>
        {health.paused &&
          (health.paused.by_operator ? (
            <Text size="sm" c="dimmed">
              {t.overview.pausedByOperator}
            </Text>
          ) : (
            <Allowed profileId={profileId} least="admin">
              <Group>
                <Button loading={resume.isPending} onClick={() => resume.mutate()}>
                  {t.overview.resume}
                </Button>
              </Group>
              <ErrorNote error={resume.error} />
            </Allowed>
          ))}
        {form && health.may_raise && !health.only_profile ? (
          <RaiseForm
            key={form.service}
            profileId={profileId}
            use={form}
            close={() => raise(undefined)}
            done={(text) => {
              raise(undefined);
              setRaised(text);
            }}
          />
        ) : (
          offered.length > 0 && <Remedy profileId={profileId} health={health} offered={offered} raise={raise} />
        )}
      </Stack>
    </Card>
  );
}

/** What one can do about services that are used up or nearly so: raise them, or ask who may. */
function Remedy({ profileId, health, offered, raise }: { profileId: string; health: Health; offered: ServiceUse[]; raise: (service: string) => void }) {
  const dates = useDates();
  const ask = useAsk(profileId);
  if (health.may_raise && health.only_profile)
    return (
      <Group gap="sm">
        <Text size="sm" c="dimmed">
          {t.overview.onlyProfile}
        </Text>
        <TextLink to="/cost/subscription" size="sm">
          {t.overview.plan}
        </TextLink>
      </Group>
    );
  const one = offered.length === 1;
  if (health.may_raise)
    return (
      <Group gap="xs">
        {offered.map((use, at) => (
          <Button key={use.service} variant={at === 0 ? "filled" : "default"} onClick={() => raise(use.service)}>
            {one ? t.overview.raise : t.overview.raiseOf(serviceName(use.service))}
          </Button>
        ))}
      </Group>
    );
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">
        {t.overview.askText(health.owner.name)}
      </Text>
      <Group gap="xs">
        {offered.map((use, at) =>
          use.asked_at ? (
            <Text key={use.service} size="sm">
              {t.overview.asked(health.owner.name, dates.near(use.asked_at))}
            </Text>
          ) : (
            <Button
              key={use.service}
              variant={at === 0 ? "filled" : "default"}
              loading={ask.isPending && ask.variables === use.service}
              onClick={() => ask.mutate(use.service)}
            >
              {one ? t.overview.ask : t.overview.askOf(serviceName(use.service))}
            </Button>
          ),
        )}
      </Group>
      <ErrorNote error={ask.error} />
    </Stack>
  );
}

/** Each service in use as a small meter, the tightest first. */
function Services({ uses }: { uses: ServiceUse[] }) {
  const when = useWhen();
  return (
    <Stack gap="sm">
      {uses.map((use) => {
        const percent = Math.min(100, Math.floor((use.share ?? 0) * 100));
        const notes = [
          use.runs_out_on && use.limit !== null ? t.overview.runsOut(nearDay(use.runs_out_on)) : "",
          use.limit !== null && use.resets_at ? t.overview.resets(when.day(use.resets_at)) : "",
          use.policy === "pool" ? t.overview.pool : use.policy === "overage" ? t.overview.overage : "",
        ].filter(Boolean);
        return (
          <Stack key={use.service} gap={4}>
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <Text size="sm" fw={500}>
                {serviceName(use.service)}
              </Text>
              <Text size="sm" className="nowrap" c={use.limit === null ? "dimmed" : undefined} style={{ fontVariantNumeric: "tabular-nums" }}>
                {use.limit === null ? t.overview.noLimit(amount(use.used)) : t.overview.usedOf(amount(use.used), amount(use.limit))}
              </Text>
            </Group>
            {use.limit !== null && (
              <Progress.Root size="sm">
                <Progress.Section
                  value={percent}
                  color={use.state === "blocked" ? "red" : use.state === "near" ? "yellow" : "paddock"}
                  aria-label={`${serviceName(use.service)}: ${t.usage.share(percent)}`}
                />
              </Progress.Root>
            )}
            {notes.length > 0 && (
              <Text size="xs" c="dimmed">
                {notes.join(" · ")}
              </Text>
            )}
          </Stack>
        );
      })}
    </Stack>
  );
}

function Silent({ profileId, health }: { profileId: string; health: Health }) {
  const dates = useDates();
  const { count: silent, devices } = health.silent;
  return (
    <Section title={t.overview.silentTitle}>
      <Stack gap="xs">
        {devices.map((device) => (
          <Group key={device.id} justify="space-between" gap="xs">
            <TextLink to="/p/$profileId/devices/$deviceId" params={{ profileId, deviceId: device.id }} fw={500} style={{ overflowWrap: "anywhere" }}>
              {device.name}
            </TextLink>
            <Text size="sm" c="dimmed">
              {device.last_input ? t.overview.silentSince(dates.near(device.last_input)) : t.overview.silentNever}
            </Text>
          </Group>
        ))}
        {silent > devices.length && (
          <TextLink to="/p/$profileId/alerts" params={{ profileId }} size="sm">
            {t.overview.silentMore(silent - devices.length)}
          </TextLink>
        )}
      </Stack>
    </Section>
  );
}

/** What to do in a profile to which nothing has come. */
function FirstSteps({ profileId, devices }: { profileId: string; devices: number }) {
  return (
    <Section title={t.overview.first} text={t.overview.firstText}>
      {devices > 0 ? (
        <Group gap="sm">
          <Text size="sm">{t.overview.firstWaiting}</Text>
          <ButtonLink to="/p/$profileId/devices" params={{ profileId }} variant="default">
            {t.overview.firstSend}
          </ButtonLink>
        </Group>
      ) : (
        <Allowed profileId={profileId} least="developer">
          <Group>
            <ButtonLink to="/p/$profileId/devices/add" params={{ profileId }}>
              {t.overview.firstAdd}
            </ButtonLink>
          </Group>
        </Allowed>
      )}
    </Section>
  );
}

/** Who changed what last, for those who may know. */
function Activity({ profileId }: { profileId: string }) {
  const dates = useDates();
  const events = useQuery(activityQuery(profileId));
  return (
    <Section title={t.overview.activity}>
      <ErrorNote error={events.error} retry={() => void events.refetch()} />
      {events.isPending && <Loading />}
      {events.data?.length === 0 && (
        <Text size="sm" c="dimmed">
          {t.overview.activityNone}
        </Text>
      )}
      <Stack gap="xs">
        {events.data?.map((event) => (
          <Group key={event.id} justify="space-between" gap="xs" align="baseline">
            <Text size="sm" flex="1 1 12rem" style={{ overflowWrap: "anywhere" }}>
              {event.message}
            </Text>
            <Text size="sm" c="dimmed">
              {event.you ? t.audit.you : event.name} · {dates.near(event.date)}
            </Text>
          </Group>
        ))}
      </Stack>
      <TextLink to="/p/$profileId/auditlog" params={{ profileId }} size="sm">
        {t.overview.activityAll}
      </TextLink>
    </Section>
  );
}
