import { Button, Card, Group, Stack, Text, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { TicketThread } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { useSession } from "../account/session";
import { profilesQuery } from "../profile/queries";
import { move, ticketQuery, useTickets, write } from "./queries";
import { StateBadge } from "./TicketList";

const route = getRouteApi("/_in/support/$ticketId");

/** A ticket with its thread. */
export function TicketPage() {
  const { ticketId } = route.useParams();
  const ticket = useQuery(ticketQuery(ticketId));
  const turn = useTickets(move);
  if (ticket.isPending) return <Loading />;
  if (!ticket.data) return <ErrorNote error={ticket.error} retry={() => void ticket.refetch()} />;
  const it = ticket.data;
  const closed = it.state === "closed";
  return (
    <Page
      title={`${t.support.number(it.number)} ${it.subject}`}
      text={t.support.parties(it.parties.map((one) => t.support.from(one.name, one.email ?? "")))}
      actions={
        <Group gap="xs">
          <StateBadge ticket={it} />
          {it.kind === "question" && (
            <Button variant="default" size="compact-md" loading={turn.isPending} onClick={() => turn.mutate({ id: it.id, state: closed ? "open" : "closed" })}>
              {closed ? t.support.open : t.support.close}
            </Button>
          )}
        </Group>
      }
    >
      <ErrorNote error={turn.error} />
      <ErrorNote error={ticket.error} />
      <About ticket={it} />
      <Stack gap="sm" component="ol" p={0} m={0} style={{ listStyle: "none" }} aria-label={t.support.thread}>
        {it.thread.map((message) => (
          <li key={message.id}>
            <One message={message} />
          </li>
        ))}
      </Stack>
      <Answer key={it.id} ticket={it} />
    </Page>
  );
}

/** What a ticket is about, with the way there. */
function About({ ticket }: { ticket: TicketThread }) {
  const operator = useSession().data?.operator === true;
  const profile = ticket.profile;
  const mine = useQuery(profilesQuery).data?.some((row) => row.id === profile?.id);
  const transfer = ticket.kind === "transfer" ? ticket.ref : null;
  if (!profile?.name && !transfer) return null;
  return (
    <Group gap="sm">
      {transfer && (
        <ButtonLink to="/transfer/$transferId" params={{ transferId: transfer }} size="compact-sm">
          {t.transfer.open}
        </ButtonLink>
      )}
      {profile?.name && <AboutProfile ticket={ticket} profile={profile} mine={mine === true} operator={operator} />}
    </Group>
  );
}

function AboutProfile(props: { ticket: TicketThread; profile: NonNullable<TicketThread["profile"]>; mine: boolean; operator: boolean }) {
  const { ticket, profile, mine, operator } = props;
  return (
    <>
      {mine ? (
        <TextLink to="/p/$profileId/devices" params={{ profileId: profile.id }}>
          {t.support.profile(profile.name)}
        </TextLink>
      ) : (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {t.support.profile(profile.name)}
        </Text>
      )}
      {operator && !mine && (
        <ButtonLink to="/desk" search={{ profile: profile.id, reason: `#${ticket.number} ${ticket.subject}` }} variant="default" size="compact-sm">
          {t.support.lookInto}
        </ButtonLink>
      )}
    </>
  );
}

function One({ message }: { message: TicketThread["thread"][number] }) {
  const time = useTime();
  const own = useSession().data?.account.id;
  const { author, to } = message;
  return (
    <Card withBorder padding="md" component="article" aria-label={author.name}>
      <Group gap="xs" justify="space-between">
        <Text size="sm" fw={600}>
          {author.id === own ? t.support.you(author.name) : author.name}
        </Text>
        <Text size="xs" c="dimmed">
          {time(message.at)}
        </Text>
      </Group>
      {to && (
        <Text size="xs" c="dimmed">
          {t.support.only(to.map((one) => one.name))}
        </Text>
      )}
      <Text size="sm" mt={6} style={{ whiteSpace: "pre-line", overflowWrap: "anywhere" }}>
        {message.text}
      </Text>
    </Card>
  );
}

function Answer({ ticket }: { ticket: TicketThread }) {
  const [text, setText] = useState("");
  const send = useTickets(write);
  const note = ticket.kind === "transfer" ? t.support.ofTransfer : ticket.state === "closed" ? t.support.closedText : undefined;
  return (
    <Section title={t.support.answer} text={note}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate({ id: ticket.id, text }, { onSuccess: () => setText("") });
        }}
      >
        <Stack gap="sm" maw={640}>
          <Textarea
            label={t.support.message}
            required
            autosize
            minRows={3}
            maxRows={16}
            maxLength={10_000}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={send.error instanceof ApiError ? send.error.about("text") : undefined}
          />
          <ErrorNote error={send.error} />
          <Group>
            <Button type="submit" loading={send.isPending} disabled={text.trim() === ""}>
              {t.support.send}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
