import { Alert, Button, Checkbox, FileInput, Group, List, PasswordInput, Progress, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../../api/client";
import type { ImportReport, ImportRun } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useDates } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { importQuery, importsQuery, useImport } from "./queries";
import { bytes } from "./size";

/** Makes a profile of an archive: first what would happen, then it. */
export function ImportPage() {
  const send = useImport();
  const client = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [passphrase, setPassphrase] = useState("");
  const [name, setName] = useState("");
  const [tokens, setTokens] = useState(false);
  const [newIds, setNewIds] = useState(false);
  const run = useQuery(importQuery(send.data?.id));
  const running = send.isPending || (send.isSuccess && (run.data === undefined || run.data.state === "running"));
  const state = run.data?.state;
  const dry = send.variables?.dryRun ?? false;
  const checked = send.isSuccess && dry && state === "done";

  useEffect(() => {
    if (state === "done" && !dry) void client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    if (state === "done" || state === "failed") void client.invalidateQueries({ queryKey: importsQuery.queryKey, exact: true });
  }, [state, dry, client]);

  const start = (dryRun: boolean): void => {
    if (file) send.mutate({ file, passphrase, name: name.trim(), dryRun, tokens, newIds });
  };
  /** What was found out is about what was chosen then. */
  const change = <T,>(set: (value: T) => void) => (value: T) => {
    set(value);
    if (!running) send.reset();
  };
  return (
    <Page title={t.import.title} text={t.import.text}>
      <Section title={t.import.archive}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            start(!checked);
          }}
        >
          <Stack gap="sm" maw={560}>
            <FileInput
              label={t.import.file}
              description={t.import.fileHint}
              placeholder={t.import.choose}
              accept=".zip,.age"
              required
              disabled={running}
              value={file}
              onChange={change(setFile)}
              clearable
              clearButtonProps={{ "aria-label": t.import.clear }}
            />
            {file && (
              <Text size="xs" c="dimmed">
                {bytes(file.size)}
              </Text>
            )}
            <PasswordInput
              label={t.import.passphrase}
              description={t.import.passphraseHint}
              autoComplete="off"
              name="passphrase"
              disabled={running}
              value={passphrase}
              onChange={(event) => change(setPassphrase)(event.currentTarget.value)}
              visibilityToggleButtonProps={{ "aria-label": t.show }}
              error={send.error instanceof ApiError ? send.error.about("passphrase") : undefined}
            />
            <TextInput
              label={t.import.name}
              description={t.import.nameHint}
              name="name"
              maxLength={100}
              disabled={running}
              value={name}
              onChange={(event) => change(setName)(event.currentTarget.value)}
            />
            <Checkbox
              label={t.import.tokens}
              description={t.import.tokensHint}
              disabled={running}
              checked={tokens}
              onChange={(event) => change(setTokens)(event.currentTarget.checked)}
            />
            <Checkbox
              label={t.import.newIds}
              description={t.import.newIdsHint}
              disabled={running}
              checked={newIds}
              onChange={(event) => change(setNewIds)(event.currentTarget.checked)}
            />
            <ErrorNote error={send.error} />
            <Group>
              <Button type="submit" loading={running} disabled={!file}>
                {checked ? t.import.start : t.import.check}
              </Button>
              <ButtonLink variant="default" to="/profiles">
                {t.cancel}
              </ButtonLink>
            </Group>
          </Stack>
        </form>
        <div role="status">
          {send.isPending && <Text size="sm">{t.import.sending}</Text>}
          {send.isSuccess && running && <Running run={run.data} />}
        </div>
        <ErrorNote error={run.error} />
      </Section>
      {run.data?.state === "failed" && <Failure run={run.data} />}
      {run.data?.report && state === "done" && <Report report={run.data.report} />}
      <Earlier shown={send.data?.id} />
    </Page>
  );
}

function Running({ run }: { run: ImportRun | undefined }) {
  const share = run && run.total > 0 ? (run.points * 100) / run.total : 0;
  return (
    <Stack gap={4}>
      <Text size="sm">{run && run.total > 0 ? t.import.points(count(run.points), count(run.total)) : t.import.verifying}</Text>
      <Progress.Root size="lg">
        <Progress.Section value={Math.max(3, share)} animated aria-label={t.import.progress} />
      </Progress.Root>
    </Stack>
  );
}

