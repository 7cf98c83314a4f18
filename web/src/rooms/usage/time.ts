// Days on the clocks of a zone, as the API takes and gives them.
const formats = new Map<string, Intl.DateTimeFormat>();

/** The day such as 2026-11-22 that an instant lies in. */
export function dayIn(zone: string, at: number): string {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone });
    formats.set(zone, format);
  }
  return format.format(at);
}

const dayMs = 86_400_000;

/** The day so many later, or before. */
export const dayPlus = (day: string, by: number): string => new Date(Date.parse(`${day}T00:00:00Z`) + by * dayMs).toISOString().slice(0, 10);
