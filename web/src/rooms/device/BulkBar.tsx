import { Button, Card, Group, List, Modal, Progress, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { type BulkProgress, type BulkTask, type Meant, meantQuery, runBulk, useListChanged } from "./queries";

interface Props {
  profileId: string;
  meant: Meant;
  /** There are more devices than this page shows. */
  canTakeAll: boolean;
  takeAll: () => void;
  clear: () => void;
}

type Dialog = "tag" | "empty" | "delete";

/** From so many devices on, their number is typed before anything is lost. */
const large = 10;

/** What one can do with the chosen devices. */
export function BulkBar({ profileId, meant, canTakeAll, takeAll, clear }: Props) {
  const [dialog, setDialog] = useState<Dialog>();
  const work = useWork(profileId);
  const all = "search" in meant;
  const matched = useQuery({ ...meantQuery(profileId, meant, "activate"), enabled: all }).data?.matched;
  const n = all ? matched : meant.ids.length;
  const start = (task: Omit<BulkTask, "meant">) => {
    setDialog(undefined);
    work.start({ ...task, meant });
  };
  return (
    <Card withBorder padding="sm" component="section" aria-label={t.fleet.selectPage} pos="sticky" top={64} style={{ zIndex: 50 }}>
      <Group gap="xs" justify="space-between">
        <Group gap="xs">
          <Text size="sm" fw={600} role="status">
            {typeof n !== "number" ? t.fleet.allCounting : all ? t.fleet.allSelected(n, count(n)) : t.fleet.selected(n, count(n))}
          </Text>
          {!all && canTakeAll && (
            <Button size="compact-sm" variant="subtle" onClick={takeAll}>
              {t.fleet.selectAll}
            </Button>
          )}
          <Button size="compact-sm" variant="subtle" color="gray" onClick={clear}>
            {t.fleet.clearSelection}
          </Button>
        </Group>
        <Group gap={6}>
          <Button size="compact-sm" variant="default" onClick={() => start({ action: "activate" })}>
            {t.fleet.activate}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => start({ action: "deactivate" })}>
            {t.fleet.deactivate}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setDialog("tag")}>
            {t.fleet.tagThem}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setDialog("empty")}>
            {t.fleet.empty}
          </Button>
          <Button size="compact-sm" variant="outline" color="red" onClick={() => setDialog("delete")}>
            {t.fleet.remove}
          </Button>
        </Group>
      </Group>
      <Modal opened={dialog === "tag"} onClose={() => setDialog(undefined)} title={t.fleet.tagTitle} centered>
        <TagForm start={start} />
      </Modal>
      {(dialog === "empty" || dialog === "delete") && (
        <Loss profileId={profileId} meant={meant} action={dialog} close={() => setDialog(undefined)} start={start} />
      )}
      <WorkDialog
        work={work}
        close={() => {
          if (work.task?.action === "delete") clear();
          work.end();
        }}
      />
    </Card>
  );
}

function TagForm({ start }: { start: (task: Omit<BulkTask, "meant">) => void }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const tag = { key: key.trim(), ...(value.trim() ? { value: value.trim() } : {}) };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        start({ action: "tag", tag });
      }}
    >
      <Stack gap="sm">
        <Group grow align="flex-start">
          <TextInput label={t.tags.key} required maxLength={100} data-autofocus value={key} onChange={(event) => setKey(event.currentTarget.value)} />
          <TextInput label={t.tags.value} maxLength={1000} value={value} onChange={(event) => setValue(event.currentTarget.value)} />
        </Group>
        <Text size="xs" c="dimmed">
          {t.fleet.tagRemoveHint}
        </Text>
        <Group justify="flex-end">
          <Button variant="default" disabled={!tag.key} onClick={() => start({ action: "untag", tag })}>
            {t.fleet.tagRemove}
          </Button>
          <Button type="submit" disabled={!tag.key}>
            {t.fleet.tagAdd}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface LossProps {
  profileId: string;
  meant: Meant;
  action: "empty" | "delete";
  close: () => void;
  start: (task: Omit<BulkTask, "meant">) => void;
}

