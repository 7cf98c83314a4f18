import { Alert, Anchor, Badge, Button, Card, Code, Group, List, Progress, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { numberText } from "../../ui/formats";
import { Page } from "../../ui/Page";
import { bytes } from "../backup/size";
import { Answered, Facts, Part } from "./Frame";
import { type Concern, type Home, homeQuery, type Run, sendTestMail, startVerify, useOperate, verifyQuery } from "./queries";

/** How the server stands: a sentence, then a card for each part, those that need a hand first. */
export function OperatorPage() {
  const home = useQuery(homeQuery);
  return (
    <Answered query={home}>
      {(data) => (
        <Page title={t.operator.title} text={t.operator.text}>
          <Sentence home={data} />
          <Cards home={data} />
        </Page>
      )}
    </Answered>
  );
}

type Dates = ReturnType<typeof useDates>;

/** A concern in words. */
function wordsOf(one: Concern, dates: Dates): string {
  const words = t.operator.concerns;
  const at = one.at ? dates.day(one.at) : "";
  switch (one.kind) {
    case "disk":
      return one.count >= 0 && one.count < 1000 ? words.diskDays(one.count) : words.disk;
    case "backup_failed":
    case "verify_failed":
      return words[one.kind](one.detail);
    case "backup_old":
    case "verify_old":
      return words[one.kind](at);
    case "backup_none":
      return words.backup_none;
    case "mail_stuck":
    case "flood":
      return words[one.kind](one.count, one.detail);
    default:
      return words[one.kind](one.count);
  }
}

/** What a kind of concern is shown at. */
const cardOf: Record<Concern["kind"], string> = {
  disk: "disk",
  backup_failed: "backups",
  backup_none: "backups",
  backup_old: "backups",
  profile_backups: "backups",
  mail_stuck: "mail",
  mail_refused: "mail",
  mail_waiting: "mail",
  verify_found: "verify",
  verify_failed: "verify",
  verify_old: "verify",
  flood: "floods",
  transfers: "waiting",
  tickets: "waiting",
  sign_ins: "signIns",
  past_due: "waiting",
};

function Sentence({ home }: { home: Home }) {
  const dates = useDates();
  const words = t.operator;
  if (home.concerns.length === 0)
    return (
      <Alert color="green" variant="light" title={words.well} role="status">
        <Text size="sm">{words.wellText(dates.clock(home.at))}</Text>
      </Alert>
    );
  const red = home.concerns.some((one) => one.level === "red");
  return (
    <Alert color={red ? "red" : "yellow"} variant="light" title={words.hand(home.concerns.length)} role="status">
      <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: "none" }}>
        {home.concerns.map((one) => (
          <Group key={one.kind} component="li" gap="xs" wrap="nowrap" align="baseline">
            <Text size="xs" fw={700} c={one.level === "red" ? "red" : undefined} w={44} style={{ flex: "none" }}>
              {words.levels[one.level]}
            </Text>
            <Anchor size="sm" c="inherit" underline="always" href={`#${cardOf[one.kind]}`} style={{ overflowWrap: "anywhere" }}>
              {wordsOf(one, dates)}
            </Anchor>
          </Group>
        ))}
      </Stack>
    </Alert>
  );
}

type Tone = "red" | "yellow" | undefined;

function Cards({ home }: { home: Home }) {
  const tone = (card: string): Tone => {
    const levels = home.concerns.filter((one) => cardOf[one.kind] === card).map((one) => one.level);
    return levels.includes("red") ? "red" : levels.includes("yellow") ? "yellow" : undefined;
  };
  const cards: [name: string, card: (props: { home: Home; tone: Tone }) => ReactNode][] = [
    ["verify", Verify],
    ["mail", Mail],
    ["backups", Backups],
    ["disk", Disk],
    ["waiting", Waiting],
    ["floods", Floods],
    ["signIns", SignIns],
    ["server", Server],
    ["sessions", Sessions],
  ];
  const weight = (name: string) => ({ red: 0, yellow: 1, none: 2 })[tone(name) ?? "none"];
  return (
    <div style={{ columns: "2 400px", columnGap: "var(--mantine-spacing-md)" }}>
      {cards
        .map(([name, Shown], at) => ({ name, Shown, at }))
        .sort((a, b) => weight(a.name) - weight(b.name) || a.at - b.at)
        .map(({ name, Shown }) => (
          <div key={name} id={name} style={{ breakInside: "avoid", paddingBottom: "var(--mantine-spacing-md)", scrollMarginTop: 72 }}>
            <Shown home={home} tone={tone(name)} />
          </div>
        ))}
    </div>
  );
}

