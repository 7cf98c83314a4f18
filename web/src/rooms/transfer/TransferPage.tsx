import { Alert, Badge, Button, Group, List, NativeSelect, Radio, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Transfer } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useTime } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Prove } from "../account/Prove";
import { profilesQuery } from "../profile/queries";
import { transferQuery, useTransferStep } from "./queries";
import { TransferState } from "./TransfersPage";

const route = getRouteApi("/_in/transfer/$transferId");

/** A transfer as one of its sides, or an operator, sees it, with what can be done now. */
export function TransferPage() {
  const { transferId } = route.useParams();
  const transfer = useQuery(transferQuery(transferId));
  const client = useQueryClient();
  const state = transfer.data?.state;
  const profile = transfer.data?.profile.id;
  // The other side may have changed whose the profile is: what was read of it, and of one's role there, is old then.
  useEffect(() => {
    if (!state || !profile) return;
    void client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    void client.invalidateQueries({ queryKey: ["p", profile] });
  }, [client, state, profile]);
  if (transfer.isPending) return <Loading />;
  if (!transfer.data) return <ErrorNote error={transfer.error} retry={() => void transfer.refetch()} />;
  const it = transfer.data;
  const open = it.state === "requested" || it.state === "accepted";
  return (
    <Page
      title={t.transfer.title(it.profile.name)}
      text={t.transfer.fromTo(party(it.from), party(it.to))}
      actions={<TransferState state={it.state} />}
    >
      <ErrorNote error={transfer.error} />
      <Standing it={it} />
      {it.message && (
        <Section title={t.transfer.said(it.from.name)}>
          <Text size="sm" style={{ whiteSpace: "pre-line", overflowWrap: "anywhere" }}>
            {it.message}
          </Text>
        </Section>
      )}
      {open && <Forecast it={it} />}
      {open && <Checks it={it} />}
      {it.may.includes("accept") ? <Accept key={it.id} it={it} /> : open && <Ends it={it} />}
      {it.outcome && <Outcome it={it} />}
      <Steps it={it} />
      {it.undo && <Undo it={it} />}
    </Page>
  );
}

const party = (one: { name: string; email: string }): string =>
  one.name && one.email ? `${one.name} (${one.email})` : one.name || one.email || t.transfer.gone;

