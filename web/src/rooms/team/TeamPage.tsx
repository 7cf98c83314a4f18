import { Badge, Button, Group, Modal, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { TeamPerson } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useZone } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Face } from "../account/Face";
import { statusQuery, useSession } from "../account/session";
import { atLeast, Lacks } from "../profile/Allowed";
import { profileQuery } from "../profile/queries";
import { RemoveDialog, RowButtons, Until, Waiting } from "./People";
import { type Change, endsQuery, readLink, teamQuery, useChange, useInvite, useRemove } from "./queries";
import { PartFields, TermFields } from "./TermFields";
import { dayOf, endOfDay, everything, partsOf, restriction, withinOf } from "./terms";

const route = getRouteApi("/_in/p/$profileId/_about/team");

/** Who works in this profile, and who is asked to. */
export function TeamPage() {
  const { profileId } = route.useParams();
  const profile = useQuery(profileQuery(profileId));
  const team = useQuery(teamQuery(profileId));
  const withdraw = useRemove(profileId);
  if (profile.isPending || team.isPending) return <Loading />;
  if (!profile.data || !team.data)
    return <ErrorNote error={profile.error ?? team.error} retry={() => void team.refetch()} />;
  const { role, name } = profile.data.info;
  const members = team.data.filter((row) => !row.pending);
  const waiting = team.data.filter((row) => row.pending);
  return (
    <Page title={t.team.title} profile={name} text={t.team.text}>
      <ErrorNote error={team.error} />
      <Section title={t.team.members} text={role === "viewer" ? t.team.viewerSees : undefined}>
        {members.length === 0 ? (
          <Text size="sm" c="dimmed">
            {role === "owner" ? t.team.empty : t.team.emptyMember}
          </Text>
        ) : (
          <Members profileId={profileId} rows={members} role={role} />
        )}
      </Section>
      {waiting.length > 0 && (
        <Waiting
          rows={waiting}
          about={(row) => (row.within ? restriction(row.within) : undefined)}
          link={(id) => readLink(profileId, id)}
          withdraw={withdraw}
        />
      )}
      {atLeast(role, "admin") ? (
        <Invite key={profileId} profileId={profileId} team={team.data} />
      ) : (
        <Section title={t.team.closedInvite}>
          <Lacks profileId={profileId} least="admin" what={t.team.inviting} />
        </Section>
      )}
    </Page>
  );
}

function Members({ profileId, rows, role }: { profileId: string; rows: TeamPerson[]; role: string }) {
  const own = useSession().data?.account.id;
  const remove = useRemove(profileId);
  const [leaving, setLeaving] = useState<TeamPerson>();
  const [changing, setChanging] = useState<TeamPerson>();
  const manages = atLeast(role, "admin");
  return (
    <>
      <Table.ScrollContainer minWidth={280}>
        <Table verticalSpacing="xs" horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.team.person}</Table.Th>
              <Table.Th>{t.settings.mayDo}</Table.Th>
              {manages && <Table.Th aria-label={t.team.actions} />}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id}>
                <Table.Td>
                  <Group gap="xs" wrap="nowrap">
                    {!row.pending && <Face name={row.name} url={row.picture_url} size={24} />}
                    <Text size="sm" fw={500}>
                      {row.id === own ? t.team.you(row.name) : row.name}
                    </Text>
                  </Group>
                  <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                    {row.email}
                  </Text>
                  {row.staff && (
                    <Badge size="sm" variant="light" tt="none" color="gray" title={t.team.staffHint}>
                      {t.team.staff}
                    </Badge>
                  )}
                </Table.Td>
                <Table.Td>
                  <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                    <Text span size="sm" fw={600}>
                      {t.team.roles[row.role] ?? row.role}
                    </Text>
                    {": "}
                    {row.look ? t.support.looks.inTeam(row.look) : row.within ? restriction(row.within) : t.team.roleHints[row.role]}
                  </Text>
                  <Until person={row} />
                </Table.Td>
                {manages && (
                  <Table.Td ta="right">
                    {row.look ? (
                      <TextLink to="/p/$profileId/more" params={{ profileId }} size="sm">
                        {t.support.looks.title}
                      </TextLink>
                    ) : row.direct ? (
                      <RowButtons
                        person={row}
                        change={() => setChanging(row)}
                        remove={row.id === own ? undefined : () => setLeaving(row)}
                      />
                    ) : role === "owner" ? (
                      <TextLink to="/staff" size="sm">
                        {t.team.toStaff}
                      </TextLink>
                    ) : (
                      <Text size="xs" c="dimmed">
                        {t.team.ownersStaff}
                      </Text>
                    )}
                  </Table.Td>
                )}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <RemoveDialog
        person={leaving}
        title={t.team.removeTitle}
        text={t.team.removeText}
        ends={(id) => endsQuery(profileId, id)}
        remove={remove}
        close={() => setLeaving(undefined)}
      />
      <Modal
        opened={changing !== undefined}
        onClose={() => setChanging(undefined)}
        title={t.team.changeTitle(changing?.name ?? "")}
        centered
      >
        {changing && <ChangeForm profileId={profileId} person={changing} close={() => setChanging(undefined)} />}
      </Modal>
    </>
  );
}

