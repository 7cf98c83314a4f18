// Stretches of time that costs and statements are asked for. Months are names such as 2026-11, of the account's time zone.

/** As the API takes it; without members, the running cycle to date. */
export interface Range {
  from?: string;
  to?: string;
}

export const isMonth = (text: unknown): text is string => typeof text === "string" && /^\d{4}-(0[1-9]|1[0-2])$/.test(text);

export const isDay = (text: unknown): text is string =>
  typeof text === "string" && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

/** The month that runs in a time zone. */
export function thisMonth(zone: string): string {
  const parts = new Intl.DateTimeFormat("en", { year: "numeric", month: "2-digit", timeZone: zone }).formatToParts(new Date());
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}`;
}

/** The month so many before. */
export function monthBefore(month: string, by: number): string {
  return new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)) - 1 - by, 1)).toISOString().slice(0, 7);
}

/** The whole of a month. */
export function ofMonth(month: string): Range {
  const last = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0));
  return { from: `${month}-01`, to: last.toISOString().slice(0, 10) };
}

export { dayText, monthText, shortDay } from "../../ui/formats";
