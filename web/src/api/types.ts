// Shapes of the answers the console reads: the members it reads, out of the API's own document. A member that the API
// renames is an error here. Times are ISO strings in UTC.
import type { Formats } from "../ui/formats";
import type { components } from "./schema";

type Schemas = components["schemas"];

/** Members of an answer. The document does not say so, but answers always carry all of theirs. */
type Answer<Name extends keyof Schemas, Member extends keyof Schemas[Name]> = Required<Pick<Schemas[Name], Member>>;

/** signup says who may sign up: "open" anybody, "invite" and "closed" nobody by themselves; setup is true while there is no
 *  account; profile_grace is for how many seconds a deleted profile can be restored. */
export type Status = Answer<"AppStatus", "signup" | "setup" | "mail" | "profile_grace">;

export type Account = Answer<
  "AccountInfo",
  "id" | "name" | "email" | "company" | "phone" | "timezone" | "language" | "picture_url"
> & { options: Formats };

export interface Session {
  account: Account;
  operator: boolean;
}

/** The second factor of the account. */
export interface FactorState {
  authenticator: Answer<"AccountFactorState", "enabled" | "enabled_at" | "recovery_codes_left">;
}

/** What an authenticator app is given; qr is an SVG picture. */
export type FactorSetup = Answer<"AccountFactorSetup", "secret" | "qr">;

export type RecoveryCodes = Answer<"AccountRecoveryOut", "recovery_codes">;

/** A signed-in browser. */
export type SessionRow = Answer<
  "AccountSessionInfo",
  "id" | "current" | "address" | "agent" | "last_used_at" | "expires_at"
>;

/** What deleting an account would take. */
export interface Deletion extends Answer<"AccountDeletion", "email" | "allowed" | "needs_pin_code" | "reason"> {
  profiles: (Answer<"AccountHolding", "id" | "name"> & { amounts: Answer<"AccountAmount", "what" | "amount">[] })[];
}

/** A profile one may act in; from_share is there when somebody else owns it. */
export type Profile = Answer<"TeamListRow", "id" | "name" | "logo_url" | "paused" | "role" | "color" | "reference" | "pinned"> & { tags: Tag[]; from_share?: boolean; owner?: string; look?: Answer<"TeamLookRow", "id" | "owner" | "reason" | "until"> };

/** A deleted profile that can be restored until purged_at. */
export type DeletedProfile = Answer<"UsageDeletedResult", "id" | "name" | "logo_url" | "deleted_at" | "purged_at" | "holds" | "amounts">;

export interface ProfileInfo {
  info: Answer<"UsageInfo", "id" | "name" | "logo_url" | "paused" | "pause_reason" | "paused_by_operator" | "role" | "color" | "reference"> & { tags: Tag[] };
  /** By service, what it has every cycle; those without a limit have a number beyond all. */
  allocation: Record<string, number>;
  addons: Answer<"UsageAddons", "custom_dns" | "mobile" | "control_tower">;
}

/** What a new profile would have of a service; pool, free and left are null where the account has no limit. */
export type ProfilePreview = Answer<"UsagePreview", "service" | "gets" | "pool" | "free" | "left"> & {
  from: { profile: string; amount: number }[];
};

/** A limit of a profile. Kind "service" is what it may use, "pool" what the account has, told to its owner only. */
export type LimitRow = Answer<"LimitRow", "name" | "used" | "limit" | "reset"> & {
  kind: string;
  policy?: string;
  overage?: number | null;
  free?: number | null;
};

/** A token of a profile; `token` is its handle, which names it and opens nothing. */
export interface TokenRow {
  id: string;
  token: string;
  tail: string;
  name: string;
  permission: string;
  reach: string;
  created_by: string | null;
  created_by_name?: string;
  created_at: string;
  last_authorization: string | null;
  last_address: string | null;
  expire_time: string | null;
}

/** A fresh token, with its secret, which is told this once. */
export type MadeToken = Answer<"TokenCreateOut", "token" | "name" | "permission" | "reach">;

/** By service: what may be used and what has been. By kind of thing: how many there are. */
export type ProfileSummary = Answer<"UsageSummaryResult", "limit" | "limit_used" | "amount">;

export type DeviceInfo = Answer<"DeviceInfo", "id" | "name" | "type" | "active" | "last_input" | "created_at"> & { tags: Tag[] };

/** A row of the list has the members that were asked for. */
export interface DeviceRow extends Omit<DeviceInfo, "created_at"> {
  points_today: number;
  refusals_today: number;
  serie_number: string | null;
}

export type DeviceParam = Answer<"DeviceParam", "id" | "key" | "value" | "sent">;

/** What became of many devices; matched is told once, next is where to go on. */
export type BulkResult = Answer<"DeviceBulkResult", "matched" | "points" | "next"> & {
  devices: Answer<"DeviceBulkRow", "id" | "name" | "done" | "reason">[];
};

