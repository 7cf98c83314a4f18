import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { ProfileSummary } from "../../api/types";
import type { DeviceDay, LimitRow, LimitStep, Sample, Table } from "../../api/usage";
import type { Step } from "./search";

/** What a profile has used, may use and holds. */
export const summaryQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "summary"],
    queryFn: ({ signal }) => call<ProfileSummary>("GET", `/profile/${profile}/summary`, { profile, signal }),
  });

/** Every limit of a profile, services with where they lead. */
export const limitsQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "limits"],
    queryFn: ({ signal }) => call<LimitRow[]>("GET", "/limits", { profile, query: { forecast: true }, signal }),
  });

/** A stretch of time, as the API takes it: days, or instants. */
export interface Stretch {
  from: string;
  to?: string | undefined;
}

/** Samples of a stretch; of says whether flows are those of the cycle up to then, or of each period. */
export const statisticsQuery = (profile: string, { from, to }: Stretch, step: Step, zone: string, of: "cycle" | "period") =>
  queryOptions({
    queryKey: ["p", profile, "statistics", from, to, step, zone, of],
    queryFn: ({ signal }) =>
      call<Sample[]>("GET", `/profile/${profile}/statistics`, {
        profile,
        query: { start_date: from, end_date: to, periodicity: step, timezone: zone, of },
        signal,
      }),
    placeholderData: keepPreviousData,
  });

/** What the profile was allowed of a service when a stretch began, and each change in it. */
export const limitHistoryQuery = (profile: string, service: string, { from, to }: Stretch, zone: string) =>
  queryOptions({
    queryKey: ["p", profile, "statistics", "limits", service, from, to, zone],
    queryFn: ({ signal }) =>
      call<LimitStep[]>("GET", `/profile/${profile}/statistics/limits`, {
        profile,
        query: { service, start_date: from, end_date: to, timezone: zone },
        signal,
      }),
  });

/** The services that are counted by device. */
export const byDevice = ["input", "output", "dashboard_output"];

/** What each device used on a day. */
export const devicesQuery = (profile: string, service: string, day: string, zone: string) =>
  queryOptions({
    queryKey: ["p", profile, "statistics", "devices", service, day, zone],
    queryFn: ({ signal }) =>
      call<DeviceDay>("GET", `/profile/${profile}/statistics/devices`, {
        profile,
        query: { service, date: day, timezone: zone, amount: 1000 },
        signal,
      }),
    placeholderData: keepPreviousData,
  });

/** What the account has, and each of its profiles. */
export const tableQuery = queryOptions({
  queryKey: ["allocation"],
  queryFn: ({ signal }) => call<Table>("GET", "/account/allocation/table", { signal }),
});

export type AllocationRow = { profile: string } & Record<string, number | string>;

/** Sets allocations: all of them or none. */
export function useAllocate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: AllocationRow[]) => call<string>("POST", "/account/allocation", { body }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: tableQuery.queryKey }),
        client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "p" && ["summary", "limits", "info"].includes(String(queryKey[2])) }),
      ]),
  });
}
