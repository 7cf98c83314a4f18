// Backups of a profile, the import of archives, and copies.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Backup, BackupLink, BackupSchedule, ImportReport, ImportRun } from "../../api/types";
import type { Proof } from "../account/Prove";
import { profilesQuery } from "../profile/queries";

const key = (profile: string) => ["p", profile, "backup"] as const;

export const backupsPerPage = 20;

/** The backups of a profile, read anew each second while one is being made. */
export const backupsQuery = (profile: string, page: number) =>
  queryOptions({
    queryKey: [...key(profile), "list", page],
    queryFn: ({ signal }) =>
      call<Backup[]>("GET", `/profile/${profile}/backup`, {
        profile,
        signal,
        query: { page, amount: backupsPerPage, orderBy: "created_at,desc" },
      }),
    refetchInterval: (query) => (query.state.data?.some(open) ? 1000 : 15_000),
  });

export const open = (backup: Backup): boolean => backup.status === "queued" || backup.status === "processing";

export const scheduleQuery = (profile: string) =>
  queryOptions({
    queryKey: [...key(profile), "schedule"],
    queryFn: ({ signal }) => call<BackupSchedule>("GET", `/profile/${profile}/backup/schedule`, { profile, signal }),
    refetchInterval: 30_000,
  });

/** One of the things that can be done with backups of a profile; afterwards everything shown of them is read anew. */
function useBackups<Input, Output>(profile: string, act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSettled: () => client.invalidateQueries({ queryKey: key(profile) }) });
}

export const useMakeBackup = (profile: string) =>
  useBackups(profile, (body: { data: boolean; passphrase?: string }) =>
    call<string>("POST", `/profile/${profile}/backup`, { profile, body }),
  );

/** A link holds a secret: nothing but the dialog that asked for it keeps it. */
export const useBackupLink = (profile: string) =>
  useMutation({
    mutationFn: ({ id, proof }: { id: string; proof: Proof }) =>
      call<BackupLink>("POST", `/profile/${profile}/backup/${id}/download`, { profile, body: proof }),
    gcTime: 0,
  });

export const useDeleteBackup = (profile: string) =>
  useBackups(profile, ({ id, proof }: { id: string; proof: Proof }) =>
    call<string>("DELETE", `/profile/${profile}/backup/${id}`, { profile, body: proof }),
  );

export interface ScheduleChange {
  active: boolean;
  every: string;
  weekday: string;
  hour: number;
  data: boolean;
  target: string;
  keep_last: number | null;
  keep_days: number | null;
  /** Left out it stays, null removes it. */
  passphrase?: string | null;
}

export const useSetSchedule = (profile: string) =>
  useBackups(profile, (body: ScheduleChange) => call<string>("PUT", `/profile/${profile}/backup/schedule`, { profile, body }));

export interface Import {
  file: File;
  passphrase: string;
  name: string;
  dryRun: boolean;
  tokens: boolean;
  newIds: boolean;
}

/** Sends an archive; the server goes on with it in the background. */
export function useImport() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ file, passphrase, name, dryRun, tokens, newIds }: Import) =>
      call<{ id: string }>("POST", "/profile/import", {
        file,
        query: {
          name: name || undefined,
          dry_run: dryRun || undefined,
          device_tokens: tokens || undefined,
          new_ids: newIds || undefined,
        },
        headers: passphrase ? { "Archive-Passphrase": base64(passphrase) } : undefined,
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ["imports"] }),
  });
}

/** Headers are ASCII: any other text goes as base64 of its UTF-8. */
function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

export const importQuery = (id: string | undefined) =>
  queryOptions({
    queryKey: ["imports", id],
    queryFn: ({ signal }) => call<ImportRun>("GET", `/profile/import/${id}`, { signal }),
    enabled: id !== undefined,
    refetchInterval: (query) => (query.state.data === undefined || query.state.data.state === "running" ? 1000 : false),
  });

export const importsQuery = queryOptions({
  queryKey: ["imports"],
  queryFn: ({ signal }) => call<ImportRun[]>("GET", "/profile/import", { signal }),
});

export function useClone(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => call<ImportReport>("POST", `/profile/${profile}/clone`, { profile, body: { name } }),
    onSuccess: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
  });
}
