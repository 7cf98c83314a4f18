// How profiles are. Nothing of it is kept for long: a raised limit is to be seen as raised.
import { keepPreviousData, type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call, type Query } from "../../api/client";
import type { AuditEvent, AuditLog, Tag } from "../../api/types";
import { profilesQuery } from "../profile/queries";
import type { OverviewSearch, Status } from "./search";

export interface OverviewRow {
  id: string;
  name: string;
  logo_url: string | null;
  /** "#rrggbb", where the owner chose one. */
  color?: string | null;
  from_share: boolean;
  owner: { id: string; name: string } | null;
  role: string;
  tags: Tag[];
  status: Status;
  reason: { services?: string[]; resets_at?: string; text?: string; silent_devices?: number } | null;
  tightest: { service: string; used: number; limit: number; share: number; runs_out_on: string | null } | null;
  last_input: string | null;
  devices: number;
  silent_devices: number;
  refusals_24h: number;
  members: { members: number; pending: number | null } | null;
  cost: { micro: number; currency: string } | null;
}

export interface CostTotals {
  currency: string;
  profiles_micro: number;
  hidden_micro: number;
  former_micro: number;
  others_micro: Record<string, number>;
  total_micro: number;
  adds_up: boolean;
}

export interface Overview {
  profiles: OverviewRow[];
  rows: number;
  totals: { devices: number; silent_devices: number; refusals_24h: number; statuses: Partial<Record<Status, number>>; cost: CostTotals | null };
}

export const pageSize = 50;
const mostRows = 200;

function filterOf({ name, status, tag }: OverviewSearch): Query {
  const [key, ...value] = (tag ?? "").split("=");
  return {
    filter: {
      name: name ? `*${name}*` : undefined,
      status,
      ...(key ? { tag: { key, value: value.join("=") || undefined } } : {}),
    },
  };
}

export const overviewQuery = (search: OverviewSearch) =>
  queryOptions({
    queryKey: ["profiles", "overview", search],
    queryFn: ({ signal }) =>
      call<Overview>("GET", "/overview", {
        query: {
          ...filterOf(search),
          orderBy: search.order ? `${search.order},${search.desc ? "desc" : "asc"}` : undefined,
          page: search.page,
          amount: pageSize,
        },
        signal,
      }),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    staleTime: 0,
  });

/** Every profile that a search finds, on all its pages. */
export async function allRows(search: OverviewSearch, most: number): Promise<OverviewRow[]> {
  const rows: OverviewRow[] = [];
  for (let page = 1; rows.length < most; page += 1) {
    // One page after the other: each says whether there is another.
    // eslint-disable-next-line no-await-in-loop
    const answer = await call<Overview>("GET", "/overview", { query: { ...filterOf(search), orderBy: "name,asc", page, amount: mostRows } });
    rows.push(...answer.profiles);
    if (answer.profiles.length < mostRows) break;
  }
  return rows.slice(0, most);
}

export interface ServiceUse {
  service: string;
  state: "blocked" | "near" | "ok";
  used: number;
  limit: number | null;
  share: number | null;
  policy: "block" | "pool" | "overage";
  resets_at: string | null;
  since: string | null;
  runs_out_on: string | null;
  refused_24h: number;
  allocation: number | null;
  free: number | null;
  spare?: { id: string; name: string; allocation: number; spare: number }[];
  asked_at: string | null;
}

export interface RefusalSum {
  limit: string;
  scope: string;
  status: number;
  requests: number;
  points_lost: number;
  first: string;
  last: string;
}

export interface Health {
  state: Status;
  paused: { reason: string; by_operator: boolean } | null;
  points_today: number;
  hours: { time: string; points: number }[];
  last_input: string | null;
  devices: number;
  silent: { count: number; devices: { id: string; name: string; last_input: string | null; interval: number }[] };
  services: ServiceUse[];
  refusals: { requests_24h: number; points_lost_24h: number; groups: RefusalSum[]; rates_1h: RefusalSum[] };
  may_raise: boolean;
  only_profile: boolean;
  owner: { id: string; name: string };
}

