// Numbers and times as people read them.
import { useMemo } from "react";
import { useSession } from "../rooms/account/session";
import { t } from "../texts";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const fraction = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

/** A count, in full. */
export const count = (n: number): string => whole.format(n);

/** An amount of a service: up to two decimals. */
export const amount = (n: number): string => fraction.format(n);

/** A measured number: six figures say enough on a page. */
export const measured = (n: number): string => short.format(n);

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
      new Intl.DateTimeFormat(undefined, { timeZone: zone }).format(0);
      return zone;
    } catch {
      return own;
    }
  }, [zone]);
}

/** Formats ISO times in the account's zone, to the second. */
export function useTime(): (iso: string) => string {
  const zone = useZone();
  return useMemo(() => {
    const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
    return (iso: string) => {
      const at = new Date(iso);
      return Number.isNaN(at.getTime()) ? iso : format.format(at);
    };
  }, [zone]);
}
