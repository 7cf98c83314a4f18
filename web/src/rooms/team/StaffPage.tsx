import { Button, Group, Modal, Radio, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { Profile, StaffPerson, Tag } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useZone } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { filled, TagRows, tagText } from "../../ui/TagRows";
import { Face } from "../account/Face";
import { Guest, useGuest } from "../profile/Guest";
import { profilesQuery } from "../profile/queries";
import { RemoveDialog, RowButtons, Until, Waiting } from "./People";
import {
  readStaffLink,
  staffEndsQuery,
  type StaffChange,
  staffQuery,
  useChangeStaff,
  useInviteStaff,
  useRemoveStaff,
} from "./queries";
import { TermFields } from "./TermFields";
import { dayOf, endOfDay } from "./terms";

/** People who work in several profiles of the account: one invitation brings them in, one action removes them everywhere. */
export function StaffPage() {
  const guest = useGuest();
  return (
    <Page title={t.staff.title} text={t.staff.text}>
      {guest === undefined && <Loading />}
      {guest && <Guest />}
      {guest === false && <Staff />}
    </Page>
  );
}

function Staff() {
  const staff = useQuery(staffQuery);
  const withdraw = useRemoveStaff();
  const people = staff.data?.filter((row) => !row.pending);
  const waiting = staff.data?.filter((row) => row.pending);
  return (
    <>
      <ErrorNote error={staff.error} retry={() => void staff.refetch()} />
      {staff.isPending && <Loading />}
      {staff.data?.length === 0 && <Empty title={t.staff.empty} text={t.staff.emptyText} />}
      {people && people.length > 0 && (
        <Section title={t.staff.people}>
          <People rows={people} />
        </Section>
      )}
      {waiting && waiting.length > 0 && <Waiting rows={waiting} about={where} link={readStaffLink} withdraw={withdraw} />}
      <Invite />
    </>
  );
}

/** Which profiles somebody is in, as a sentence. */
function where({ tags, profiles }: StaffPerson): string {
  const names = profiles.map((row) => row.name);
  return tags.length === 0 ? t.staff.inAll(names) : t.staff.inTagged(tags.map(tagText), names);
}

function People({ rows }: { rows: StaffPerson[] }) {
  const remove = useRemoveStaff();
  const [leaving, setLeaving] = useState<StaffPerson>();
  const [changing, setChanging] = useState<StaffPerson>();
  return (
    <>
      <Table.ScrollContainer minWidth={280}>
        <Table verticalSpacing="xs" horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.team.person}</Table.Th>
              <Table.Th>{t.team.role}</Table.Th>
              <Table.Th aria-label={t.team.actions} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id}>
                <Table.Td>
                  <Group gap="xs" wrap="nowrap">
                    {!row.pending && <Face name={row.name} url={row.picture_url} size={24} />}
                    <Text size="sm" fw={500}>
                      {row.name}
                    </Text>
                  </Group>
                  <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                    {row.email}
                  </Text>
                  <Text size="xs" style={{ overflowWrap: "anywhere" }}>
                    {where(row)}
                  </Text>
                  <Until person={row} />
                </Table.Td>
                <Table.Td>{t.team.roles[row.role] ?? row.role}</Table.Td>
                <Table.Td ta="right">
                  <RowButtons person={row} change={() => setChanging(row)} remove={() => setLeaving(row)} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <RemoveDialog
        person={leaving}
        title={t.staff.removeTitle}
        text={t.staff.removeText}
        ends={staffEndsQuery}
        profiles={t.staff.ends}
        remove={remove}
        close={() => setLeaving(undefined)}
      />
      <Modal
        opened={changing !== undefined}
        onClose={() => setChanging(undefined)}
        title={t.team.changeTitle(changing?.name ?? "")}
        centered
      >
        {changing && <ChangeForm person={changing} close={() => setChanging(undefined)} />}
      </Modal>
    </>
  );
}

function ChangeForm({ person, close }: { person: StaffPerson; close: () => void }) {
  const zone = useZone();
  const change = useChangeStaff(person.id);
  const before = { role: person.role, expires: person.expires_at ? dayOf(person.expires_at, zone) : "" };
  const [terms, setTerms] = useState(before);
  const [tags, setTags] = useState<Tag[] | null>(person.tags.length > 0 ? person.tags : null);
  const about = (field: string) => (change.error instanceof ApiError ? change.error.about(field) : undefined);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const body: StaffChange = { role: terms.role, tags: filled(tags ?? []) };
        if (terms.expires !== before.expires) body.expires = terms.expires ? endOfDay(terms.expires, zone) : null;
        change.mutate(body, { onSuccess: close });
      }}
    >
      <Stack gap="sm">
        <TermFields terms={terms} onChange={(part) => setTerms({ ...terms, ...part })} about={about} />
        <Reach tags={tags} onChange={setTags} />
        <ErrorNote error={change.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={change.isPending} disabled={incomplete(tags)}>
            {t.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Invite() {
  const zone = useZone();
  const invite = useInviteStaff();
  const [email, setEmail] = useState("");
  const [terms, setTerms] = useState({ role: "developer", expires: "" });
  const [tags, setTags] = useState<Tag[] | null>(null);
  const about = (field: string) => (invite.error instanceof ApiError ? invite.error.about(field) : undefined);
  return (
    <Section title={t.staff.invite} text={t.team.inviteText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate(
            {
              email: email.trim(),
              role: terms.role,
              tags: filled(tags ?? []),
              expires: terms.expires ? endOfDay(terms.expires, zone) : undefined,
            },
            { onSuccess: () => setEmail("") },
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
            error={about("email")}
          />
          <TermFields terms={terms} onChange={(part) => setTerms({ ...terms, ...part })} about={about} />
          <Reach tags={tags} onChange={setTags} />
          <ErrorNote error={invite.error} />
          <Group>
            <Button type="submit" loading={invite.isPending} disabled={email.trim() === "" || incomplete(tags)}>
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

/** No tag means all profiles to the API, which must not come of a row that was left empty. */
const incomplete = (tags: Tag[] | null): boolean => tags !== null && filled(tags).length === 0;

/** All profiles, or those with one of some tags; null stands for all. Says which they are now. */
function Reach({ tags, onChange }: { tags: Tag[] | null; onChange: (tags: Tag[] | null) => void }) {
  const own = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  const reached = tags ? own.filter((row) => carries(row, filled(tags))) : own;
  return (
    <Stack gap="sm">
      <Radio.Group
        label={t.staff.reach}
        value={tags ? "some" : "all"}
        onChange={(value) => onChange(value === "some" ? [{ key: "", value: "" }] : null)}
      >
        <Stack gap="xs" mt={4}>
          <Radio value="all" label={t.staff.all} />
          <Radio value="some" label={t.staff.tagged} />
        </Stack>
      </Radio.Group>
      {tags && <TagRows label={t.staff.tags} description={t.staff.tagsHint} rows={tags} onChange={onChange} />}
      <Text size="sm" c="dimmed">
        {t.staff.now(reached.map((row) => row.name))}
      </Text>
    </Stack>
  );
}

const carries = (profile: Profile, tags: Tag[]): boolean =>
  profile.tags.some((has) => tags.some((tag) => tag.key === has.key && tag.value === has.value));
