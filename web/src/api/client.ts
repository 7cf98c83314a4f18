// The one place that speaks HTTP. Every answer of the API is an envelope {status, result} or {status, message};
// call() returns the result or throws ApiError, which carries what a person needs to report: the sentence and the id
// of the request.
import { t } from "../texts";
import type { components } from "./schema";

export class ApiError extends Error {
  constructor(
    /** HTTP status, or 0 when no answer came. */
    readonly status: number,
    message: string,
    /** The server's id of this request, as its log has it; empty when no answer came. */
    readonly requestId: string,
    /** The part of the input at fault, as the API names it; empty when it names none. */
    readonly field: string,
    /** What the sentence does not say, where there is more. */
    readonly detail?: unknown,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** The reason when the server's sentence is about this field ("name: must not be empty"), else undefined. */
  about(field: string): string | undefined {
    if (this.field !== field) return undefined;
    return this.message.startsWith(`${field}: `) ? this.message.slice(field.length + 2) : this.message;
  }
}

export type Query = { [name: string]: QueryValue };
type QueryValue = string | number | boolean | undefined | readonly QueryValue[] | Query;

export interface Options {
  /** The profile acted in, sent as Profile-Id: two tabs hold two profiles. */
  profile?: string;
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, with its own content type: an uploaded picture. */
  file?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

let onUnauthorized: () => void = () => {};

/** Registers what happens when a request is refused with 401: the session may have ended. */
export function whenUnauthorized(listener: () => void): void {
  onUnauthorized = listener;
}

let onMissing: () => void = () => {};

/** Registers what happens when something in a profile is answered with 404: it may be the profile that is gone, or the right to
 *  see it. */
export function whenMissing(listener: () => void): void {
  onMissing = listener;
}

export async function call<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.profile) headers.set("Profile-Id", options.profile);
  for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
  let body: BodyInit | undefined;
  if (options.file) {
    headers.set("Content-Type", options.file.type || "application/octet-stream");
    body = options.file;
  } else if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.body);
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(path + encodeQuery(options.query), { method, headers, body, signal: options.signal });
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, t.errors.offline, "", "");
  }
  const envelope = parse(text);
  const requestId = response.headers.get("X-Request-Id") ?? "";
  if (response.ok && envelope?.status === true) return envelope.result as T;
  if (response.status === 401) onUnauthorized();
  if (response.status === 404 && options.profile) onMissing();
  throw new ApiError(
    response.status,
    envelope?.message || t.errors.odd(response.status),
    envelope?.request_id || requestId,
    envelope?.field ?? "",
    envelope?.error,
  );
}

interface Envelope extends Partial<Omit<components["schemas"]["Error"], "status">> {
  status?: boolean;
  result?: unknown;
}

function parse(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Nested names in brackets, as the API reads them: filter[name]=*x*&fields[0]=id. Undefined is left out. */
export function encodeQuery(query: Query | undefined): string {
  const pairs: string[] = [];
  const add = (name: string, value: QueryValue): void => {
    if (value === undefined) return;
    if (typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) add(name ? `${name}[${key}]` : key, inner as QueryValue);
    } else pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  };
  if (query) add("", query);
  return pairs.length ? `?${pairs.join("&")}` : "";
}