function Panel({ title, text, tone, action, children }: { title: string; text?: string; tone: Tone; action?: ReactNode; children: ReactNode }) {
  return (
    <Card
      withBorder
      padding="lg"
      component="section"
      style={tone && { borderInlineStart: `4px solid var(--mantine-color-${tone}-${tone === "red" ? 7 : 5})` }}
    >
      <Stack gap="md">
        <Group justify="space-between" align="flex-start" gap="xs">
          <div style={{ flex: "1 1 200px" }}>
            <Title order={2} size="h4">
              {title}
            </Title>
            {text && (
              <Text size="sm" c="dimmed">
                {text}
              </Text>
            )}
          </div>
          {action}
        </Group>
        {children}
      </Stack>
    </Card>
  );
}

interface Props {
  home: Home;
  tone: Tone;
}

function Disk({ home, tone }: Props) {
  const words = t.operator.disk;
  const disk = home.disk;
  const used = disk.free !== null && disk.total ? 1 - disk.free / disk.total : undefined;
  const growth =
    disk.growth === null ? words.tooNew : disk.growth <= 0 ? words.leftNever : words.perDay(bytes(disk.growth));
  return (
    <Panel title={words.title} tone={tone}>
      {used !== undefined && (
        <Progress
          value={used * 100}
          color={tone ?? "paddock"}
          size="md"
          aria-label={words.share(Math.round(used * 100))}
        />
      )}
      <Facts
        rows={[
          [words.free, disk.free !== null && disk.total !== null ? words.of(bytes(disk.free), bytes(disk.total)) : words.unknown],
          [words.database, bytes(disk.database)],
          ...(disk.files_place === null
            ? ([[words.files, disk.files === null ? words.later : bytes(disk.files)]] as [string, ReactNode][])
            : []),
          [words.growth, growth],
          ...(disk.days_left !== null ? ([[words.left, words.days(Math.floor(disk.days_left))]] as [string, ReactNode][]) : []),
        ]}
      />
      {!disk.database_here && (
        <Text size="sm" c="dimmed">
          {words.elsewhere}
        </Text>
      )}
      {disk.files_place !== null && (
        <Text size="sm" c="dimmed">
          {words.filesElsewhere(disk.files_place)}
        </Text>
      )}
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {words.folder(disk.folder)}
      </Text>
    </Panel>
  );
}

const backupLine = "paddock backup /backup --keep 14";

