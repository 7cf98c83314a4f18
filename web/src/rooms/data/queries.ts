// Points of one device.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Point } from "../../api/types";

/** How many of the newest points a page draws. */
const drawn = 500;

/** How many points the device holds: one small number, asked for each second while somebody looks, tells that something
 *  has arrived without reading it all again. */
export const amountQuery = (profile: string, device: string) =>
  queryOptions({
    queryKey: ["p", profile, "device", device, "amount"],
    queryFn: ({ signal }) => call<number>("GET", `/device/${device}/data_amount`, { profile, signal }),
  });

/** The newest points, newest first. `amount` is the number they belong to: when it changes they are read again. A device
 *  whose old points end as new ones come keeps its number, hence the slow interval beside it. */
export const pointsQuery = (profile: string, device: string, amount: number | undefined) =>
  queryOptions({
    queryKey: ["p", profile, "device", device, "points", amount],
    queryFn: ({ signal }) =>
      call<Point[]>("GET", `/device/${device}/data`, { profile, query: { qty: drawn }, signal }),
    enabled: amount !== undefined && amount > 0,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 5_000,
    refetchInterval: 10_000,
  });
