// Devices of one profile. Keys begin with ["p", profile, "device"].
import { keepPreviousData, queryOptions, useMutation, useMutationState, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { call, type Query } from "../../api/client";
import type {
  BulkResult,
  DeviceInfo,
  DeviceParam,
  DeviceRequest,
  DeviceRow,
  DeviceTable,
  DeviceToken,
  NewDevice,
  SilenceRule,
  Tag,
} from "../../api/types";
import type { DevicesSearch } from "./search";

export const pageSize = 20;

const listKey = (profile: string) => ["p", profile, "device", "list"] as const;
const deviceKey = (profile: string, id: string) => ["p", profile, "device", id] as const;

/** Which devices an address means, as the API's filter; undefined when it means all. */
export function filterOf({ search, tag, state, silent }: DevicesSearch): Query | undefined {
  const before = silent && silent !== "any" && { hour: "<1 hour", day: "<1 day", week: "<7 days", never: "never" }[silent];
  const [key = "", value] = tag?.split(/=(.*)/s).map((part) => part.trim()) ?? [];
  const filter: Query = {
    ...(search ? { search } : {}),
    ...(key || value ? { tags: [{ ...(key ? { key } : {}), ...(value ? { value } : {}) }] } : {}),
    ...(state && state !== "all" ? { active: state === "active" } : {}),
    ...(before ? { last_input: before } : {}),
  };
  return Object.keys(filter).length > 0 ? filter : undefined;
}

const rowFields = ["id", "name", "type", "active", "tags", "last_input", "points_today", "refusals_today", "serie_number"];

/** One page of devices, read again while somebody looks. */
export const devicesQuery = (profile: string, { page = 1, sort = "name", ...search }: DevicesSearch) =>
  queryOptions({
    queryKey: [...listKey(profile), page, sort, search],
    queryFn: ({ signal }) => {
      const orderBy = sort.startsWith("-") ? `${sort.slice(1)},desc` : `${sort},asc`;
      const query: Query = { page, amount: pageSize, fields: rowFields, filter: filterOf(search), orderBy };
      return call<DeviceRow[]>("GET", "/device", { profile, query, signal });
    },
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });

/** Whether there is a row behind a page: lists carry no total. */
export const aheadQuery = (profile: string, { page = 1, sort: _, ...search }: DevicesSearch) =>
  queryOptions({
    queryKey: [...listKey(profile), "ahead", page, search],
    queryFn: async ({ signal }) => {
      const query: Query = { page: page * pageSize + 1, amount: 1, fields: ["id"], filter: filterOf(search) };
      return (await call<unknown[]>("GET", "/device", { profile, query, signal })).length > 0;
    },
  });

export type BulkAction = "activate" | "deactivate" | "tag" | "untag" | "empty" | "delete";

/** Which devices something is done with: some, or all that an address means. */
export type Meant = { ids: string[] } | { search: DevicesSearch };

export interface BulkTask {
  action: BulkAction;
  meant: Meant;
  tag?: { key: string; value?: string };
}

function bulk(profile: string, { action, meant, tag }: BulkTask, more: object, signal?: AbortSignal): Promise<BulkResult> {
  const filter = "search" in meant ? filterOf(meant.search) : undefined;
  const which = "ids" in meant ? { ids: meant.ids } : filter ? {} : { all: true };
  return call<BulkResult>("POST", "/device/bulk", { profile, query: { filter }, body: { action, ...which, ...tag, ...more }, signal });
}

/** How many devices are meant, and how many points they hold; null when they are too many to count. */
export const meantQuery = (profile: string, meant: Meant, action: BulkAction) =>
  queryOptions({
    queryKey: [...listKey(profile), "meant", meant, action],
    queryFn: ({ signal }) => bulk(profile, { action, meant }, { dry_run: true }, signal),
    staleTime: 0,
    gcTime: 0,
  });

export interface BulkProgress {
  done: number;
  all: number;
  failed: BulkResult["devices"];
  ended: boolean;
}

/** Does something with many devices, some at a time, and tells how far it is. */
export async function runBulk(profile: string, task: BulkTask, tell: (progress: BulkProgress) => void, signal: AbortSignal): Promise<void> {
  let [done, all, after] = [0, "ids" in task.meant ? task.meant.ids.length : 0, ""];
  const failed: BulkResult["devices"] = [];
  for (let next: string | null = ""; next !== null; ) {
    after = next;
    // oxlint-disable-next-line no-await-in-loop -- each answer says where to go on
    const answer: BulkResult = await bulk(profile, task, { amount: 50, ...(after ? { after } : {}) }, signal);
    all = Math.max(all, answer.matched ?? 0);
    done += answer.devices.filter((row) => row.done).length;
    failed.push(...answer.devices.filter((row) => !row.done));
    next = answer.next;
    tell({ done, all, failed: [...failed], ended: next === null });
  }
}

export function useListChanged(profile: string): () => void {
  const client = useQueryClient();
  return () => void client.invalidateQueries({ queryKey: ["p", profile, "device"] });
}

/** Looks at a table of devices, or makes them. */
export const sendTable = (profile: string, file: Blob, dryRun: boolean): Promise<DeviceTable> =>
  call<DeviceTable>("POST", "/device/import", { profile, file, query: { dry_run: dryRun } });

export const deviceQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "info"],
    queryFn: ({ signal }) => call<DeviceInfo>("GET", `/device/${id}`, { profile, signal }),
    refetchInterval: 5_000,
  });

