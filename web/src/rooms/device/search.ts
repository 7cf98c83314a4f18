// What the addresses of device pages say: filters and order of the list; tab and range of time of one device.

/** The tabs of a device. */
export const deviceTabs = ["data", "connect", "requests", "settings"] as const;
export type DeviceTab = (typeof deviceTabs)[number];

/** Ranges of time that end now, in milliseconds. */
export const ranges = { "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000 } as const;
export type RangeName = keyof typeof ranges;

export interface DeviceSearch {
  tab?: DeviceTab;
  range?: RangeName;
  /** UTC milliseconds, both or none: a range that does not end now. */
  from?: number;
  to?: number;
}

export function deviceSearch(search: Record<string, unknown>): DeviceSearch {
  const tab = deviceTabs.find((name) => name === search.tab);
  const range = (Object.keys(ranges) as RangeName[]).find((name) => name === search.range);
  const [from, to] = [Number(search.from), Number(search.to)];
  return {
    ...(tab ? { tab } : {}),
    ...(range ? { range } : {}),
    ...(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from < to ? { from, to } : {}),
  };
}

export const stateNames = ["all", "active", "inactive"] as const;
export const silenceNames = ["any", "hour", "day", "week", "never"] as const;
export const sortNames = ["name", "-name", "last_input", "-last_input", "active", "-active"] as const;

export interface DevicesSearch {
  page?: number;
  search?: string;
  /** key, or key=value. */
  tag?: string;
  state?: (typeof stateNames)[number];
  silent?: (typeof silenceNames)[number];
  /** A minus before it turns the order round. */
  sort?: (typeof sortNames)[number];
}

export function devicesSearch(search: Record<string, unknown>): DevicesSearch {
  const page = Number(search.page);
  const text = (name: string) => (search[name] !== undefined && search[name] !== "" ? { [name]: String(search[name]) } : {});
  const state = stateNames.find((name) => name !== "all" && name === search.state);
  const silent = silenceNames.find((name) => name !== "any" && name === search.silent);
  const sort = sortNames.find((name) => name !== "name" && name === search.sort);
  return {
    ...(Number.isInteger(page) && page > 1 ? { page } : {}),
    ...text("search"),
    ...text("tag"),
    ...(state ? { state } : {}),
    ...(silent ? { silent } : {}),
    ...(sort ? { sort } : {}),
  };
}