function ChangeForm({ profileId, person, close }: { profileId: string; person: TeamPerson; close: () => void }) {
  const zone = useZone();
  const change = useChange(profileId, person.id);
  const before = { role: person.role, expires: person.expires_at ? dayOf(person.expires_at, zone) : "" };
  const [terms, setTerms] = useState(before);
  const [parts, setParts] = useState(() => partsOf(person.within));
  const about = (field: string) => (change.error instanceof ApiError ? change.error.about(field) : undefined);
  const submit = () => {
    // Only what was changed is sent: who is staff too may have another role as a member than the one that counts.
    const body: Change = {};
    if (terms.role !== before.role) body.role = terms.role;
    if (terms.expires !== before.expires) body.expires = terms.expires ? endOfDay(terms.expires, zone) : null;
    const within = terms.role === "admin" ? null : withinOf(parts);
    if (JSON.stringify(within) !== JSON.stringify(withinOf(partsOf(person.within)))) body.within = within;
    change.mutate(body, { onSuccess: close });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack gap="sm">
        {person.staff && <Text size="sm">{t.team.both}</Text>}
        <TermFields terms={terms} onChange={(part) => setTerms({ ...terms, ...part })} about={about} />
        {terms.role === "admin" ? (
          <Text size="sm">{t.team.adminSees}</Text>
        ) : (
          <PartFields parts={parts} onChange={setParts} />
        )}
        <ErrorNote error={change.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={change.isPending}>
            {t.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Invite({ profileId, team }: { profileId: string; team: TeamPerson[] }) {
  const zone = useZone();
  const invite = useInvite(profileId);
  const letters = useQuery(statusQuery).data?.mail !== false;
  const [email, setEmail] = useState("");
  const [terms, setTerms] = useState({ role: "developer", expires: "" });
  const [parts, setParts] = useState(everything);
  const about = (field: string) => (invite.error instanceof ApiError ? invite.error.about(field) : undefined);
  const member = team.some((row) => !row.pending && row.direct && row.active && row.email === email.trim().toLowerCase());
  const within = terms.role === "admin" ? null : withinOf(parts);
  return (
    <Section title={t.team.invite} text={t.team.inviteText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate(
            {
              email: email.trim(),
              role: terms.role,
              within: within ?? undefined,
              expires: terms.expires ? endOfDay(terms.expires, zone) : undefined,
            },
            {
              onSuccess: () => {
                setEmail("");
                setParts(everything); // a part is granted to one person, never to the next by oversight
              },
            },
          );
        }}
      >
        <Stack gap="sm" maw={560}>
          <TextInput
            label={t.team.email}
            type="email"
            required
            autoComplete="off"
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
            error={about("email") ?? (member ? t.team.already : undefined)}
          />
          <TermFields terms={terms} onChange={(part) => setTerms({ ...terms, ...part })} about={about} />
          {terms.role !== "admin" && <PartFields parts={parts} onChange={setParts} />}
          {within && <Text size="sm">{restriction(within)}</Text>}
          {!letters && <Text size="sm">{t.team.noLetters}</Text>}
          <ErrorNote error={invite.error} />
          <Group>
            <Button type="submit" loading={invite.isPending} disabled={email.trim() === "" || member}>
              {t.team.inviteButton}
            </Button>
            <Text size="sm" role="status">
              {invite.isSuccess ? t.team.invited(invite.variables.email) : ""}
            </Text>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