/** Says what would be lost before it is. */
function Loss({ profileId, meant, action, close, start }: LossProps) {
  const loss = useQuery(meantQuery(profileId, meant, action));
  const [typed, setTyped] = useState("");
  const n = loss.data?.matched ?? 0;
  const points = loss.data?.points;
  const [title, text, unknown, confirm] =
    action === "empty"
      ? [t.fleet.emptyTitle, t.fleet.emptyLoss, t.fleet.emptyLossUnknown, t.fleet.emptyConfirm]
      : [t.fleet.removeTitle, t.fleet.removeLoss, t.fleet.removeLossUnknown, t.fleet.removeConfirm];
  return (
    <Modal opened onClose={close} title={loss.data ? title(n, count(n)) : t.loading} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          start({ action });
        }}
      >
        <Stack>
          <ErrorNote error={loss.error} retry={() => void loss.refetch()} />
          {loss.isPending && <Loading />}
          {loss.data && <Text size="sm">{typeof points === "number" ? text(points, count(points)) : unknown}</Text>}
          {n >= large && (
            <TextInput
              label={t.fleet.typeCount(n)}
              inputMode="numeric"
              data-autofocus
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t.cancel}
            </Button>
            <Button type="submit" color="red" disabled={!loss.data || n === 0 || (n >= large && typed.trim() !== String(n))}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Work on many devices that is under way. */
function useWork(profileId: string) {
  const changed = useListChanged(profileId);
  const [task, setTask] = useState<BulkTask>();
  const [progress, setProgress] = useState<BulkProgress>();
  const [error, setError] = useState<unknown>();
  const [stopped, setStopped] = useState(false);
  const abort = useRef<AbortController>(undefined);
  return {
    task,
    progress,
    error,
    stopped,
    start: (next: BulkTask) => {
      const controller = new AbortController();
      abort.current = controller;
      setTask(next);
      setProgress(undefined);
      setError(undefined);
      setStopped(false);
      runBulk(profileId, next, setProgress, controller.signal)
        .catch((cause: unknown) => (controller.signal.aborted ? setStopped(true) : setError(cause)))
        .finally(changed);
    },
    stop: () => abort.current?.abort(),
    end: () => setTask(undefined),
  };
}

function WorkDialog({ work, close }: { work: ReturnType<typeof useWork>; close: () => void }) {
  const { task, progress, error, stopped } = work;
  if (!task) return null;
  const ended = Boolean(progress?.ended || error || stopped);
  const [done, all, failed] = [progress?.done ?? 0, progress?.all ?? 0, progress?.failed ?? []];
  return (
    <Modal opened onClose={ended ? close : () => {}} withCloseButton={ended} title={t.fleet.working[task.action]} centered>
      <Stack>
        <Progress
          value={all > 0 ? (100 * (done + failed.length)) / all : 0}
          color={failed.length > 0 ? "yellow" : "paddock"}
          animated={!ended}
          aria-label={t.fleet.working[task.action]}
        />
        <Text size="sm" role="status">
          {progress?.ended ? t.fleet.done(done, count(done)) : stopped ? t.fleet.stopped : t.fleet.progress(count(done), count(all))}
        </Text>
        {failed.length > 0 && (
          <div>
            <Text size="sm" fw={600}>
              {t.fleet.failed(failed.length, count(failed.length))}
            </Text>
            <List size="sm" mah={180} style={{ overflowY: "auto" }}>
              {failed.slice(0, 100).map((row) => (
                <List.Item key={row.id}>
                  {row.name || row.id}: {row.reason}
                </List.Item>
              ))}
            </List>
          </div>
        )}
        <ErrorNote error={error} />
        <Group justify="flex-end">
          {ended ? (
            <Button onClick={close} data-autofocus>
              {t.close}
            </Button>
          ) : (
            <Button variant="default" onClick={work.stop}>
              {t.fleet.stop}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
