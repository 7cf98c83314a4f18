// Shapes of the answers that the pages about use read; see types.ts.
import type { components } from "./schema";

type Schemas = components["schemas"];
type Answer<Name extends keyof Schemas, Member extends keyof Schemas[Name]> = Required<Pick<Schemas[Name], Member>>;

/** A limit with what is used of it. What is not said of its kind is absent. */
export type LimitRow = Answer<"LimitRow", "name" | "kind" | "scope" | "used" | "limit" | "window" | "reset"> &
  Pick<Schemas["LimitRow"], "device" | "device_name" | "group" | "policy" | "overage" | "runs_out" | "expected" | "allocated" | "free" | "departed">;

export type RefusalGroup = Answer<"LimitRefusalRow", "limit" | "requests">;

/** What was used by an instant, or in the period that ended then. Services that were not used are absent. */
export type Sample = { time: string; overage?: Record<string, number> } & { [service: string]: number | string | Record<string, number> | undefined };

/** What a profile may use of a service from an instant on; null for no limit. */
export type LimitStep = Answer<"UsageLimitStep", "time" | "limit">;

export interface DeviceDay extends Answer<"UsageDevicesResult", "used" | "others"> {
  devices: (Answer<"UsageDeviceUsage", "device" | "used"> & { name?: string; hours: { time: string; used: number }[] })[];
}

/** The pool of an account at one instant; null for no limit. */
export interface Table extends Answer<"UsageTableResult", "reset"> {
  services: (Answer<"UsageTableService", "service" | "flow" | "departed"> & { pool: number | null; allocated: number | null; free: number | null })[];
  profiles: (Answer<"UsageTableRow", "id" | "name" | "automatic"> & {
    allocation: Record<string, number | null>;
    used: Record<string, number>;
  })[];
}

/** The detail of a refusal of allocations. */
export interface Refused {
  refused: { profile: string; service?: string; reason: string }[];
}

/** What a cycle cost, and would have. */
export interface Simulation extends Answer<"BillingSimulateAnswer", "until" | "cycle_cents" | "currency"> {
  basis: "allocation" | "use";
  cycle: Answer<"BillingCycleAnswer", "from" | "to">;
  plan: Answer<"BillingSupposedPlan", "real" | "simulated">;
  totals: Answer<"BillingSupposedTotal", "currency" | "real_micro" | "simulated_micro" | "difference_micro">[];
  lines: (Answer<"BillingSupposedLine", "kind" | "currency" | "real_micro" | "simulated_micro"> & {
    profile?: string;
    name?: string;
    service?: string;
    item?: string;
  })[];
  blocked: Answer<"BillingBlockedLine", "profile" | "name" | "service" | "limit" | "used" | "over" | "from" | "at_limit">[];
  statements: Answer<"BillingSupposedStatement", "profile" | "name" | "currency" | "total_cents">[];
}
