// Points of one device.
import { queryOptions } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Point } from "../../api/types";

/** How many of the newest points a page draws. */
const drawn = 500;

/** How many points the device holds: one small number that tells that something has arrived without reading it all. */
export const amountQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: ["p", profile, "device", device, "amount"],
    queryFn: ({ signal }) => call<number>("GET", `/device/${device}/data_amount`, { profile, signal }),
  });

/** The newest points, newest first. They are read again slowly, since a device whose old points end as new ones come
 *  keeps its number; what comes meanwhile is told by useLive, or by the number. */
export const pointsQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: ["p", profile, "device", device, "points"],
    queryFn: ({ signal }) =>
      call<Point[]>("GET", `/device/${device}/data`, { profile, query: { qty: drawn }, signal }),
    staleTime: Infinity,
    gcTime: 5_000,
    refetchInterval: 10_000,
  });

/** Points with others that came since: newest first, each once, as many as a page draws. */
export function withNew(points: readonly Point[], news: readonly Point[]): readonly Point[] {
  if (news.length === 0) return points;
  const known = new Set(points.map((point) => point.id));
  return [...news.filter((point) => !known.has(point.id)), ...points]
    .toSorted((a, b) => Date.parse(b.time) - Date.parse(a.time))
    .slice(0, drawn);
}
