import { Badge, Button, Card, Checkbox, Group, Modal, PasswordInput, Progress, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import type { Backup } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Prove } from "../account/Prove";
import { atLeast, Lacks, useOwnRole } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { backupsPerPage, backupsQuery, open, useBackupLink, useDeleteBackup, useMakeBackup } from "./queries";
import { Schedule } from "./Schedule";
import { bytes } from "./size";

const route = getRouteApi("/_in/p/$profileId/backups");

/** Archives of one profile that the server keeps: make one, take it home, and have them made by themselves. */
export function BackupsPage() {
  const { profileId } = route.useParams();
  const name = useProfileName(profileId);
  const owner = atLeast(useOwnRole(profileId), "owner");
  return (
    <Page title={t.backup.title} profile={name} text={t.backup.text}>
      {owner ? (
        <>
          <Make key={`make ${profileId}`} profileId={profileId} />
          <List key={`list ${profileId}`} profileId={profileId} />
          <Schedule key={`schedule ${profileId}`} profileId={profileId} />
        </>
      ) : (
        <Lacks profileId={profileId} least="owner" what={t.backup.what} />
      )}
    </Page>
  );
}

function Make({ profileId }: { profileId: string }) {
  const make = useMakeBackup(profileId);
  const [data, setData] = useState(false);
  const [passphrase, setPassphrase] = useState("");
  return (
    <Section title={t.backup.make} text={t.backup.makeText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate({ data, ...(passphrase ? { passphrase } : {}) }, { onSuccess: () => setPassphrase("") });
        }}
      >
        <Stack gap="sm" maw={480}>
          <Checkbox
            label={t.backup.withData}
            description={t.backup.withDataHint}
            checked={data}
            onChange={(event) => setData(event.currentTarget.checked)}
          />
          <PasswordInput
            label={t.backup.passphrase}
            description={t.backup.passphraseHint}
            autoComplete="new-password"
            name="passphrase"
            value={passphrase}
            onChange={(event) => setPassphrase(event.currentTarget.value)}
            visibilityToggleButtonProps={{ "aria-label": t.show }}
            error={make.error instanceof ApiError ? make.error.about("passphrase") : undefined}
          />
          <ErrorNote error={make.error} />
          <Group>
            <Button type="submit" loading={make.isPending}>
              {t.backup.makeButton}
            </Button>
            <Text size="sm" role="status">
              {make.isSuccess ? t.backup.queuedNow : ""}
            </Text>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

function List({ profileId }: { profileId: string }) {
  const [page, setPage] = useState(1);
  const list = useQuery(backupsQuery(profileId, page));
  const [chosen, setChosen] = useState<{ backup: Backup; what: "download" | "delete" }>();
  return (
    <Section title={t.backup.list} text={t.backup.listText}>
      {list.isPending && <Loading />}
      <ErrorNote error={list.error} retry={() => void list.refetch()} />
      {list.data?.length === 0 && page === 1 && <Empty title={t.backup.nothing} text={t.backup.nothingText} />}
      {list.data && list.data.length > 0 && (
        <Stack gap="xs" role="list" aria-label={t.backup.list}>
          {list.data.map((backup) => (
            <One key={backup.id} backup={backup} act={(what) => setChosen({ backup, what })} />
          ))}
        </Stack>
      )}
      {(page > 1 || (list.data?.length ?? 0) === backupsPerPage) && (
        <Group>
          <Button size="compact-sm" variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
            {t.notify.newer}
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            disabled={(list.data?.length ?? 0) < backupsPerPage}
            onClick={() => setPage(page + 1)}
          >
            {t.notify.older}
          </Button>
        </Group>
      )}
      <Modal
        opened={chosen !== undefined}
        onClose={() => setChosen(undefined)}
        title={chosen?.what === "delete" ? t.backup.deleteTitle : t.backup.downloadTitle}
        centered
      >
        {chosen?.what === "download" && (
          <Download profileId={profileId} backup={chosen.backup} close={() => setChosen(undefined)} />
        )}
        {chosen?.what === "delete" && (
          <Delete profileId={profileId} backup={chosen.backup} close={() => setChosen(undefined)} />
        )}
      </Modal>
    </Section>
  );
}

const colors = { queued: "gray", processing: "blue", completed: "teal", failed: "red" } as const;

function One({ backup, act }: { backup: Backup; act: (what: "download" | "delete") => void }) {
  const dates = useDates();
  const at = dates.minute(backup.created_at);
  return (
    <Card withBorder padding="sm" role="listitem" aria-label={at}>
      <Group justify="space-between" align="flex-start" gap="sm">
        <Stack gap={4} miw={0} flex="1 1 240px">
          <Group gap="xs">
            <Text fw={600}>{at}</Text>
            <Badge color={colors[backup.status]} variant="dot" tt="none">
              {t.backup.status[backup.status]}
            </Badge>
          </Group>
          <Text size="sm" c="dimmed">
            {[
              backup.data ? t.backup.hasData : t.backup.noData,
              backup.file_size !== null ? bytes(backup.file_size) : undefined,
              backup.encrypted ? t.backup.encrypted : undefined,
              backup.origin === "schedule" ? t.backup.bySchedule : undefined,
              backup.target === "external" ? t.backup.external : undefined,
              backup.expires_at !== null ? t.backup.keptUntil(dates.day(backup.expires_at)) : undefined,
            ]
              .filter(Boolean)
              .join(" · ")}
          </Text>
          {open(backup) && (
            <Progress.Root size="lg">
              <Progress.Section
                value={backup.status === "queued" ? 0 : Math.max(3, backup.progress)}
                animated
                aria-label={t.backup.progress(at)}
                aria-valuenow={backup.progress}
              />
            </Progress.Root>
          )}
          {backup.status === "processing" && <Text size="xs">{t.backup.percent(backup.progress)}</Text>}
          {backup.error_message !== null && (
            <Text size="sm" c={backup.status === "failed" ? "red" : "dimmed"}>
              {backup.error_message}
            </Text>
          )}
        </Stack>
        <Group gap="xs">
          {backup.status === "completed" && (
            <Button size="compact-sm" variant="default" onClick={() => act("download")} aria-label={t.backup.downloadOf(at)}>
              {t.backup.download}
            </Button>
          )}
          <Button size="compact-sm" variant="subtle" color="red" onClick={() => act("delete")} aria-label={t.backup.deleteOf(at)}>
            {open(backup) ? t.backup.stop : t.backup.delete}
          </Button>
        </Group>
      </Group>
    </Card>
  );
}

interface Dialog {
  profileId: string;
  backup: Backup;
  close: () => void;
}

function Download({ profileId, backup, close }: Dialog) {
  const link = useBackupLink(profileId);
  const dates = useDates();
  const taken = useRef<HTMLAnchorElement>(null);
  const url = link.data?.url;
  useEffect(() => {
    if (url) taken.current?.focus(); // it is what one does next
  }, [url]);
  if (link.data)
    return (
      <Stack>
        <Text size="sm">{t.backup.linkText(dates.minute(link.data.expire_at))}</Text>
        {link.data.encrypted && <Text size="sm">{t.backup.linkEncrypted}</Text>}
        <Button component="a" href={link.data.url} download={link.data.file_name} ref={taken}>
          {t.backup.take(bytes(link.data.file_size))}
        </Button>
        <Group gap="xs">
          <CopyButton value={link.data.url} label={t.backup.copyLink} size="compact-sm" />
        </Group>
        <Text size="xs" c="dimmed">
          SHA-256
        </Text>
        <Text size="xs" className="mono" style={{ overflowWrap: "anywhere" }}>
          {link.data.sha256}
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.close}
          </Button>
        </Group>
      </Stack>
    );
  return (
    <Prove
      action={t.backup.downloadButton}
      running={link}
      submit={(proof, failed) => link.mutate({ id: backup.id, proof }, { onError: failed })}
      cancel={close}
      focus
    >
      <Text size="sm">{t.backup.downloadText}</Text>
    </Prove>
  );
}

function Delete({ profileId, backup, close }: Dialog) {
  const remove = useDeleteBackup(profileId);
  const dates = useDates();
  return (
    <Prove
      action={t.backup.deleteButton}
      color="red"
      running={remove}
      submit={(proof, failed) => remove.mutate({ id: backup.id, proof }, { onError: failed, onSuccess: close })}
      cancel={close}
      focus
    >
      <Text size="sm">{t.backup.deleteText(dates.minute(backup.created_at))}</Text>
    </Prove>
  );
}
