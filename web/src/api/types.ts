// Shapes of the answers the console reads, only the members it reads. Times are ISO strings in UTC.

export interface Status {
  version: string;
  /** Who may sign up: "open" anybody, "invite" and "closed" nobody by themselves. */
  signup: string;
  /** True while there is no account. */
  setup: boolean;
}

export interface Account {
  id: string;
  name: string;
  email: string;
  timezone: string;
}

export interface Session {
  account: Account;
}

/** A row of GET /profile. */
export interface Profile {
  id: string;
  name: string;
  logo_url: string | null;
  paused: boolean;
  from_share?: boolean;
}

export interface ProfileInfo {
  info: { id: string; account: string; name: string; logo_url: string | null; paused: boolean; pause_reason: string | null };
}

export interface ProfileSummary {
  /** By service; a limit at or above `unlimited` means none. */
  limit: Record<string, number>;
  limit_used: Record<string, number>;
  amount: Record<string, number>;
}

export type DeviceType = "mutable" | "immutable";

export interface DeviceRow {
  id: string;
  name: string;
  type: string;
  active: boolean;
  last_input: string | null;
}

export interface DeviceInfo extends DeviceRow {
  created_at: string;
  chunk_period?: string;
  chunk_retention?: number;
}

export interface DeviceToken {
  token: string;
  name: string;
  permission: string;
}

export interface Point {
  id: string;
  variable: string;
  value?: string | number | boolean;
  unit?: string;
  group?: string;
  location?: { type: "Point"; coordinates: [number, number] };
  time: string;
}

/** One of the last requests of a device. */
export interface DeviceRequest {
  time: string;
  method: string;
  path: string;
  verdict: "accepted" | "refused";
  status: number;
  /** Why it was refused. */
  reason: string | null;
  address: string;
  token: string;
  body: string;
}
