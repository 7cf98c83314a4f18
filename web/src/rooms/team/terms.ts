// What a person is given in a team, as the forms hold it.
import type { Tag, Within } from "../../api/types";
import { t } from "../../texts";
import { filled, tagText } from "../../ui/TagRows";

export const roleOptions = ["admin", "developer", "viewer"].map((value) => ({ value, label: t.team.roles[value] ?? value }));

/** The things that a person sees: those with one of the tags, and those named by their ids, one on each line. */
export interface Some {
  tags: Tag[];
  ids: string;
}

/** A restriction in a form; null is all of a kind. */
export interface Parts {
  devices: Some | null;
  dashboards: Some | null;
}

export const everything: Parts = { devices: null, dashboards: null };
export const nothingYet: Some = { tags: [{ key: "", value: "" }], ids: "" };

export function partsOf(within: Within | null): Parts {
  const some = (part: Within["devices"]): Some | null => part ? { tags: tagsOf(part), ids: (part.ids ?? []).join("\n") } : null;
  return { devices: some(within?.devices), dashboards: some(within?.dashboards) };
}

/** The restriction that a form says; null for the whole profile. */
export function withinOf(parts: Parts): Within | null {
  const part = (some: Some | null) => some && { ids: some.ids.split(/[\s,]+/).filter((id) => id !== ""), tags: filled(some.tags) };
  const [devices, dashboards] = [part(parts.devices), part(parts.dashboards)];
  return devices || dashboards ? { ...(devices && { devices }), ...(dashboards && { dashboards }) } : null;
}

/** A restriction as a sentence. */
export function restriction(within: Within): string {
  const part = (some: Within["devices"], words: typeof t.team.ofDevices) =>
    some ? words.some(tagsOf(some).map(tagText), (some.ids ?? []).length) : words.all;
  return t.team.sees(part(within.devices, t.team.ofDevices), part(within.dashboards, t.team.ofDashboards));
}

function tagsOf(part: NonNullable<Within["devices"]>): Tag[] {
  return (part.tags ?? []).map((tag) => ({ key: tag.key ?? "", value: tag.value ?? "" }));
}

/** The last moment of a day in a time zone, as the API reads times: who stays until Friday is there on Friday. */
export function endOfDay(day: string, zone: string): string {
  const guess = Date.parse(`${day}T23:59:59.999Z`);
  let at = guess;
  // The offset is that of the moment looked for, which the offset moves: twice is enough, also across a change of clocks.
  for (let i = 0; i < 2; i++) at = guess - offset(at, zone);
  return new Date(at).toISOString();
}

/** The day of a time in a time zone, as date fields hold it. */
export function dayOf(iso: string, zone: string): string {
  return new Date(Date.parse(iso) + offset(Date.parse(iso), zone)).toISOString().slice(0, 10);
}

/** How far a zone is ahead of UTC, in milliseconds. */
function offset(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(at);
  const n = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(n("year"), n("month") - 1, n("day"), n("hour"), n("minute"), n("second")) - Math.floor(at / 1000) * 1000;
}
