// Points of one device. Keys begin with ["p", profile, "device", device].
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call, type Query } from "../../api/client";
import type { Point } from "../../api/types";
import { csvLine } from "../../ui/csv";
import { type RangeName, ranges } from "../device/search";

/** How many points are drawn one by one; of more, averages are. */
const mostDrawn = 3000;

/** Rows of a page of the table. */
export const pageRows = 20;

/** How many points go into one file. */
export const mostFiled = 200_000;

/** A range of time: one that ends now, or from one instant to another, in UTC milliseconds. */
export type Range = { name: RangeName } | { from: number; to: number };

/** A range as the API's parameters, at this moment. */
function dates(range: Range): Query {
  if (!("name" in range)) return { start_date: new Date(range.from).toISOString(), end_date: new Date(range.to).toISOString() };
  return { start_date: new Date(Date.now() - ranges[range.name]).toISOString() };
}

/** How many points the device holds: one small number that tells that something has arrived without reading it all. */
export const amountQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: ["p", profile, "device", device, "amount"],
    queryFn: ({ signal }) => call<number>("GET", `/device/${device}/data_amount`, { profile, signal }),
  });

/** Everything that is read of points. */
export const pointsKey = (profile: string, device: string) => ["p", profile, "device", device, "points"] as const;

export interface Drawn {
  /** How many points the range has. */
  all: number;
  /** Newest first: all of them, or their averages. */
  points: Point[];
  averaged?: "minute" | "hour" | "day";
}

/** What charts of a range draw. A range that ends now is read again slowly, since a device whose old points end as new ones
 *  come keeps its number; what comes meanwhile is told by useLive, or by the number. */
export const drawnQuery = (profile: string, device: string, range: Range, live: boolean) =>
  queryOptions({
    queryKey: [...pointsKey(profile, device), "drawn", range],
    queryFn: async ({ signal }): Promise<Drawn> => {
      const at = dates(range);
      const read = <T>(query: Query) => call<T>("GET", `/device/${device}/data`, { profile, query: { ...at, ...query }, signal });
      const all = await read<number>({ query: "count" });
      if (all <= mostDrawn) return { all, points: all === 0 ? [] : await read<Point[]>({ qty: mostDrawn }) };
      const width = "name" in range ? ranges[range.name] : range.to - range.from;
      const averaged = width <= ranges["24h"] ? "minute" : width <= 2 * ranges["30d"] ? "hour" : "day";
      return { all, points: await read<Point[]>({ query: "aggregate", interval: averaged, function: "avg" }), averaged };
    },
    staleTime: Infinity,
    gcTime: 5_000,
    refetchInterval: live ? 10_000 : false,
    placeholderData: keepPreviousData,
  });

/** When the device's newest point was, undefined when it has none. */
export const newestQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: [...pointsKey(profile, device), "newest"],
    queryFn: async ({ signal }) => (await call<Point[]>("GET", `/device/${device}/data`, { profile, query: { qty: 1 }, signal }))[0] ?? null,
  });

/** The names of the device's variables. */
export const variablesQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: [...pointsKey(profile, device), "variables"],
    queryFn: async ({ signal }) =>
      (await call<{ variable: string }[]>("GET", `/bucket/${device}/variable`, { profile, signal })).map((row) => row.variable),
  });

export interface TablePage {
  all: number;
  points: Point[];
}

/** A page of points, newest first. */
export const tableQuery = (profile: string, device: string, range: Range, variable: string, page: number, live: boolean) =>
  queryOptions({
    queryKey: [...pointsKey(profile, device), "table", range, variable, page],
    queryFn: async ({ signal }): Promise<TablePage> => {
      const at = { ...dates(range), ...(variable ? { variables: [variable] } : {}) };
      const read = <T>(query: Query) => call<T>("GET", `/device/${device}/data`, { profile, query: { ...at, ...query }, signal });
      const [all, points] = await Promise.all([read<number>({ query: "count" }), read<Point[]>({ qty: pageRows, skip: (page - 1) * pageRows })]);
      return { all, points };
    },
    gcTime: 5_000,
    refetchInterval: live && page === 1 ? 10_000 : false,
    placeholderData: keepPreviousData,
  });

export function useDeletePoints(profile: string, device: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ids: string[]) => call<string>("DELETE", `/device/${device}/data`, { profile, query: { ids, qty: ids.length } }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: pointsKey(profile, device) }),
        client.invalidateQueries({ queryKey: amountQuery(profile, device).queryKey }),
      ]),
  });
}

/** Points with others that came since: newest first, each once, at most so many. */
export function withNew(points: readonly Point[], news: readonly Point[], most = mostDrawn): readonly Point[] {
  if (news.length === 0) return points;
  const known = new Set(points.map((point) => point.id));
  return [...news.filter((point) => !known.has(point.id)), ...points]
    .toSorted((a, b) => Date.parse(b.time) - Date.parse(a.time))
    .slice(0, most);
}

const columns = ["time", "variable", "value", "unit", "group", "latitude", "longitude"];

/** Reads the points of a range as a table, oldest first, thousands at a time, and tells how many it has. */
export async function pointsTable(
  profile: string,
  device: string,
  range: Range,
  variable: string,
  tell: (done: number) => void,
  signal: AbortSignal,
): Promise<string[]> {
  const end = "name" in range ? Date.now() : range.to;
  let from = "name" in range ? end - ranges[range.name] : range.from;
  const parts = [csvLine(columns)];
  let done = 0;
  let skip = 0; // points of the instant `from` that are in the table already
  for (;;) {
    const qty = Math.min(10_000, mostFiled - done);
    if (qty === 0) return parts;
    const query: Query = {
      ...{ start_date: new Date(from).toISOString(), end_date: new Date(end).toISOString(), ordination: "ascending", qty, skip },
      ...(variable ? { variables: [variable] } : {}),
    };
    // oxlint-disable-next-line no-await-in-loop -- each part begins where the one before it ended
    const points = await call<(Point & { group?: string })[]>("GET", `/device/${device}/data`, { profile, query, signal });
    parts.push(
      points
        .map((point) => {
          const [longitude, latitude] = point.location?.coordinates ?? [];
          return csvLine([point.time, point.variable, point.value, point.unit, point.group, latitude, longitude]);
        })
        .join(""),
    );
    done += points.length;
    tell(done);
    const last = points.at(-1);
    if (!last || points.length < qty) return parts;
    const at = Date.parse(last.time);
    const same = points.filter((point) => Date.parse(point.time) === at).length;
    skip = at === from ? skip + same : same;
    from = at;
  }
}