function Failure({ run }: { run: ImportRun }) {
  return (
    <Alert color="red" title={t.import.failed} role="alert">
      <Stack gap="xs">
        <Text size="sm">{run.error}</Text>
        <Checks checks={run.checks} />
      </Stack>
    </Alert>
  );
}

function Checks({ checks }: { checks: ImportReport["checks"] }) {
  if (checks.length === 0) return null;
  return (
    <List size="sm">
      {checks.map((check) => (
        <List.Item key={check.name}>
          {check.ok ? "✓" : "✗"} {check.detail}
        </List.Item>
      ))}
    </List>
  );
}

function Report({ report }: { report: ImportReport }) {
  const dates = useDates();
  const fits = report.checks.every((check) => check.ok || !check.blocks);
  const ids = Object.entries(report.map);
  return (
    <Section title={report.dry_run ? t.import.would(report.name) : t.import.done(report.name)}>
      {!report.dry_run && (
        <Group>
          <ButtonLink to="/p/$profileId/devices" params={{ profileId: report.profile }}>
            {t.profiles.open(report.name)}
          </ButtonLink>
        </Group>
      )}
      <Text size="sm">
        {t.import.from(report.archive.profile.name, dates.minute(report.archive.created_at), report.archive.release)}
      </Text>
      <Table maw={360}>
        <Table.Tbody>
          {(["devices", "points", "tokens", "dashboards", "widgets", "rules"] as const).map((what) => (
            <Table.Tr key={what}>
              <Table.Td>{t.import.counts[what]}</Table.Td>
              <Table.Td ta="right">{count(report.counts[what])}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {report.dry_run && (fits ? <Text size="sm">{t.import.fits}</Text> : <Alert color="red">{t.import.fitsNot}</Alert>)}
      <Checks checks={report.checks} />
      <Text size="sm">{report.ids_kept ? t.import.idsKept : t.import.idsNew}</Text>
      {report.notes.length > 0 && (
        <List size="sm">
          {report.notes.map((note) => (
            <List.Item key={note}>{note}</List.Item>
          ))}
        </List>
      )}
      {report.new_tokens.length > 0 && (
        <>
          <Text size="sm">{t.import.newTokens}</Text>
          <List size="sm">
            {report.new_tokens.map((token) => (
              <List.Item key={`${token.device} ${token.tail}`}>
                {token.name} · {token.device} · …{token.tail}
              </List.Item>
            ))}
          </List>
        </>
      )}
      {ids.length > 0 && (
        <Group>
          <Button variant="default" onClick={() => saveMap(report)}>
            {t.import.map(ids.length)}
          </Button>
        </Group>
      )}
    </Section>
  );
}

/** Hands the map of ids to the browser as a file. */
function saveMap(report: ImportReport): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(report.map, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `ids-${report.profile}.json`;
  link.click();
  URL.revokeObjectURL(url);
}

/** Imports of the last weeks, for whoever left this page while one was running. */
function Earlier({ shown }: { shown: string | undefined }) {
  const dates = useDates();
  const runs = useQuery(importsQuery);
  const rows = runs.data?.filter((run) => run.id !== shown) ?? [];
  if (rows.length === 0) return null;
  return (
    <Section title={t.import.earlier}>
      <Stack gap="xs">
        {rows.map((run) => (
          <Group key={run.id} gap="xs">
            <Text size="sm">{dates.minute(run.created_at)}</Text>
            <Text size="sm">{run.report?.dry_run ? t.import.onlyChecked : t.import.states[run.state]}</Text>
            {run.error && (
              <Text size="sm" c="dimmed">
                {run.error}
              </Text>
            )}
            {run.report && !run.report.dry_run && (
              <TextLink size="sm" to="/p/$profileId/devices" params={{ profileId: run.report.profile }}>
                {t.profiles.open(run.report.name)}
              </TextLink>
            )}
          </Group>
        ))}
      </Stack>
    </Section>
  );
}
