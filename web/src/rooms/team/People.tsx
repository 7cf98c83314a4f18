// What the team of a profile and the staff of an account show alike.
import { Button, Group, List, Modal, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, type UseMutationResult, type UseQueryOptions } from "@tanstack/react-query";
import type { TeamEnds, TeamPerson } from "../../api/types";
import { t } from "../../texts";
import { copyText } from "../../ui/copy";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";

/** Until when somebody is there, when there is an end. */
export function Until({ person }: { person: TeamPerson }) {
  const time = useTime();
  if (!person.expires_at) return null;
  return (
    <Text size="xs" c="dimmed" fw={person.active ? undefined : 600}>
      {person.active ? t.team.until(time(person.expires_at)) : t.team.over(time(person.expires_at))}
    </Text>
  );
}

interface RemoveProps {
  person?: TeamPerson;
  title: (name: string) => string;
  text: string;
  /** What ends, asked for when the dialog opens. */
  ends: (id: string) => Pick<UseQueryOptions<TeamEnds, Error, TeamEnds, string[]>, "queryKey" | "queryFn" | "staleTime">;
  /** Says which profiles are lost, where they are not plain from the page. */
  profiles?: (names: string[]) => string;
  remove: UseMutationResult<unknown, Error, string>;
  close: () => void;
}

/** Asks before somebody is removed, and says what ends. */
export function RemoveDialog({ person, title, ...rest }: RemoveProps) {
  return (
    <Modal opened={person !== undefined} onClose={rest.close} title={title(person?.name ?? "")} centered>
      {person && <RemoveForm person={person} {...rest} />}
    </Modal>
  );
}

function RemoveForm({ person, text, ends: query, profiles, remove, close }: Omit<RemoveProps, "title"> & { person: TeamPerson }) {
  const ends = useQuery(query(person.id));
  return (
    <Stack>
      <Text size="sm">{text}</Text>
      <ErrorNote error={ends.error} />
      <ErrorNote error={remove.variables === person.id ? remove.error : null} />
      {ends.data ? <EndsList ends={ends.data} profiles={profiles} /> : !ends.error && <Loading />}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {t.cancel}
        </Button>
        <Button
          color="red"
          disabled={!ends.data}
          loading={remove.isPending}
          onClick={() => remove.mutate(person.id, { onSuccess: close })}
        >
          {t.team.remove}
        </Button>
      </Group>
    </Stack>
  );
}

/** What ends with a place in one profile or several. */
export function EndsList({ ends, profiles }: { ends: TeamEnds; profiles?: (names: string[]) => string }) {
  const time = useTime();
  const lost = profiles?.(ends.profiles.map((row) => row.name ?? ""));
  return (
    <Stack gap="xs">
      {lost && <Text size="sm">{lost}</Text>}
      <Text size="sm">{t.team.endsTokens(ends.tokens.length)}</Text>
      {ends.tokens.length > 0 && (
        <List size="sm">
          {ends.tokens.map((token, index) => (
            <List.Item key={`${token.tail} ${index}`}>
              {t.team.endsToken(
                token.name ?? "",
                token.tail ?? "",
                token.last_authorization ? t.team.lastUsed(time(token.last_authorization)) : t.team.neverUsed,
              )}
            </List.Item>
          ))}
        </List>
      )}
      <Text size="sm">{t.team.endsSessions(ends.sessions.length)}</Text>
    </Stack>
  );
}

interface WaitingProps<Row extends TeamPerson> {
  rows: Row[];
  /** What somebody would be given, beside the role. */
  about: (row: Row) => string | undefined;
  link: (id: string) => Promise<{ link: string }>;
  withdraw: UseMutationResult<unknown, Error, string>;
}

/** Invitations that nobody has answered yet. */
export function Waiting<Row extends TeamPerson>({ rows, about, link, withdraw }: WaitingProps<Row>) {
  const time = useTime();
  const copy = useMutation({
    mutationFn: async (id: string) => {
      const answer = await link(id);
      if (!(await copyText(answer.link))) throw new Error(answer.link); // no clipboard here: then it is there to be read
      return id;
    },
  });
  return (
    <Section title={t.team.waiting} text={t.team.waitingText}>
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {row.email}
                </Text>
                <Text size="xs" c="dimmed">
                  {t.team.roles[row.role] ?? row.role}
                  {row.expires_at && `, ${t.team.waitingUntil(time(row.expires_at))}`}
                </Text>
                {about(row) && (
                  <Text size="xs" style={{ overflowWrap: "anywhere" }}>
                    {about(row)}
                  </Text>
                )}
                <ErrorNote error={withdraw.variables === row.id ? withdraw.error : null} />
                <ErrorNote error={copy.variables === row.id ? copy.error : null} />
              </Table.Td>
              <Table.Td ta="right">
                <Group gap="xs" justify="flex-end">
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-label={copy.data === row.id ? undefined : t.team.copyLinkLabel(row.email)}
                    onClick={() => copy.mutate(row.id)}
                  >
                    {copy.data === row.id ? t.copied : t.team.copyLink}
                  </Button>
                  <Button
                    size="compact-sm"
                    variant="subtle"
                    color="red"
                    aria-label={t.team.withdrawLabel(row.email)}
                    loading={withdraw.isPending && withdraw.variables === row.id}
                    onClick={() => withdraw.mutate(row.id)}
                  >
                    {t.team.withdraw}
                  </Button>
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed">
        {t.team.copyHint}
      </Text>
    </Section>
  );
}

interface RowButtonsProps {
  person: TeamPerson;
  change: () => void;
  /** Absent where one leaves rather than removes oneself. */
  remove?: () => void;
}

/** What can be done about a person. */
export function RowButtons({ person, change, remove }: RowButtonsProps) {
  return (
    <Group gap={6} justify="flex-end">
      <Button size="compact-sm" variant="default" aria-label={t.team.changeLabel(person.name)} onClick={change}>
        {t.team.change}
      </Button>
      {remove && (
        <Button size="compact-sm" variant="default" aria-label={t.team.removeLabel(person.name)} onClick={remove}>
          {t.team.remove}
        </Button>
      )}
    </Group>
  );
}
