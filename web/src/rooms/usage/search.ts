// What the address of the page about use says. A member that says nothing is left out.
const steps = ["hour", "day", "month"] as const;
export type Step = (typeof steps)[number];

const ranges = ["last", "week", "days", "year", "own"] as const;

export interface UsageSearch {
  /** Data input without it. */
  service?: string | undefined;
  /** The running cycle without it; own is from … to. */
  range?: (typeof ranges)[number] | undefined;
  from?: string | undefined;
  to?: string | undefined;
  /** Days without it. */
  step?: Step | undefined;
  /** A day that is opened, and the end of one of its hours. */
  day?: string | undefined;
  hour?: string | undefined;
}

const isDay = (text: unknown): text is string => typeof text === "string" && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
const day = (text: unknown): string | undefined => (isDay(text) ? text : undefined);

export function usageSearch(search: Record<string, unknown>): UsageSearch {
  return {
    service: typeof search.service === "string" && /^[a-z_]+$/.test(search.service) ? search.service : undefined,
    range: ranges.find((name) => name === search.range),
    from: day(search.from),
    to: day(search.to),
    step: steps.find((name) => name === search.step),
    day: day(search.day),
    hour: typeof search.hour === "string" && !Number.isNaN(Date.parse(search.hour)) ? search.hour : undefined,
  };
}