/** A table of devices: what is wrong with it, how its devices will be, and those that were made. */
export type DeviceTable = Answer<"DeviceImportReport", "rows" | "columns" | "error_count" | "used" | "allowed"> & {
  errors: Answer<"DeviceImportError", "row" | "column" | "reason">[];
  preview: (Answer<"DeviceImportPreview", "row" | "name" | "serial" | "type" | "active"> & { tags: Tag[] })[];
  devices: Answer<"DeviceImportedDevice", "id" | "name" | "serial" | "token">[];
};

/** How often a device, or one of those with a tag, should be heard, in seconds. */
export type SilenceRule = Answer<"AlertRuleRow", "interval"> & { device: string | null; tag: Tag | null };

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
  "time" | "method" | "path" | "address" | "token" | "token_name" | "verdict" | "status" | "reason" | "body" | "size"
>;

/** Absent members are left out of points, so these are not all there. */
export type Point = Answer<"DataRow", "id" | "variable" | "time"> & {
  value?: string | number | boolean;
  unit?: string;
  location?: { coordinates: [number, number] };
};

/** An event of the audit log; before and after are whatever the thing was. */
export type AuditEvent = Answer<
  "ProfileLogEvent",
  "id" | "date" | "resourceName" | "resourceID" | "who" | "name" | "you" | "message" | "token" | "addr"
> & { before?: unknown; after?: unknown };

/** A search of the audit log: Running ones are asked for again by queryId. */
export interface AuditLog {
  queryId: string;
  status: Answer<"ProfileLogResult", "status">["status"];
  events: AuditEvent[];
  next: string | null;
}

export type Unread = Answer<"NotifyUnread", "unread" | "lost">;

export interface Notice extends Answer<"NotifyRow", "id" | "title" | "message" | "read" | "buttons_enabled" | "created_at"> {
  buttons: { id: string; label: string; triggers: { url?: string; method?: string }[] }[];
}

type Channel = "mail" | "notice" | "webhook";

export interface NotifySettings {
  mail: Record<string, boolean>;
  notice: Record<string, boolean>;
  webhook: { url: string | null; origin: string; kinds: Record<string, boolean>; from: "account" | "profile" } | null;
  mail_server: boolean;
  /** This and what follows: of a profile only. What was said for the profile itself; null follows the account. */
  own?: Record<"mail" | "notice", Record<string, boolean | null>>;
  webhook_off?: boolean;
  recipients?: { id: string; name: string }[];
}

export interface Trial extends Answer<"NotifyTrial", "ok" | "detail"> {
  channel: Channel;
}

export type Deliveries = (Answer<"NotifyDeliveryRow", "id" | "title" | "target" | "attempts" | "reason" | "created_at"> & {
  channel: Channel;
  status: "waiting" | "delivered" | "failed" | "held";
})[];

export interface Outbox {
  mail_server: string | null;
  mails: Answer<"NotifyQueued", "id" | "to" | "subject" | "attempts" | "reason" | "has_link" | "created_at">[];
}

/** A member of a team, or an invitation that waits. */
export type TeamPerson = Answer<
  "TeamPersonRow",
  "id" | "name" | "email" | "picture_url" | "active" | "pending" | "role" | "within" | "expires_at" | "staff" | "direct" | "look"
>;

export type Within = NonNullable<TeamPerson["within"]>;

/** What ends with a membership. */
export type TeamEnds = Answer<"TeamEndsResult", "profiles" | "tokens" | "sessions">;

/** An invitation as the holder of its link sees it; what it is for is told only while it waits. */
export type Invitation = Answer<"TeamInvitationResult", "state" | "next"> &
  Pick<Schemas["TeamInvitationResult"], "email" | "inviter" | "profile" | "account" | "profiles" | "role" | "restricted" | "within" | "member_until" | "expires_at">;

export type Joined = Answer<"TeamAcceptResult", "email" | "profile" | "guest">;

/** A word pair by which things are found. */
export type Tag = Answer<"AuthTag", "key" | "value">;

/** A person in all profiles of the account, or in those with one of the tags; or an invitation to be so. */
export type StaffPerson = TeamPerson & { tags: Tag[]; profiles: Answer<"TeamEndsProfile", "id" | "name">[] };

/** A line of what an account costs; micro are ten thousandths of a cent. */
export type CostLine = Answer<"BillingCostLine", "kind" | "micro"> &
  Pick<Schemas["BillingCostLine"], "profile" | "name" | "service" | "item" | "day">;

export type Basis = "allocation" | "use";
export type Spread = "none" | "even" | "cost";