export const healthQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "health"],
    queryFn: ({ signal }) => call<Health>("GET", `/profile/${profile}/health`, { profile, signal }),
    refetchInterval: 10_000,
    staleTime: 0,
  });

export interface RefusalRow {
  minute: string;
  limit: string;
  scope: string;
  device: string | null;
  route: string | null;
  status: number;
  requests: number;
  points_lost: number;
  last: string;
}

/** The latest refusals of one limit in a day. */
export const refusalsQuery = (profile: string, limit: string, scope: string) =>
  queryOptions({
    queryKey: ["p", profile, "refusals", limit, scope],
    queryFn: ({ signal }) =>
      call<RefusalRow[]>("GET", "/limits/refusals", { profile, query: { limit, scope, from: "1 day", amount: 8 }, signal }),
    staleTime: 0,
  });

/** The last events of a week, the latest first. */
export const activityQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "activity"],
    queryFn: async ({ signal }) => {
      const path = `/profile/${profile}/auditlog`;
      let events: AuditEvent[] = [];
      let after: string | undefined;
      for (let page = 0; page < 5; page += 1) {
        // Each page names the next.
        // eslint-disable-next-line no-await-in-loop
        let log = await call<AuditLog>("GET", path, { profile, query: { start_date: "7 days", after }, signal });
        while (log.status === "Running") {
          // eslint-disable-next-line no-await-in-loop
          await new Promise((done) => setTimeout(done, 500));
          // eslint-disable-next-line no-await-in-loop
          log = await call<AuditLog>("GET", `${path}/${log.queryId}`, { profile, signal });
        }
        events = [...events, ...log.events].slice(-5);
        if (!log.next) break;
        after = log.next;
      }
      return events.toReversed();
    },
  });

/** What changes how a profile is shown, read anew. */
export function refreshHealth(client: QueryClient, profiles: string[]): Promise<unknown> {
  return Promise.all([
    client.invalidateQueries({ queryKey: ["profiles", "overview"] }),
    ...profiles.map((id) => client.invalidateQueries({ queryKey: ["p", id] })),
  ]);
}

/** Gives a profile more of a service, in part from another one. */
export function useRaise(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (rows: { profile: string; service: string; amount: number }[]) =>
      call<string>("POST", "/account/allocation", { body: rows.map((row) => ({ profile: row.profile, [row.service]: row.amount })) }),
    onSuccess: () => refreshHealth(client, [profile]),
  });
}

export function useAsk(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (service: string) => call<string>("POST", `/profile/${profile}/ask`, { profile, body: { service } }),
    onSuccess: () => client.invalidateQueries({ queryKey: healthQuery(profile).queryKey }),
  });
}

export function useResume(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<string>("POST", `/profile/${profile}/resume`, { profile, body: {} }),
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: profilesQuery.queryKey }), refreshHealth(client, [profile])]),
  });
}

export type Action =
  | { tag: { add?: Tag[]; remove?: Tag[] } }
  | { pause: { reason: string } }
  | { resume: Record<string, never> }
  | { template: { like: string } };

export interface BulkRow {
  id: string;
  ok: boolean;
  reason: string | null;
}

const slice = 25;

/** Does one thing to many profiles, a slice at a time so that one sees how far it is. */
export async function bulk(profiles: string[], action: Action, progress: (done: number) => void): Promise<BulkRow[]> {
  const rows: BulkRow[] = [];
  for (let at = 0; at < profiles.length; at += slice) {
    // In order: profiles of one account wait for each other anyway.
    // eslint-disable-next-line no-await-in-loop
    const answer = await call<{ profiles: BulkRow[] }>("POST", "/overview/bulk", { body: { profiles: profiles.slice(at, at + slice), action } });
    rows.push(...answer.profiles);
    progress(rows.length);
  }
  return rows;
}