function Backups({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.backups;
  const { last, failed, troubles, schedules } = home.backups;
  return (
    <Panel title={words.title} tone={tone}>
      <Part title={words.server}>
        {failed && (
          <Alert color="red" variant="light" title={words.failed(dates.minute(failed.at))}>
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              {failed.failure}
            </Text>
          </Alert>
        )}
        {last ? (
          <>
            <Text size="sm">{words.last(dates.minute(last.at), bytes(last.bytes))}</Text>
            <Text size="xs" c="dimmed" className="mono">
              {last.folder}
            </Text>
            {!last.key && <Text size="sm">{words.withoutKey}</Text>}
            {!last.database && <Text size="sm">{words.withoutDatabase}</Text>}
          </>
        ) : (
          <>
            <Text size="sm">{words.none}</Text>
            <Group gap="xs" wrap="nowrap">
              <Code>{backupLine}</Code>
              <CopyButton value={backupLine} label={`${t.copy}: ${backupLine}`} size="compact-xs" />
            </Group>
          </>
        )}
        <Text size="xs" c="dimmed">
          {words.unseen}
        </Text>
      </Part>
      <Part title={words.profiles}>
        <Text size="sm">
          {words.schedules(schedules)} {troubles.length === 0 && words.fine}
        </Text>
        {troubles.map((row) => (
          <Text size="sm" key={`${row.profile} ${row.at}`} style={{ overflowWrap: "anywhere" }}>
            <b>{row.name}</b> {row.reason ?? words.missing}{" "}
            <Text span size="xs" c="dimmed">
              {words.since(dates.minute(row.at))}
            </Text>
          </Text>
        ))}
      </Part>
    </Panel>
  );
}

function Mail({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.mail;
  const test = useOperate(sendTestMail);
  const mail = home.mail;
  return (
    <Panel title={words.title} tone={tone} action={<TextLink to="/outbox" size="sm">{words.outbox}</TextLink>}>
      {mail.server === null ? (
        <Text size="sm">{words.noServer}</Text>
      ) : (
        <Text size="sm">
          {words.by}{" "}
          <span className="mono">{mail.server}</span>
        </Text>
      )}
      <Facts
        rows={[
          [words.waiting, mail.tried > 0 ? `${count(mail.waiting)} (${words.tried(mail.tried)})` : count(mail.waiting)],
          [words.refused, count(mail.refused)],
          ...(mail.oldest_at ? ([[words.oldest, dates.minute(mail.oldest_at)]] as [string, ReactNode][]) : []),
          ...(mail.reason ? ([[words.reason, mail.reason]] as [string, ReactNode][]) : []),
        ]}
      />
      <Group>
        <Button variant="default" loading={test.isPending} onClick={() => test.mutate(undefined)}>
          {words.test}
        </Button>
      </Group>
      <div role="status">
        {test.data && (
          <Alert color={test.data.sent ? "green" : "red"} variant="light">
            <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
              {test.data.sent ? words.sent(test.data.to, String(test.data.seconds)) : words.notSent(test.data.to)}
            </Text>
            <Text size="sm" mt={4} className="mono">
              {test.data.answer}
            </Text>
          </Alert>
        )}
      </div>
      <ErrorNote error={test.error} />
    </Panel>
  );
}

function Verify({ tone }: Props) {
  const dates = useDates();
  const words = t.operator.verify;
  const query = useQuery(verifyQuery);
  const start = useOperate(startVerify);
  const data = query.data;
  const running = data?.running ?? null;
  return (
    <Panel
      title={words.title}
      text={words.text}
      tone={tone}
      action={
        <Button disabled={!data || running !== null} loading={start.isPending} onClick={() => start.mutate(undefined)}>
          {words.run}
        </Button>
      }
    >
      {running && (
        <Stack gap={4} role="status">
          <Text size="sm" fw={600}>
            {words.running}
          </Text>
          <Progress value={share(running) * 100} animated size="md" aria-label={words.running} />
          <Text size="xs" c="dimmed">
            {words.step(words.steps[running.step] ?? running.step, Math.round(share(running) * 100))}
          </Text>
        </Stack>
      )}
      {data && (data.last ? <Outcome run={data.last} dates={dates} /> : !running && <Text size="sm">{words.never}</Text>)}
      {data && (
        <Text size="xs" c="dimmed">
          {words.schedules[data.schedule]}
        </Text>
      )}
      <ErrorNote error={start.error} />
      <ErrorNote error={query.error} />
    </Panel>
  );
}

const share = (run: Run) => (run.total > 0 ? run.done / run.total : 0);

/** What the last verification came to. */
function Outcome({ run, dates }: { run: Run; dates: Dates }) {
  const words = t.operator.verify;
  const [looked, ...notes] = run.checked.split("\n");
  const took = run.ended_at ? (Date.parse(run.ended_at) - Date.parse(run.began_at)) / 1000 : 0;
  return (
    <Stack gap={6}>
      <Group gap="xs">
        <Badge variant="light" tt="none" color={run.ok ? "green" : run.failure ? "yellow" : "red"}>
          {run.ok ? words.fine : run.failure ? words.cut : words.found(run.found)}
        </Badge>
        <Text size="sm" c="dimmed">
          {words.when(dates.minute(run.began_at), words.seconds(took))}, {run.by ? words.by(run.by) : (words.origins[run.origin] ?? run.origin)}
        </Text>
      </Group>
      {run.failure && <Text size="sm">{run.failure}</Text>}
      {looked && (
        <Text size="sm">
          {words.looked}: {looked}.
        </Text>
      )}
      {notes.map((line) => (
        <Text key={line} size="xs" c="dimmed">
          {line.charAt(0).toUpperCase() + line.slice(1)}.
        </Text>
      ))}
      {run.findings.length > 0 && (
        <Part title={words.lines}>
          <List size="sm" spacing={2} mah={240} style={{ overflow: "auto" }} tabIndex={0} aria-label={words.lines}>
            {run.findings.map((line) => (
              <List.Item key={line} style={{ overflowWrap: "anywhere" }}>
                {line}
              </List.Item>
            ))}
          </List>
          {run.found > run.findings.length && (
            <Text size="sm" c="dimmed">
              {words.more(run.found - run.findings.length)}
            </Text>
          )}
        </Part>
      )}
    </Stack>
  );
}

function Waiting({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.waiting;
  return (
    <Panel
      title={words.title}
      tone={tone}
      action={
        <Group gap="md">
          <TextLink to="/desk" size="sm">
            {words.desk}
          </TextLink>
          <TextLink to="/transfer" size="sm">
            {words.toTransfers}
          </TextLink>
        </Group>
      }
    >
      <Facts
        rows={[
          [
            words.tickets,
            home.tickets.oldest_at ? `${count(home.tickets.open)}, ${words.oldest(dates.minute(home.tickets.oldest_at))}` : count(home.tickets.open),
          ],
          [words.answered, count(home.tickets.answered)],
          [words.transfers, count(home.transfers.accepted)],
          [words.requested, count(home.transfers.requested)],
          ...(home.past_due > 0 ? ([[words.pastDue, count(home.past_due)]] as [string, ReactNode][]) : []),
        ]}
      />
    </Panel>
  );
}

function Floods({ home, tone }: Props) {
  const words = t.operator.floods;
  const { refused, writing, minutes } = home.floods;
  const name = (profile: Home["floods"]["refused"][number]["profile"]) =>
    profile.owner ? (
      <TextLink to="/operator/accounts/$accountId" params={{ accountId: profile.owner }} size="sm">
        {profile.name}
      </TextLink>
    ) : (
      words.gone
    );
  return (
    <Panel title={words.title} text={words.text(minutes)} tone={tone}>
      {refused.length === 0 && writing.length === 0 && <Text size="sm">{words.calm}</Text>}
      {refused.length > 0 && (
        <Table horizontalSpacing={0} verticalSpacing={4} style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.refused}</Table.Th>
              <Table.Th ta="right">{words.requests}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {refused.map((row) => (
              <Table.Tr key={row.profile.id}>
                <Table.Td>{name(row.profile)}</Table.Td>
                <Table.Td ta="right">
                  {count(row.requests)}
                  {row.throttled > 0 && (
                    <Text span size="xs" c="dimmed">
                      {" "}
                      ({words.throttled(row.throttled)})
                    </Text>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {writing.length > 0 && (
        <Table horizontalSpacing={0} verticalSpacing={4} style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.writing}</Table.Th>
              <Table.Th ta="right">{words.share}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {writing.map((row) => (
              <Table.Tr key={row.profile.id}>
                <Table.Td>{name(row.profile)}</Table.Td>
                <Table.Td ta="right">{numberText(row.share, { style: "percent", maximumFractionDigits: 1 })}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Panel>
  );
}

function SignIns({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.signIns;
  const { passwords, codes, by_address, by_account } = home.sign_ins;
  return (
    <Panel title={words.title} text={words.text} tone={tone}>
      <Text size="sm">{passwords + codes === 0 ? words.none : words.total(passwords, codes)}</Text>
      {by_address.length > 0 && (
        <Table horizontalSpacing={0} verticalSpacing={4} style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.byAddress}</Table.Th>
              <Table.Th ta="right">{words.times}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {by_address.map((row) => (
              <Table.Tr key={row.addr}>
                <Table.Td>
                  <span className="mono">{row.addr || words.command}</span>{" "}
                  <Text span size="xs" c="dimmed">
                    {words.accounts(row.others)}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">{count(row.passwords + row.codes)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {by_account.length > 0 && (
        <Table horizontalSpacing={0} verticalSpacing={4} style={{ fontVariantNumeric: "tabular-nums" }}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{words.byAccount}</Table.Th>
              <Table.Th ta="right">{words.times}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {by_account.map((row) => (
              <Table.Tr key={row.account ?? ""}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>
                  {row.account ? (
                    <TextLink to="/operator/accounts/$accountId" params={{ accountId: row.account }} size="sm">
                      {row.email ?? row.account}
                    </TextLink>
                  ) : (
                    words.unknown
                  )}{" "}
                  <Text span size="xs" c="dimmed">
                    {words.addresses(row.others)}
                    {row.locked_until && ` · ${words.locked(dates.clock(row.locked_until))}`}
                  </Text>
                </Table.Td>
                <Table.Td ta="right">{count(row.passwords + row.codes)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Panel>
  );
}

function Server({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.server;
  const { server, key } = home;
  return (
    <Panel
      title={words.title}
      tone={tone}
      action={
        <TextLink to="/operator/settings" size="sm">
          {words.settings}
        </TextLink>
      }
    >
      <Facts
        rows={[
          [words.version, server.version],
          [words.engine, `${words.engines[server.engine] ?? server.engine} ${server.engine_version}`],
          [words.started, dates.minute(server.started_at)],
        ]}
      />
      <Part title={words.key}>
        <Facts
          rows={[
            [words.fingerprint, <span key="id" className="mono">{key.fingerprint}</span>],
            [words.from, <span key="from" className="mono">{key.from}</span>],
            [words.since, key.since ? dates.day(key.since) : words.sinceBefore],
          ]}
        />
        {key.others > 0 && <Text size="sm">{words.others(key.others)}</Text>}
        <Text size="xs" c="dimmed">
          {words.copy}
        </Text>
      </Part>
    </Panel>
  );
}

function Sessions({ home, tone }: Props) {
  const dates = useDates();
  const words = t.operator.sessions;
  return (
    <Panel
      title={words.title}
      tone={tone}
      action={
        <TextLink to="/account" size="sm">
          {words.manage}
        </TextLink>
      }
    >
      <Stack gap="xs">
        {home.sessions.map((row) => (
          <div key={row.id}>
            <Group gap={6}>
              <Text size="sm" fw={600}>
                {row.name}
              </Text>
              {row.current && (
                <Badge variant="light" tt="none" size="sm">
                  {words.current}
                </Badge>
              )}
            </Group>
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {row.email} · <span className="mono">{row.address}</span> · {words.used(dates.minute(row.last_used_at))}
            </Text>
          </div>
        ))}
      </Stack>
    </Panel>
  );
}