export interface Cost
  extends Answer<
    "BillingCostAnswer",
    "from" | "to" | "group_by" | "currency" | "currencies" | "profiles_micro" | "unallocated_micro" | "addons_micro" | "plan_micro" | "discounts_micro" | "total_micro" | "charges_micro" | "adds_up" | "rated_to" | "rows" | "pages"
  > {
  basis: Basis;
  spread: Spread;
  lines: CostLine[];
}

/** What came out when a cost was computed again. */
export type CostCheck = Answer<"BillingCostCheck", "ok" | "checked_at" | "charges" | "days" | "days_again" | "found">;

/** The hours behind a line of the cost on one day. */
export interface CostDetail extends Answer<"BillingDetailAnswer", "day" | "currency" | "micro" | "adds_up" | "folded"> {
  basis: Basis;
  hours: Answer<"BillingDetailHour", "time" | "until" | "micro" | "charged_micro" | "amount" | "of" | "charges">[];
}

/** What an owner says that everything costs a month: whole cents, and per cent by service. */
export type CostFigure = Answer<"BillingFigureAnswer", "amount" | "currency" | "shares">;

export interface CostSetting {
  basis: Basis | null;
  spread: Spread;
}

export interface ProfileCost
  extends Answer<"BillingProfileCostAnswer", "currency" | "to_date_micro" | "average_day_micro" | "forecast_micro" | "last_cycle_micro"> {
  cycle: Answer<"BillingCycleAnswer", "from" | "to">;
  lines: Answer<"BillingProfileCostOfItem", "kind" | "item" | "to_date_micro" | "forecast_micro" | "last_cycle_micro">[];
}

export type UnitPrice = Answer<"BillingUnitPrice", "price_micro" | "per" | "included">;

/** The prices by which the customer behind a profile, or behind each profile with a tag, is billed. */
export interface RateCard
  extends Answer<
    "BillingCardInfo",
    | "id"
    | "name"
    | "profile"
    | "currency"
    | "fee_cents"
    | "tax_text"
    | "tax_bp"
    | "logo"
    | "customer_reference"
    | "customer_name"
    | "customer_address"
    | "sender"
    | "notes"
  > {
  tag: Tag | null;
  services: Record<string, UnitPrice>;
  markup: { bp: number; basis: Basis } | null;
}

export type RateCardTerms = Omit<RateCard, "id">;

export interface Statement
  extends Answer<"BillingStatementInfo", "id" | "number" | "month" | "currency" | "subtotal_cents" | "tax_text" | "tax_cents" | "total_cents" | "issued_at"> {
  lines: Answer<"BillingEntryInfo", "kind" | "item" | "text" | "quantity" | "unit" | "cents">[];
}

/** A month of statements; a row without one says why. */
export interface StatementMonth extends Answer<"BillingMonthInfo", "month" | "issue_from" | "count" | "totals_cents"> {
  profiles: (Answer<"BillingMonthRow", "profile" | "name" | "status"> & { reason?: string; statement: Statement | null })[];
}

export interface Issued extends Answer<"BillingIssuedInfo", "issued" | "issued_before" | "left"> {
  skipped: Answer<"BillingSkipped", "profile" | "name" | "reason">[];
}

export type Invoice = Answer<"BillingInvoiceRow", "id" | "number" | "total" | "currency" | "status" | "overdue" | "issued_at" | "due_at" | "settled_at" | "note">;

/** Whole cents of a currency. */
export type Sum = Answer<"BillingBalance", "amount" | "currency">;

type Limits = Record<string, { limit: number; proportional_change?: number }>;

export interface Subscription extends Answer<"BillingSubscription", "plan_name" | "upcoming_invoice_total" | "currency" | "payment"> {
  current_cycle: Answer<"BillingCycleResult", "start" | "end">;
  services: Limits;
  addons: Record<string, string[]>;
  past_due: Answer<"BillingPastDueResult", "invoice_url"> & { amounts: Sum[] };
}

export interface Schedule extends Answer<"BillingSchedule", "release_at"> {
  subscription: { plan_name: string; services: Limits; addons: Record<string, string[]> };
}

/** Whole cents: of a cycle, or for the rest of the running one. */
export type Prices = { plans: Priced[]; addons: Priced[] } & Record<string, { amount: number; price: number }[]>;
type Priced = { name: string; price: number };

/** What a cycle of the account, or of a profile, may cost; profile is null for the account. */
export type Budget = Answer<
  "BillingBudgetInfo",
  "id" | "profile" | "amount" | "currency" | "shares" | "forecast" | "spent_micro" | "share" | "forecast_micro"
> & { name?: string; last_told: { at: string; share: number | null } | null };

/** A backup of a profile that the server keeps or is making. */
export type Backup = Answer<"BackupRow", "id" | "created_at" | "data" | "encrypted" | "origin" | "target" | "progress"> & {
  status: "queued" | "processing" | "completed" | "failed";
  file_size: number | null;
  error_message: string | null;
  expires_at: string | null;
};

