// What the address of the page of all profiles says. A member that says nothing is left out.
export const statuses = ["blocked", "paused", "near", "silent", "new", "ok"] as const;
export type Status = (typeof statuses)[number];

export const columns = ["name", "status", "tightest", "last_input", "devices", "refusals_24h", "members", "cost"] as const;
export type Column = (typeof columns)[number];

export interface OverviewSearch {
  name?: string | undefined;
  status?: Status | undefined;
  /** key=value. */
  tag?: string | undefined;
  order?: Column | undefined;
  desc?: true | undefined;
  page?: number | undefined;
}

export function overviewSearch(search: Record<string, unknown>): OverviewSearch {
  const page = Number(search.page);
  const text = (value: unknown): string | undefined => (value === undefined || value === "" ? undefined : String(value));
  return {
    name: text(search.name),
    status: statuses.find((word) => word === search.status),
    tag: text(search.tag),
    order: columns.find((word) => word === search.order),
    desc: search.desc === true ? true : undefined,
    page: Number.isInteger(page) && page > 1 ? page : undefined,
  };
}