/** Where it stands, in a sentence, and the ways on. */
function Standing({ it }: { it: Transfer }) {
  const time = useTime();
  const mine = useQuery(profilesQuery).data?.some((row) => row.id === it.profile.id);
  const sentence = t.transfer.standing(it.state, it.role, it.expires_at ? time(it.expires_at) : "", it.review);
  return (
    <Alert color={it.state === "completed" || it.state === "requested" || it.state === "accepted" ? "paddock" : "gray"}>
      <Stack gap="sm">
        <Text size="sm" role="status">
          {sentence}
          {it.reason ? ` ${it.reason.replace(/\.$/, "")}.` : ""}
        </Text>
        <Group gap="sm">
          {mine && (
            <ButtonLink to="/p/$profileId/devices" params={{ profileId: it.profile.id }} size="compact-sm">
              {t.transfer.enter}
            </ButtonLink>
          )}
          {it.ticket && (
            <ButtonLink to="/support/$ticketId" params={{ ticketId: it.ticket }} variant="default" size="compact-sm">
              {t.transfer.ticket}
            </ButtonLink>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

function Forecast({ it }: { it: Transfer }) {
  return (
    <Section title={t.transfer.moves} text={t.transfer.movesText}>
      <Group gap="lg">
        {it.moves.map((one) => (
          <Text key={one.what} size="sm">
            <Text span fw={600}>
              {count(one.amount)}
            </Text>{" "}
            {t.transfer.things[one.what] ?? one.what}
          </Text>
        ))}
      </Group>
      <List size="sm" spacing={4}>
        {[...it.stays, ...it.ends.also].map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
    </Section>
  );
}

function Checks({ it }: { it: Transfer }) {
  return (
    <Section title={t.transfer.checks} text={t.transfer.checksText}>
      <Table.ScrollContainer minWidth={280}>
        <Table>
          <Table.Tbody>
            {it.checks.map((one) => (
              <Table.Tr key={one.name}>
                <Table.Td w={120}>
                  <Badge variant="light" tt="none" color={one.ok ? "green" : one.waiting ? "gray" : one.blocks ? "red" : "yellow"}>
                    {one.ok ? t.transfer.met : one.waiting ? t.transfer.waiting : one.blocks ? t.transfer.notMet : t.transfer.note}
                  </Badge>
                </Table.Td>
                <Table.Td>
                  {one.detail === "met" || one.detail === "not met" ? (t.transfer.checkNames[one.name] ?? one.name) : one.detail}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}

type PersonRow = Transfer["ends"]["people"][number];
type TokenRow = Transfer["ends"]["tokens"][number];

/** What the receiver says of who and what would lose access. */
interface Choices {
  former: string;
  people: Record<string, string>;
  tokens: Record<string, string>;
  person: (one: PersonRow, fate: string) => void;
  token: (one: TokenRow, fate: string) => void;
  /** A token of somebody who stays goes on as theirs: it has no fate of its own. */
  stays: (account: string) => boolean;
}

const fates = ["end", "adopt", "overlap"];

function Fate({ name, value, set }: { name: string; value: string | undefined; set: (fate: string) => void }) {
  return (
    <NativeSelect
      aria-label={t.transfer.fateOf(name)}
      data={fates.map((fate) => ({ value: fate, label: t.transfer.fates[fate] ?? fate }))}
      value={value ?? "end"}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

/** What loses access; to the receiver with a choice for each. */
function Ends({ it, choices }: { it: Transfer; choices?: Choices }) {
  const time = useTime();
  const used = (at: string | null) => (at ? time(at) : t.transfer.neverUsed);
  return (
    <Section title={t.transfer.ends} text={choices ? t.transfer.endsChoose : t.transfer.endsText}>
      <Table.ScrollContainer minWidth={520}>
        <Table aria-label={t.transfer.people}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.transfer.person}</Table.Th>
              <Table.Th>{t.transfer.personRole}</Table.Th>
              <Table.Th>{t.transfer.lastUse}</Table.Th>
              {choices && <Table.Th>{t.transfer.fate}</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {it.ends.people.map((one) => (
              <Table.Tr key={one.account}>
                <Table.Td>
                  {one.name}
                  <Text size="xs" c="dimmed">
                    {one.email}
                  </Text>
                </Table.Td>
                <Table.Td>{one.owner ? t.transfer.formerOwner : one.staff ? t.transfer.staff(roleName(one.role)) : roleName(one.role)}</Table.Td>
                <Table.Td>{used(one.last_use)}</Table.Td>
                {choices && (
                  <Table.Td>
                    {one.owner ? (
                      <Text size="sm">{t.transfer.formerOwnerChoice[choices.former]}</Text>
                    ) : (
                      <Fate name={one.name} value={choices.people[one.account]} set={(fate) => choices.person(one, fate)} />
                    )}
                  </Table.Td>
                )}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {it.ends.tokens.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t.transfer.noTokens}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={520}>
          <Table aria-label={t.transfer.tokens}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.transfer.token}</Table.Th>
                <Table.Th>{t.transfer.madeBy}</Table.Th>
                <Table.Th>{t.transfer.lastUse}</Table.Th>
                {choices && <Table.Th>{t.transfer.fate}</Table.Th>}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {it.ends.tokens.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    {one.name}
                    <Text size="xs" c="dimmed">
                      …{one.tail} · {t.transfer.permissions[one.permission] ?? one.permission}
                    </Text>
                  </Table.Td>
                  <Table.Td>{one.made_by_name}</Table.Td>
                  <Table.Td>{used(one.last_use)}</Table.Td>
                  {choices && (
                      <Table.Td>
                        {choices.stays(one.made_by) ? (
                          <Text size="sm">{t.transfer.goesOn}</Text>
                        ) : (
                          <Fate name={one.name} value={choices.tokens[one.id]} set={(fate) => choices.token(one, fate)} />
                        )}
                      </Table.Td>
                    )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Section>
  );
}

/** The receiver's choices and yes. */
function Accept({ it }: { it: Transfer }) {
  const step = useTransferStep(it.id);
  const [former, setFormer] = useState("end");
  const [people, setPeople] = useState<Record<string, string>>({});
  const [tokens, setTokens] = useState<Record<string, string>>({});
  const blocked = it.checks.some((one) => one.blocks && !one.ok);
  const stays = (account: string): boolean =>
    it.ends.people.some((one) => one.account === account && (one.owner ? former !== "end" : (people[account] ?? "end") !== "end"));
  return (
    <>
      <Ends
        it={it}
        choices={{
          former,
          people,
          tokens,
          stays,
          person: (one, fate) => setPeople({ ...people, [one.account]: fate }),
          token: (one, fate) => setTokens({ ...tokens, [one.id]: fate }),
        }}
      />
      <Section title={t.transfer.accept} text={it.review ? t.transfer.acceptReview : t.transfer.acceptText}>
        {blocked ? (
          <Text size="sm" role="alert">
            {t.transfer.blocked}
          </Text>
        ) : (
          <Prove
            action={t.transfer.acceptButton}
            running={step}
            submit={(proof, failed) =>
              step.mutate(
                {
                  step: "accept",
                  ...proof,
                  former_owner: former,
                  people: Object.fromEntries(it.ends.people.filter((one) => !one.owner).map((one) => [one.account, people[one.account] ?? "end"])),
                  tokens: Object.fromEntries(it.ends.tokens.filter((one) => !stays(one.made_by)).map((one) => [one.id, tokens[one.id] ?? "end"])),
                },
                { onError: failed },
              )
            }
          >
            <Radio.Group label={t.transfer.formerOwnerAsk(it.from.name)} value={former} onChange={setFormer}>
              <Stack gap="xs" mt="xs">
                {["end", "viewer", "developer"].map((fate) => (
                  <Radio key={fate} value={fate} label={t.transfer.formerOwnerChoice[fate]} />
                ))}
              </Stack>
            </Radio.Group>
          </Prove>
        )}
      </Section>
    </>
  );
}

function Outcome({ it }: { it: Transfer }) {
  const fate = (f: string) => t.transfer.outcomes[f] ?? f;
  const rows = [
    ...(it.outcome?.people ?? []).map((one) => ({ key: one.account, what: one.name, fate: one.fate, unasked: one.unasked })),
    ...(it.outcome?.tokens ?? []).map((one) => ({ key: one.id, what: t.transfer.tokenNamed(one.name, one.tail), fate: one.fate, unasked: one.unasked })),
  ];
  return (
    <Section title={t.transfer.outcome}>
      <List size="sm" spacing={4}>
        {rows.map((one) => (
          <List.Item key={one.key}>
            {one.what}: {fate(one.fate)}
            {one.unasked ? ` ${t.transfer.unasked}` : ""}
          </List.Item>
        ))}
      </List>
    </Section>
  );
}

/** What takes one click: declining, cancelling, approving. */
function Steps({ it }: { it: Transfer }) {
  const step = useTransferStep(it.id);
  const [reason, setReason] = useState("");
  const can = ["approve", "decline", "cancel"].filter((one) => it.may.includes(one));
  if (can.length === 0) return null;
  return (
    <Section title={t.transfer.steppingTitles[can[0] ?? ""] ?? ""}>
      {can.includes("decline") && (
        <TextInput label={t.transfer.reason} description={t.transfer.reasonHint} maxLength={500} maw={480} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      )}
      <ErrorNote error={step.error} />
      <Group>
        {can.map((one) => (
          <Button
            key={one}
            variant={one === "approve" ? "filled" : "default"}
            loading={step.isPending}
            onClick={() => step.mutate({ step: one, ...(one === "decline" ? { reason } : {}) })}
          >
            {t.transfer.steps[one]}
          </Button>
        ))}
      </Group>
    </Section>
  );
}

function Undo({ it }: { it: Transfer }) {
  const time = useTime();
  const step = useTransferStep(it.id);
  const [reason, setReason] = useState("");
  const undo = it.undo;
  if (!undo) return null;
  const agreed = [undo.source && it.from.name, undo.destination && it.to.name].filter(Boolean).join(", ");
  return (
    <Section title={t.transfer.undo} text={t.transfer.undoText(time(undo.until))}>
      <Text size="sm" role="status">
        {agreed ? t.transfer.agreed(agreed) : t.transfer.nobodyAgreed}
      </Text>
      {it.may.includes("undo") && it.role !== "operator" && (
        <Prove
          action={t.transfer.undoButton}
          color="red"
          running={step}
          submit={(proof, failed) => step.mutate({ step: "undo", ...proof }, { onError: failed })}
        />
      )}
      {it.may.includes("undo") && it.role === "operator" && (
        <Stack gap="sm" maw={480}>
          <TextInput label={t.transfer.reason} description={t.transfer.reasonHint} maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <ErrorNote error={step.error} />
          <Group>
            <Button color="red" loading={step.isPending} onClick={() => step.mutate({ step: "undo", reason })}>
              {t.transfer.undoOperator}
            </Button>
          </Group>
        </Stack>
      )}
    </Section>
  );
}

function roleName(role: string): string {
  return t.team.roles[role] ?? role;
}