export type BackupLink = Answer<"BackupDownloadOut", "url" | "expire_at" | "file_name" | "file_size" | "sha256" | "encrypted">;

/** When a profile is backed up by itself. */
export type BackupSchedule = Answer<
  "BackupScheduleRow",
  "active" | "every" | "weekday" | "hour" | "timezone" | "data" | "target" | "encrypted"
> & {
  keep_last: number | null;
  keep_days: number | null;
  next_at: string | null;
  done_at: string | null;
  failed_at: string | null;
  reason: string | null;
  external: "folder" | "s3" | null;
};

/** What an import did, or would do. */
export type ImportReport = Answer<"BackupReport", "profile" | "name" | "dry_run" | "ids_kept" | "notes"> & {
  archive: Answer<"BackupHeader", "created_at" | "release"> & { profile: Answer<"BackupSource", "name"> };
  map: Record<string, string>;
  counts: Answer<"BackupCounts", "devices" | "tokens" | "dashboards" | "widgets" | "rules" | "points">;
  checks: Answer<"ProfileCheck", "name" | "ok" | "blocks" | "detail">[];
  new_tokens: Answer<"BackupNewToken", "device" | "name" | "tail">[];
};

/** An import that runs in the background. */
export type ImportRun = Answer<"BackupRun", "id" | "points" | "total" | "error" | "created_at"> & {
  state: "running" | "done" | "failed";
  report: ImportReport | null;
  checks: ImportReport["checks"];
};
interface TicketPerson {
  /** Null for Paddock itself. */
  id: string | null;
  name: string;
  /** Told to operators only. */
  email?: string;
}

/** The name is empty where it may not be told. */
interface TicketProfile {
  id: string;
  name: string;
}

/** A ticket in a list. */
export interface Ticket extends Answer<"SupportTicketRow", "id" | "number" | "kind" | "ref" | "subject" | "state" | "created_at" | "updated_at"> {
  opener: TicketPerson;
  profile: TicketProfile | null;
}

export interface TicketThread extends Ticket {
  parties: TicketPerson[];
  thread: (Answer<"SupportMessageRow", "id" | "operator" | "at" | "text"> & { author: TicketPerson; to: TicketPerson[] | null })[];
}

/** An operator's look into a profile. */
export interface Look extends Answer<"SupportLookRow", "id" | "reason" | "hours" | "state" | "asked_at" | "from" | "until" | "ended_at"> {
  profile: TicketProfile;
  operator: TicketPerson;
  ended_by: TicketPerson | null;
}

export interface AllLooks extends Answer<"SupportAllLooks", "operator_access"> {
  looks: Look[];
}

/** A transfer of a profile in a list. */
export interface TransferRow extends Answer<"TransferRow", "id" | "state" | "role" | "requested_at" | "expires_at" | "completed_at"> {
  profile: Answer<"TransferSubject", "id" | "name">;
  from: Answer<"TransferParty", "name" | "email">;
  to: Answer<"TransferParty", "name" | "email">;
}

/** A transfer as one of its sides sees it. */
export interface Transfer extends TransferRow, Answer<"TransferView", "ticket" | "message" | "reason" | "review" | "stays" | "may"> {
  moves: Answer<"AccountAmount", "what" | "amount">[];
  ends: {
    tokens: Answer<"TransferToken", "id" | "name" | "tail" | "permission" | "made_by" | "made_by_name" | "last_use">[];
    people: Answer<"TransferPerson", "account" | "name" | "email" | "role" | "staff" | "owner" | "last_use">[];
    also: string[];
  };
  checks: Answer<"TransferCheck", "name" | "ok" | "blocks" | "waiting" | "detail">[];
  outcome: {
    tokens: Answer<"TransferTokenFate", "id" | "name" | "tail" | "fate" | "unasked">[];
    people: Answer<"TransferPersonFate", "account" | "name" | "fate" | "unasked">[];
  } | null;
  undo: Answer<"TransferUndoState", "until" | "source" | "destination"> | null;
}

/** What a search found, the closest of each kind first. */
export interface Found {
  devices: (Answer<"SearchDevice", "id" | "name" | "profile" | "profile_name" | "matched"> & { profile: string; serial?: string; token_tail?: string })[];
  people: Answer<"SearchPerson", "id" | "name" | "email" | "role" | "profile" | "profile_name" | "profiles" | "staff" | "pending">[];
  profiles: (Answer<"SearchProfile", "name" | "logo_url" | "role" | "reference" | "matched"> & { id: string })[];
}

/** How a profile is, in one word. */
export interface ProfileStatus {
  id: string;
  status: string;
}

/** What an answer says of a limit beside its sentence. */
export type LimitDetail = { limit: string; used: number; allowed: number; resets_at: string | null; hint: string };
