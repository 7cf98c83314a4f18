// Numbers and times as people read them.
import { useMemo } from "react";
import { useSession } from "../rooms/account/session";
import { t } from "../texts";
import { numberText, timeFormat, type TimeFormat } from "./formats";

/** A count, in full. */
export const count = (n: number): string => numberText(n, { maximumFractionDigits: 0 });

/** An amount of a service: up to two decimals. */
export const amount = (n: number): string => numberText(n, { maximumFractionDigits: 2 });

/** A measured number: six figures say enough on a page. */
export const measured = (n: number): string => numberText(n, { maximumSignificantDigits: 6 });

/** A point's value with its unit. */
export function valueText(value: string | number | boolean | undefined, unit?: string): string {
  if (value === undefined) return t.none;
  const text = typeof value === "number" ? measured(value) : String(value);
  return unit ? `${text} ${unit}` : text;
}

/** Limits from 2^53 - 1 upwards, and those beyond any disk, are the server's way of saying "none". */
export const unlimited = (limit: number): boolean => limit >= 1e12;

/** The account's time zone, or the browser's while nobody is signed in or the zone is unknown to it. */
export function useZone(): string {
  const zone = useSession().data?.account.timezone;
  return useMemo(() => {
    const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone) return own;
    try {
      new Intl.DateTimeFormat("en", { timeZone: zone }).format(0);
      return zone;
    } catch {
      return own;
    }
  }, [zone]);
}

/** Writes instants in the account's zone, as the account likes them. */
export function useTimeFormat(): TimeFormat {
  const zone = useZone();
  const options = useSession().data?.account.options;
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the formats in use are those of the account
  return useMemo(() => timeFormat(zone), [zone, options]);
}

/** Formats ISO times in the account's zone, to the second. */
export function useTime(): (iso: string) => string {
  const format = useTimeFormat();
  return useMemo(
    () => (iso: string) => {
      const at = new Date(iso);
      return Number.isNaN(at.getTime()) ? iso : `${format.day(at)}, ${format.second(at)}`;
    },
    [format],
  );
}

interface Dates {
  day: (iso: string) => string;
  minute: (iso: string) => string;
  /** The time of day. */
  clock: (iso: string) => string;
  range: (from: string, to: string) => string;
  /** As near as a sentence has it: of today the time alone, else the day and the time. */
  near: (iso: string) => string;
}

/** Formats ISO times in the account's zone as days, and to the minute. */
export function useDates(): Dates {
  const format = useTimeFormat();
  return useMemo(() => {
    const day = (iso: string) => format.day(new Date(iso));
    const clock = (iso: string) => format.clock(new Date(iso));
    return {
      day,
      minute: (iso) => `${day(iso)}, ${clock(iso)}`,
      clock,
      near: (iso) => (day(iso) === format.day(Date.now()) ? clock(iso) : `${day(iso)}, ${clock(iso)}`),
      // The end itself is no part of a stretch of time.
      range: (from, to) => {
        const last = format.day(Math.max(Date.parse(from), Date.parse(to) - 1));
        return day(from) === last ? last : `${day(from)} – ${last}`;
      },
    };
  }, [format]);
}
