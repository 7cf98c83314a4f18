import { Alert, Button, Card, Group, Modal, Progress, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { mostNamed } from "../billing/search";
import { profilesQuery } from "../profile/queries";
import { useInviteStaff } from "../team/queries";
import { roleOptions } from "../team/terms";
import { type Action, bulk, type BulkRow, refreshHealth } from "./queries";

/** Names of the profiles that were picked, by id. */
export type Chosen = Record<string, string>;

/** How many the server changes at once. */
export const mostChosen = 1000;

const kinds = ["template", "tag", "invite", "pause", "resume"] as const;
type Kind = (typeof kinds)[number];

interface Props {
  chosen: Chosen;
  clear: () => void;
  more?: ReactNode;
  /** Why more could not be picked. */
  error?: unknown;
}

/** What can be done to the profiles that were picked. */
export function BulkBar({ chosen, clear, more, error }: Props) {
  const [kind, setKind] = useState<Kind>();
  const n = Object.keys(chosen).length;
  const profiles = useQuery(profilesQuery).data ?? [];
  const own = profiles.filter((row) => row.role === "owner" && chosen[row.id] !== undefined).map((row) => row.id);
  return (
    <Card withBorder padding="xs" role="toolbar" aria-label={t.overview.bulk} pos="sticky" top={64} style={{ zIndex: 2 }}>
      <Group gap="xs">
        <Text size="sm" fw={600} px={4}>
          {t.overview.selected(n)}
        </Text>
        {more}
        {kinds.map((one) => (
          <Button key={one} size="xs" variant="default" onClick={() => setKind(one)}>
            {t.overview.bulkActions[one]}
          </Button>
        ))}
        {own.length > 0 && own.length <= mostNamed ? (
          <ButtonLink to="/cost/statements" search={{ profiles: own.join(",") }} size="xs" variant="default">
            {t.overview.bulkActions.statements}
          </ButtonLink>
        ) : (
          <Button size="xs" variant="default" disabled>
            {t.overview.bulkActions.statements}
          </Button>
        )}
        <Button size="xs" variant="subtle" color="gray" onClick={clear}>
          {t.overview.unselect}
        </Button>
      </Group>
      {(own.length > mostNamed || own.length < n) && (
        <Text size="xs" c="dimmed" px={4} mt={6}>
          {own.length > mostNamed ? t.overview.statementsMost(mostNamed) : t.overview.statementsOwn}
        </Text>
      )}
      <ErrorNote error={error} />
      <Modal opened={kind !== undefined} onClose={() => setKind(undefined)} title={kind && t.overview.bulkTitles[kind]} centered>
        {kind && <BulkForm key={kind} kind={kind} chosen={chosen} close={() => setKind(undefined)} />}
      </Modal>
    </Card>
  );
}

/** Asks what is to be done, says what that does, does it, and shows what was refused. */
function BulkForm({ kind, chosen, close }: { kind: Kind; chosen: Chosen; close: () => void }) {
  const client = useQueryClient();
  const profiles = useQuery(profilesQuery).data ?? [];
  const own = profiles.filter((row) => !row.from_share);
  const invite = useInviteStaff();
  const [like, setLike] = useState<string | null>(null);
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [remove, setRemove] = useState(false);
  const [text, setText] = useState("");
  const [role, setRole] = useState("developer");
  const [done, setDone] = useState<number>();
  const [rows, setRows] = useState<BulkRow[]>();
  const [error, setError] = useState<unknown>();
  const ids = Object.keys(chosen);

  const action = (): Action => {
    const tag = { key: key.trim(), value: value.trim() };
    switch (kind) {
      case "template":
        return { template: { like: like ?? "" } };
      case "pause":
        return { pause: { reason: text } };
      case "resume":
        return { resume: {} };
      default:
        return { tag: remove && kind === "tag" ? { remove: [tag] } : { add: [tag] } };
    }
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setError(undefined);
    setDone(0);
    try {
      const answer = await bulk(ids, action(), setDone);
      if (kind === "invite") await invite.mutateAsync({ email: text.trim(), role, tags: [{ key: key.trim(), value: value.trim() }] });
      setRows(answer);
    } catch (problem) {
      setError(problem);
    }
    setDone(undefined);
    await Promise.all([client.invalidateQueries({ queryKey: profilesQuery.queryKey }), refreshHealth(client, ids)]);
  };
  const busy = done !== undefined;
  if (rows) return <Result rows={rows} chosen={chosen} close={close} note={kind === "invite" ? t.overview.invited(text.trim()) : undefined} />;
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        <Text size="sm">{t.overview.bulkTexts[kind]?.(ids.length)}</Text>
        {kind === "template" && (
          <Select
            label={t.overview.like}
            data={own.map((row) => ({ value: row.id, label: row.name }))}
            value={like}
            onChange={setLike}
            searchable
            required
            data-autofocus
          />
        )}
        {kind === "invite" && (
          <Group grow align="flex-start">
            <TextInput label={t.overview.email} type="email" required value={text} onChange={(event) => setText(event.currentTarget.value)} data-autofocus />
            <Select label={t.overview.role} data={roleOptions} value={role} onChange={(word) => word && setRole(word)} allowDeselect={false} />
          </Group>
        )}
        {kind === "tag" && (
          <SegmentedControl
            data={[
              { value: "add", label: t.overview.tagAdd },
              { value: "remove", label: t.overview.tagRemove },
            ]}
            value={remove ? "remove" : "add"}
            onChange={(word) => setRemove(word === "remove")}
          />
        )}
        {(kind === "tag" || kind === "invite") && (
          <Group grow>
            <TextInput label={t.overview.tagKey} required maxLength={100} value={key} onChange={(event) => setKey(event.currentTarget.value)} />
            <TextInput label={t.overview.tagValue} maxLength={1000} value={value} onChange={(event) => setValue(event.currentTarget.value)} />
          </Group>
        )}
        {kind === "pause" && (
          <TextInput label={t.overview.reason} required maxLength={200} value={text} onChange={(event) => setText(event.currentTarget.value)} data-autofocus />
        )}
        {busy && (
          <Stack gap={4}>
            <Progress value={(done / ids.length) * 100} aria-label={t.overview.progress(done, ids.length)} />
            <Text size="xs" c="dimmed" role="status">
              {t.overview.progress(done, ids.length)}
            </Text>
          </Stack>
        )}
        <ErrorNote error={error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close} disabled={busy}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={busy} disabled={kind === "template" && !like}>
            {t.overview.go[kind]}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Result({ rows, chosen, close, note }: { rows: BulkRow[]; chosen: Chosen; close: () => void; note?: string }) {
  const refused = rows.filter((row) => !row.ok);
  return (
    <Stack gap="sm">
      <Text role="status">
        {t.overview.done(rows.length - refused.length)} {note}
      </Text>
      {refused.length > 0 && (
        <Alert color="yellow" variant="light" title={t.overview.refused(refused.length)}>
          <Stack gap={4} mah={260} style={{ overflowY: "auto" }}>
            {refused.map((row) => (
              <Text key={row.id} size="sm">
                <b>{chosen[row.id]}</b>: {row.reason}
              </Text>
            ))}
          </Stack>
        </Alert>
      )}
      <Group justify="flex-end">
        <Button onClick={close} data-autofocus>
          {t.overview.close}
        </Button>
      </Group>
    </Stack>
  );
}
