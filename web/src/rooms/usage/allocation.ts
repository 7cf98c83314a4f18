// The sums of the allocation table: what is typed, what that leaves, and how rests are given away.
import type { Table } from "../../api/usage";
import { formats } from "../../ui/formats";

/** A typed amount. null is no limit; undefined is text that is no amount. */
export interface Edit {
  text: string;
  value: number | null | undefined;
}

/** By cell. */
export type Edits = Readonly<Record<string, Edit>>;

export const cellKey = (profile: string, service: string): string => `${profile} ${service}`;

export const partsOf = (key: string): [profile: string, service: string] => key.split(" ") as [string, string];

/** What the API takes for no limit. */
export const noLimit = Number.MAX_SAFE_INTEGER;

/** Services whose amounts may have a fraction. */
const fractions = ["analysis", "file_storage"];

/** Reads an amount as people write it here, also 500k and 2M. Empty is no limit, where there may be none. */
export function parse(text: string, service: string, free: boolean): number | null | undefined {
  const plain = text
    .trim()
    .replaceAll(formats().thousand_separator, "")
    .replace(/[\s'\u00a0\u202f]/g, "")
    .replace(formats().decimal_separator, ".");
  if (plain === "") return free ? null : undefined;
  const found = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(plain);
  if (!found) return undefined;
  const factor = { k: 1000, m: 1_000_000 }[found[2]?.toLowerCase() ?? ""] ?? 1;
  const value = Math.round(Number(found[1]) * factor * 1e6) / 1e6;
  return value < noLimit && (Number.isInteger(value) || fractions.includes(service)) ? value : undefined;
}

/** An amount as it can be typed here. */
export const plainText = (value: number | null): string => (value === null ? "" : String(value).replace(".", formats().decimal_separator));

type Row = Table["profiles"][number];
type Service = Table["services"][number];

/** What a cell says after the edits; the old amount where what is typed is none. */
export function amountOf(row: Row, service: string, edits: Edits): number | null {
  const edit = edits[cellKey(row.id, service)];
  return edit && edit.value !== undefined ? edit.value : (row.allocation[service] ?? null);
}

/** What is left of a service's pool after the edits: negative when that is too much. null where the pool has no limit. */
export function restOf(table: Table, service: Service, edits: Edits): number | null {
  if (service.pool === null) return null;
  let allocated = 0;
  let taken = service.departed;
  for (const row of table.profiles) {
    const amount = amountOf(row, service.service, edits) ?? 0;
    allocated += amount;
    taken += Math.max(amount, row.used[service.service] ?? 0);
  }
  return Math.round((service.pool - Math.max(allocated, taken)) * 1e6) / 1e6;
}

/** Gives some profiles equal parts of what they have together and what is free; who has used more keeps that. By profile. */
export function equalShare(table: Table, service: Service, rows: Row[], edits: Edits): Map<string, number> {
  const shares = new Map<string, number>();
  const rest = restOf(table, service, edits);
  if (rest === null || rows.length === 0) return shares;
  const used = (row: Row): number => row.used[service.service] ?? 0;
  let left = rest + rows.reduce((sum, row) => sum + Math.max(amountOf(row, service.service, edits) ?? 0, used(row)), 0);
  let open = rows;
  for (;;) {
    const part = Math.max(0, Math.floor(left / open.length));
    const over = open.filter((row) => used(row) > part);
    if (over.length === 0 || over.length === open.length) {
      for (const row of open) shares.set(row.id, Math.max(part, Math.ceil(over.length ? used(row) : 0)));
      return shares;
    }
    for (const row of over) {
      shares.set(row.id, Math.ceil(used(row)));
      left -= Math.ceil(used(row));
    }
    open = open.filter((row) => used(row) <= part);
  }
}
