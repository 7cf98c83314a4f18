// How numbers and times are written: as the account says, or as this browser does while nobody is signed in.
import { locale } from "../texts";

/** The names are the API's: date_format is made of YYYY, YY, MMMM, MMM, MM, M, DD, D and separators. */
export interface Formats {
  decimal_separator: string;
  thousand_separator: string;
  date_format: string;
  time_format: string;
}

function ofBrowser(): Formats {
  const number = new Intl.NumberFormat(navigator.language).formatToParts(12_345.6);
  const date = new Intl.DateTimeFormat(navigator.language, { dateStyle: "medium" }).formatToParts(0);
  const tokens: Record<string, string> = { day: "D", month: "MMM", year: "YYYY" };
  return {
    decimal_separator: number.find(({ type }) => type === "decimal")?.value ?? ".",
    thousand_separator: number.find(({ type }) => type === "group")?.value ?? "",
    date_format: date.flatMap(({ type }) => tokens[type] ?? []).join(" ") || "YYYY-MM-DD",
    time_format: new Intl.DateTimeFormat(navigator.language, { timeStyle: "short" }).resolvedOptions().hour12 ? "12" : "24",
  };
}

let now: Formats | undefined;

/** The formats in use. */
export const formats = (): Formats => (now ??= ofBrowser());

/** Uses these from the next text on. */
export function setFormats(chosen: Formats): void {
  now = chosen;
}

const numbers = new Map<string, Intl.NumberFormat>();

/** A number in parts, with the separators in use. */
export function numberParts(n: number, options: Intl.NumberFormatOptions, as: Formats = formats()): Intl.NumberFormatPart[] {
  const key = JSON.stringify(options);
  let format = numbers.get(key);
  if (!format) numbers.set(key, (format = new Intl.NumberFormat(locale, { useGrouping: "always" as never, ...options })));
  return format.formatToParts(n).map((part) => {
    if (part.type === "decimal") return { ...part, value: as.decimal_separator };
    // A space must not end a line within a number.
    if (part.type === "group") return { ...part, value: as.thousand_separator === " " ? "\u00a0" : as.thousand_separator };
    return part;
  });
}

export const numberText = (n: number, options: Intl.NumberFormatOptions, as?: Formats): string =>
  numberParts(n, options, as)
    .map(({ value }) => value)
    .join("");

export interface TimeFormat {
  day: (at: Date | number) => string;
  /** The day without its year, the month in letters: for sentences about what is near, and for axes. */
  short: (at: Date | number) => string;
  /** The time of day, to the minute. */
  clock: (at: Date | number) => string;
  /** The time of day, to the second. */
  second: (at: Date | number) => string;
}

/** Writes instants as they are in a time zone. */
export function timeFormat(timeZone: string, as: Formats = formats()): TimeFormat {
  const digits = new Intl.DateTimeFormat("en-US", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const names = (month: "short" | "long") => new Intl.DateTimeFormat(locale, { timeZone, month, day: "numeric" });
  const long = names("long");
  const short = names("short");
  const hours: Intl.DateTimeFormatOptions =
    as.time_format === "12" ? { hour: "numeric", minute: "2-digit", hourCycle: "h12" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const minutes = new Intl.DateTimeFormat(locale, { timeZone, ...hours });
  const seconds = new Intl.DateTimeFormat(locale, { timeZone, ...hours, second: "2-digit" });
  // Whoever writes the month first, or the day, has it so here too; of a year that comes first nothing follows.
  const order = /^(D|M)/.exec(as.date_format)?.[0];
  const part = (format: Intl.DateTimeFormat, at: Date | number, type: string) => format.formatToParts(at).find((p) => p.type === type)?.value ?? "";
  return {
    day: (at) => {
      const [year, month, day] = ["year", "month", "day"].map((type) => part(digits, at, type)) as [string, string, string];
      const words: Record<string, () => string> = {
        YYYY: () => year,
        YY: () => year.slice(-2),
        MMMM: () => part(long, at, "month"),
        MMM: () => part(short, at, "month"),
        MM: () => month,
        M: () => String(Number(month)),
        DD: () => day,
        D: () => String(Number(day)),
      };
      return as.date_format.replace(/YYYY|YY|MMMM|MMM|MM|M|DD|D/g, (word) => words[word]?.() ?? word);
    },
    short: (at) => {
      if (!order) return short.format(at);
      const words = [part(short, at, "day"), part(short, at, "month")];
      return (order === "D" ? words : words.reverse()).join(" ");
    },
    clock: (at) => minutes.format(at),
    second: (at) => seconds.format(at),
  };
}

const utc = "UTC";

const noon = (day: string): Date => new Date(`${day}T12:00:00Z`);

/** A day of the calendar such as 2026-11-22. */
export const dayText = (day: string): string => timeFormat(utc).day(noon(day));

/** The same without its year; see TimeFormat. */
export const shortDay = (day: string): string => timeFormat(utc).short(noon(day));

/** A month of the calendar such as 2026-11. */
export const monthText = (month: string): string =>
  new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: utc }).format(new Date(`${month}-01T00:00:00Z`));
