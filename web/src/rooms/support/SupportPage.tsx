import { Button, Group, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { ask, useTickets } from "./queries";
import { TicketList } from "./TicketList";

/** One's own tickets, and a question to whoever runs the server. */
export function SupportPage() {
  return (
    <Page title={t.support.title} text={t.support.text}>
      <TicketList all={false} />
      <Ask />
    </Page>
  );
}

function Ask() {
  const profiles = useQuery(profilesQuery).data ?? [];
  const navigate = useNavigate();
  const send = useTickets(ask);
  const [subject, setSubject] = useState("");
  const [text, setText] = useState("");
  const [profile, setProfile] = useState<string | null>(null);
  const wrong = (field: string) => (send.error instanceof ApiError ? send.error.about(field) : undefined);
  return (
    <Section title={t.support.ask} text={t.support.askText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate(
            { subject, text, ...(profile ? { profile } : {}) },
            { onSuccess: (made) => void navigate({ to: "/support/$ticketId", params: { ticketId: made.id } }) },
          );
        }}
      >
        <Stack gap="sm" maw={640}>
          <TextInput
            label={t.support.subject}
            required
            maxLength={150}
            value={subject}
            onChange={(event) => setSubject(event.currentTarget.value)}
            error={wrong("subject")}
          />
          <Select
            label={t.support.about}
            placeholder={t.support.aboutNone}
            clearable
            data={profiles.filter((row) => !row.look).map((row) => ({ value: row.id, label: row.name }))}
            value={profile}
            onChange={setProfile}
          />
          <Textarea
            label={t.support.message}
            required
            autosize
            minRows={4}
            maxRows={16}
            maxLength={10_000}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={wrong("text")}
          />
          <ErrorNote error={send.error} />
          <Group>
            <Button type="submit" loading={send.isPending} disabled={subject.trim() === "" || text.trim() === ""}>
              {t.support.send}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
