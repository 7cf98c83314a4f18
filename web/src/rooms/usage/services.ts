// What a profile may use of each service and what happens at its limit, as it is shown and set in one table.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, call } from "../../api/client";
import type { LimitRow } from "../../api/types";
import { t } from "../../texts";
import { unlimited } from "../../ui/format";
import { type ProfileChange, refresh } from "../profile/queries";

/** How the API says that there is no limit. */
const noLimit = 9007199254740991;

export const limitsQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "limits"],
    queryFn: ({ signal }) => call<LimitRow[]>("GET", "/limits", { profile, signal }),
  });

/** One service: what is, and what the table may change. */
export interface ServiceRow {
  service: string;
  name: string;
  used: number;
  limit: number | null;
  overage: number;
  reset: string | null;
  policy: string;
  /** null: no limit */
  allocation: number | null;
  /** What no profile has; null where the account has no limit or it is not ours to know. */
  free: number | null;
}

/** The services in their order, out of a profile's limits and allocation. */
export function serviceRows(limits: LimitRow[], allocation: Record<string, number>): ServiceRow[] {
  const pools = new Map(limits.filter((row) => row.kind === "pool").map((row) => [row.name, row]));
  const services = new Map(limits.filter((row) => row.kind === "service").map((row) => [row.name, row]));
  return Object.entries(t.usage.services).flatMap(([service, name]) => {
    const row = services.get(service);
    if (!row) return [];
    const has = allocation[service] ?? noLimit;
    return [
      {
        service,
        name,
        used: row.used,
        limit: row.limit,
        overage: row.overage ?? 0,
        reset: row.reset,
        policy: row.policy ?? "block",
        allocation: unlimited(has) ? null : has,
        free: pools.get(service)?.free ?? null,
      },
    ];
  });
}

/** What was changed in the table: by service, its amount ("" for no limit) or its policy. */
export interface Edits {
  amounts: Record<string, number | "">;
  policies: Record<string, string>;
}

export const noEdits: Edits = { amounts: {}, policies: {} };

/** The edits that are not what the server has already. */
export function pending({ amounts, policies }: Edits, rows: ServiceRow[]): Edits {
  const differ = <T>(edits: Record<string, T>, has: (row: ServiceRow) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(edits).filter(([service, value]) => !rows.some((row) => row.service === service && has(row) === value)));
  return { amounts: differ<number | "">(amounts, (row) => row.allocation ?? ""), policies: differ(policies, (row) => row.policy) };
}

/** What is saved by a request of its own. */
export type Part = "amounts" | "about" | "policies";

interface Saving {
  change: ProfileChange;
  edits: Edits;
  /** Told of each part as soon as it is saved: those after it may be refused. */
  saved: (part: Part) => void;
}

/** Sends everything that was changed on the page. What may be refused goes first: an amount that the account lacks, a bad reference or tag, and
 *  last the policies, which are picked from a list. After a refusal nothing more is sent. */
export function useSaveProfile(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ change, edits, saved }: Saving) => {
      if (Object.keys(edits.amounts).length > 0) {
        const amounts = Object.entries(edits.amounts).map(([service, n]) => [service, n === "" ? noLimit : n]);
        await call<string>("POST", "/account/allocation", { body: [{ profile, ...Object.fromEntries(amounts) }] });
        saved("amounts");
      }
      if (Object.keys(change).length > 0) {
        await call<string>("PUT", `/profile/${profile}`, { profile, body: change });
        saved("about");
      }
      if (Object.keys(edits.policies).length > 0) {
        await call<string>("PUT", `/profile/${profile}/policies`, { profile, body: edits.policies });
        saved("policies");
      }
    },
    // Also after a refusal: what came before it is saved.
    onSettled: () => Promise.all([refresh(client, profile), client.invalidateQueries({ queryKey: ["p", profile] })]),
  });
}

/** The service whose amount was refused, and why. */
export function refusedCell(error: unknown): { service: string; reason: string } | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const service = /^\[0\]\.(\w+)$/.exec(error.field)?.[1];
  return service ? { service, reason: error.about(error.field) ?? error.message } : undefined;
}
