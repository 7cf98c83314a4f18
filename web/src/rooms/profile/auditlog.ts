// The audit log of a profile: searched by a question that the server may answer later.
import { infiniteQueryOptions } from "@tanstack/react-query";
import { call, encodeQuery, type Query } from "../../api/client";
import type { AuditLog } from "../../api/types";

export const auditRanges = ["day", "week", "month", "all"] as const;
export type AuditRange = (typeof auditRanges)[number];
export const defaultRange: AuditRange = "week";

/** How far each range goes back. The server cuts "all" at what it keeps. */
const ages: Record<AuditRange, string> = { day: "1 day", week: "7 days", month: "1 month", all: "20 years" };

export interface AuditFilter {
  range?: AuditRange;
  who?: string;
  resource?: string;
  find?: string;
}

const pageSize = 100;

const query = (filter: AuditFilter): Query => ({
  start_date: ages[filter.range ?? defaultRange],
  who: filter.who,
  resourceName: filter.resource,
  find: filter.find,
});

/** Pages of events, the oldest first. */
export const auditLogQuery = (profile: string, filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ["p", profile, "auditlog", filter],
    queryFn: async ({ signal, pageParam }) => {
      const path = `/profile/${profile}/auditlog`;
      let log = await call<AuditLog>("GET", path, { query: { ...query(filter), limit: pageSize, after: pageParam || undefined }, signal });
      while (log.status === "Running") {
        await new Promise((done) => setTimeout(done, 500));
        log = await call<AuditLog>("GET", `${path}/${log.queryId}`, { signal });
      }
      return log;
    },
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });

/** Where a browser downloads all that the filter finds. */
export const auditLogFile = (profile: string, filter: AuditFilter, format: "csv" | "json"): string =>
  `/profile/${profile}/auditlog/export${encodeQuery({ ...query(filter), format })}`;
