import { Button, Group, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { AllLooks } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { useSession } from "../account/session";
import { LookTable } from "./LookTable";
import { allLooksQuery, useStartLook } from "./queries";
import { TicketList } from "./TicketList";

const route = getRouteApi("/_in/desk");

/** What operators do for others. */
export function DeskPage() {
  const own = useSession().data?.account.id;
  const looks = useQuery(allLooksQuery);
  const { profile, reason } = route.useSearch();
  if (looks.isPending) return <Loading />;
  if (!looks.data) return <ErrorNote error={looks.error} retry={() => void looks.refetch()} />;
  const start = <Start key={`${profile} ${reason}`} access={looks.data.operator_access} />;
  return (
    <Page title={t.support.desk} text={t.support.deskText}>
      {profile && start}
      <TicketList all />
      {!profile && start}
      <Section title={t.support.look.all}>
        {looks.data.looks.length === 0 ? (
          <Text size="sm" c="dimmed">
            {t.support.look.none}
          </Text>
        ) : (
          <LookTable looks={looks.data.looks} profiles ends own={own} />
        )}
      </Section>
    </Page>
  );
}

function Start({ access }: { access: AllLooks["operator_access"] }) {
  const given = route.useSearch();
  const navigate = useNavigate();
  const [profile, setProfile] = useState(given.profile ?? "");
  const [reason, setReason] = useState(given.reason ?? "");
  const [hours, setHours] = useState<number | string>(1);
  const start = useStartLook();
  const wrong = (field: string) => (start.error instanceof ApiError ? start.error.about(field) : undefined);
  const { look } = t.support;
  if (access === "never")
    return (
      <Section title={look.title} text={look.textNever}>
        {null}
      </Section>
    );
  return (
    <Section title={look.title} text={access === "ask" ? look.textAsk : look.text}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate(
            { profile, reason, hours: Number(hours) },
            {
              onSuccess: (made) => {
                if (made.state === "active") void navigate({ to: "/p/$profileId/devices", params: { profileId: made.profile.id } });
              },
            },
          );
        }}
      >
        <Stack gap="sm" maw={480}>
          <TextInput label={look.profile} required maxLength={24} value={profile} onChange={(event) => setProfile(event.currentTarget.value)} />
          <TextInput
            label={look.reason}
            description={look.reasonHint}
            required
            maxLength={300}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            error={wrong("reason")}
          />
          <NumberInput label={look.hours} min={1} max={24} allowDecimal={false} value={hours} onChange={setHours} error={wrong("hours")} />
          <ErrorNote error={start.error} />
          <Group>
            <Button type="submit" loading={start.isPending} disabled={profile.trim() === "" || reason.trim() === ""}>
              {access === "ask" ? look.ask : look.start}
            </Button>
            <Text size="sm" role="status">
              {start.data?.state === "asked" ? look.asked : ""}
            </Text>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
