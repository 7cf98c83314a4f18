// Where the link of an invitation leads. It acts on a press, because scanners of mail fetch every link.
import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import type { Invitation, Within } from "../../api/types";
import { ErrorNote } from "../../ui/ErrorNote";
import { timeFormat } from "../../ui/formats";
import { Gate } from "../../ui/Gate";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { newPerson } from "../account/PersonFields";
import { ownZone } from "../account/zones";
import { SignInForm } from "../account/SignInForm";
import { type Guest, invitationQuery, useAccept, useAskAgain, useDecline } from "./queries";
import { restriction } from "./terms";

const route = getRouteApi("/team/accept/$token");

/** Shows an invitation to whoever holds its link, and accepts or declines it. */
export function InvitationPage() {
  const { token } = route.useParams();
  const invitation = useQuery(invitationQuery(token));
  const accept = useAccept(token);
  const decline = useDecline(token);

  if (invitation.isPending) return <Loading />;
  if (accept.data)
    return (
      <Gate title={t.team.accepted} text={accept.data.guest ? undefined : t.team.acceptedText(accept.data.email)}>
        {accept.data.profile ? (
          <ButtonLink to="/p/$profileId/devices" params={{ profileId: accept.data.profile }}>
            {t.team.toProfile}
          </ButtonLink>
        ) : (
          <ButtonLink to="/">{t.account.onward}</ButtonLink>
        )}
      </Gate>
    );
  if (decline.isSuccess) return <Gate title={t.team.declined} text={t.team.declinedText} />;
  if (!invitation.data) {
    if (invitation.error instanceof ApiError && invitation.error.status === 404)
      return <Gate title={t.team.unknown} text={t.team.unknownText} />;
    return (
      <Gate title={t.team.invitation}>
        <ErrorNote error={invitation.error} retry={() => void invitation.refetch()} />
      </Gate>
    );
  }
  const data = invitation.data;
  const over = t.team.ended[data.state];
  if (over) return <Over token={token} title={over.title} text={over.text} />;
  return (
    <Gate title={heading(data)} text={t.team.forWhom(data.email ?? "", day(data.expires_at))}>
      <Text size="sm">
        {terms(data)}
      </Text>
      <ErrorNote error={accept.error} />
      <Next
        invitation={data}
        pending={accept.isPending}
        error={accept.error}
        accept={(guest) => accept.mutate(guest)}
        signedIn={() => void invitation.refetch()}
      />
      <Button variant="default" loading={decline.isPending} onClick={() => decline.mutate()}>
        {t.team.decline}
      </Button>
      <ErrorNote error={decline.error} />
    </Gate>
  );
}

/** An invitation that cannot be accepted any more: a new one is a click away. */
function Over({ token, title, text }: { token: string; title: string; text: string }) {
  const ask = useAskAgain(token);
  if (ask.isSuccess) return <Gate title={t.frame.asked} text={t.frame.askedText} />;
  return (
    <Gate title={title} text={text}>
      <ErrorNote error={ask.error} />
      <Button loading={ask.isPending} onClick={() => ask.mutate()}>
        {t.frame.askAgain}
      </Button>
    </Gate>
  );
}

/** What the person would be there, may do, see, and until when. */
function terms(data: Invitation): string {
  const where = data.profile ? t.frame.place(data.profile) : t.frame.places(data.profiles ?? 0);
  return [
    t.frame.role[data.role ?? ""]?.(where),
    data.within ? restriction(data.within as Within) : undefined,
    data.member_until ? t.frame.until(day(data.member_until)) : undefined,
  ]
    .filter(Boolean)
    .join(" ");
}

interface NextProps {
  invitation: Invitation;
  pending: boolean;
  error: unknown;
  accept: (guest?: Guest) => void;
  signedIn: () => void;
}

/** What it takes to accept: a press, a sign-in, or a name and a password. */
function Next({ invitation, pending, error, accept, signedIn }: NextProps) {
  switch (invitation.next) {
    case "accept":
      return (
        <Button loading={pending} onClick={() => accept()}>
          {t.team.accept}
        </Button>
      );
    case "sign_up":
      return <GuestForm email={invitation.email ?? ""} pending={pending} error={error} accept={accept} />;
    case "sign_in":
    case "letter":
      return (
        <Stack>
          <Text size="sm">{invitation.next === "letter" ? t.team.letterFirst : t.team.signInFirst}</Text>
          <SignInForm email={invitation.email} onDone={signedIn} />
        </Stack>
      );
    case "confirm":
      return <Text size="sm">{t.team.confirmFirst}</Text>;
    default:
      return <Text size="sm">{t.team.closed}</Text>;
  }
}

/** For a person without an account: the address is known, and proven by the link. */
function GuestForm({ email, pending, error, accept }: { email: string } & Pick<NextProps, "pending" | "error" | "accept">) {
  const [guest, setGuest] = useState<Guest>({ name: "", password: "", timezone: newPerson().timezone, language: newPerson().language });
  const about = (field: string) => (error instanceof ApiError ? error.about(field) : undefined);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        accept(guest);
      }}
    >
      <Stack>
        <Text size="sm">{t.team.signUpFirst}</Text>
        <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
        <TextInput
          label={t.account.name}
          autoComplete="name"
          required
          value={guest.name}
          onChange={(event) => setGuest({ ...guest, name: event.currentTarget.value })}
          error={about("name")}
        />
        <PasswordInput
          label={t.account.password}
          description={t.account.passwordHint}
          autoComplete="new-password"
          required
          minLength={8}
          value={guest.password}
          onChange={(event) => setGuest({ ...guest, password: event.currentTarget.value })}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
          error={about("password")}
        />
        <Group grow>
          <Button type="submit" loading={pending}>
            {t.team.signUpButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function heading(data: Invitation): string {
  const inviter = data.inviter || t.team.somebody;
  if (data.profile) return t.team.invitationTo(inviter, data.profile);
  return t.team.invitationToAll(inviter, data.account ?? "", data.profiles ?? 0);
}

/** A date in the time zone of this browser: nobody is signed in. */
function day(iso: string | null | undefined): string {
  return iso ? timeFormat(ownZone).day(new Date(iso)) : "";
}