const deletionKey = (profile: string, id: string) => [...deviceKey(profile, id), "delete"];

/** A device, read again and again until it is deleted: its page stands a moment longer than it. */
export function useDevice(profile: string, id: string) {
  const filters = { mutationKey: deletionKey(profile, id) };
  const gone = useMutationState({ filters, select: ({ state }) => state.status }).some((status) => status === "pending" || status === "success");
  return useQuery({ ...deviceQuery(profile, id), enabled: (query) => !gone || query.state.data === undefined });
}

/** How often devices should be heard. */
export const rulesQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "alert", "device-rules"],
    queryFn: ({ signal }) => call<SilenceRule[]>("GET", "/alert/silence", { profile, query: { amount: 1000 }, signal }),
    staleTime: 60_000,
  });

export const paramsQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "params"],
    queryFn: ({ signal }) => call<DeviceParam[]>("GET", `/device/${id}/params`, { profile, signal }),
  });

/** Makes the parameters of a device what they are given as: those that are missing are deleted. */
export function useSetParams(profile: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ before, after }: { before: DeviceParam[]; after: (Omit<DeviceParam, "id"> & { id?: string })[] }) => {
      const gone = before.filter((old) => !after.some((row) => row.id === old.id));
      await Promise.all(gone.map((old) => call<string>("DELETE", `/device/${id}/params/${old.id}`, { profile })));
      if (after.length > 0) await call<string>("POST", `/device/${id}/params`, { profile, body: after });
    },
    onSettled: () => client.invalidateQueries({ queryKey: paramsQuery(profile, id).queryKey }),
  });
}

/** The device's tokens, the first made first. */
export const tokensQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "token"],
    queryFn: ({ signal }) => {
      const query: Query = { fields: ["token", "name", "permission"], orderBy: "created_at,asc" };
      return call<DeviceToken[]>("GET", `/device/token/${id}`, { profile, query, signal });
    },
    staleTime: 60_000,
  });

/** The last requests of the device, newest first; asked for again while somebody looks. */
export const requestsQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "requests"],
    queryFn: ({ signal }) => call<DeviceRequest[]>("GET", `/device/${id}/requests`, { profile, signal }),
    refetchInterval: 3000,
  });

export function useCreateDevice(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewDevice) =>
      call<{ device_id: string; token: string }>("POST", "/device", { profile, body }),
    onSuccess: () => client.invalidateQueries({ queryKey: listKey(profile) }),
  });
}

export function useEditDevice(profile: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { name?: string; active?: boolean; tags?: Tag[] }) =>
      call<string>("PUT", `/device/${id}`, { profile, body }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [...deviceKey(profile, id), "info"] }),
        client.invalidateQueries({ queryKey: listKey(profile) }),
      ]),
  });
}

/** Deletes the device and leads to the list, before anything asks for the device again. */
export function useDeleteDevice(profile: string, id: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationKey: deletionKey(profile, id),
    mutationFn: () => call<string>("DELETE", `/device/${id}`, { profile }),
    onSuccess: async () => {
      await navigate({ to: "/p/$profileId/devices", params: { profileId: profile }, replace: true });
      client.removeQueries({ queryKey: deviceKey(profile, id), type: "inactive" });
      await client.invalidateQueries({ queryKey: listKey(profile) });
    },
  });
}
