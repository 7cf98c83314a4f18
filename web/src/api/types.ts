// Shapes of the answers the console reads: the members it reads, out of the API's own document. A member that the API
// renames is an error here. Times are ISO strings in UTC.
import type { components } from "./schema";

type Schemas = components["schemas"];

/** Members of an answer. The document does not say so, but answers always carry all of theirs. */
type Answer<Name extends keyof Schemas, Member extends keyof Schemas[Name]> = Required<Pick<Schemas[Name], Member>>;

/** signup says who may sign up: "open" anybody, "invite" and "closed" nobody by themselves; setup is true while there is no
 *  account. */
export type Status = Answer<"AppStatus", "signup" | "setup">;

export type Account = Answer<"AccountInfo", "id" | "name" | "email" | "timezone">;

export interface Session {
  account: Account;
}

export type Profile = Answer<"ProfileListRow", "id" | "name" | "logo_url" | "paused">;

export interface ProfileInfo {
  info: Answer<"UsageInfo", "id" | "name" | "logo_url" | "paused" | "pause_reason">;
}

/** By service: what may be used and what has been. By kind of thing: how many there are. */
export type ProfileSummary = Answer<"UsageSummaryResult", "limit" | "limit_used" | "amount">;

export type DeviceInfo = Answer<"DeviceInfo", "id" | "name" | "type" | "active" | "last_input">;

/** A row of the list has the members that were asked for. */
export type DeviceRow = DeviceInfo;

export type NewDevice = Pick<Schemas["DeviceCreateInput"], "chunk_period" | "chunk_retention"> &
  Required<Pick<Schemas["DeviceCreateInput"], "name" | "type">>;

export interface DeviceToken {
  token: string;
  name: string;
  permission: string;
}

/** One of the last requests of a device; reason says why it was refused. */
export type DeviceRequest = Answer<
  "DeviceRequestRow",
  "time" | "method" | "path" | "address" | "token" | "verdict" | "status" | "reason" | "body"
>;

/** Absent members are left out of points, so these are not all there. */
export type Point = Answer<"DataRow", "id" | "variable" | "time"> & {
  value?: string | number | boolean;
  unit?: string;
  location?: { coordinates: [number, number] };
};
