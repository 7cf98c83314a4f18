// People made through the API, so that a test clicks only what it is about.
import { createHmac } from "node:crypto";
import { expect, type Page } from "@playwright/test";
import type { Mailbox } from "./mailbox.ts";
import type { Paddock } from "./server.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface Person {
  id: string;
  name: string;
  email: string;
  password: string;
  /** The profile that came with the account. */
  profile: string;
  /** Calls the API with this person's session and returns `result`; fails on a refusal. `profile` is the one acted in. */
  api: <T = unknown>(method: Method, path: string, body?: unknown, profile?: string) => Promise<T>;
  /** Makes a profile, and returns its id. */
  addProfile: (name: string) => Promise<string>;
  /** Makes a device, and returns its id and token. */
  addDevice: (profile: string, name: string, more?: object) => Promise<{ id: string; token: string }>;
}

/** Calls the API with the session of a page, see Person.api. */
export function caller(page: Page, paddock: Paddock): Person["api"] {
  return async <T>(method: Method, path: string, body?: unknown, profile?: string): Promise<T> => {
    const answer = await page.request.fetch(`${paddock.url}${path}`, {
      method,
      headers: { Origin: paddock.url, ...(profile ? { "Profile-Id": profile } : {}) },
      ...(body === undefined ? {} : { data: body }),
    });
    const text = await answer.text();
    expect(answer.ok(), `${method} ${path}: ${text}`).toBe(true);
    return (JSON.parse(text) as { result: T }).result;
  };
}

let made = 0;

/** Signs somebody up, confirms the address by the letter, and signs them in at the page. The operator is who uses the set-up
 *  link: one for each server. */
export async function makePerson(
  page: Page,
  paddock: Paddock,
  mailbox: Mailbox,
  name: string,
  { operator = false, timezone = "Europe/Berlin" } = {},
): Promise<Person> {
  made += 1;
  const email = `${name.toLowerCase().replace(/[^a-z]+/g, ".")}.${process.pid}.${made}@example.test`;
  const password = "correct horse battery";
  const call = caller(page, paddock);
  const whoever = { name, email, password, timezone };
  if (operator) await call("POST", "/setup", { ...whoever, token: paddock.setupLink.split("/").pop() });
  else {
    await call("POST", "/account", whoever);
    await call("GET", `/account/confirm/${(await mailbox.link(email, "confirm")).split("/").pop()}`);
  }
  await call("POST", "/session", { email, password });
  const [first] = await call<{ id: string }[]>("GET", "/profile");
  const { id } = await call<{ id: string }>("GET", "/account");
  return {
    ...{ id, name, email, password },
    profile: first?.id ?? "",
    api: call,
    addProfile: async (called) => (await call<{ id: string }>("POST", "/profile", { name: called })).id,
    addDevice: async (profile, called, more = {}) => {
      const device = await call<{ device_id: string; token: string }>("POST", "/device", { name: called, type: "mutable", ...more }, profile);
      return { id: device.device_id, token: device.token };
    },
  };
}

/** Counts the clicks of a page from now on, keys that press a button among them: for the budgets of what people do often. */
export async function countClicks(page: Page): Promise<() => Promise<number>> {
  const count = (): void => {
    const held = window as unknown as { clicks?: number };
    if (held.clicks !== undefined) return;
    held.clicks = Number(sessionStorage.getItem("clicks") ?? 0);
    addEventListener(
      "click",
      (event) => {
        // A label passes its click on to the field it names: that is one click of a person.
        if (!event.isTrusted) return;
        held.clicks = (held.clicks ?? 0) + 1;
        sessionStorage.setItem("clicks", String(held.clicks));
      },
      { capture: true },
    );
  };
  await page.addInitScript(count);
  await page.evaluate(() => {
    sessionStorage.removeItem("clicks");
    const held = window as unknown as { clicks?: number };
    if (held.clicks !== undefined) held.clicks = 0; // counted before, for another budget
  });
  await page.evaluate(count);
  return () => page.evaluate(() => Number(sessionStorage.getItem("clicks") ?? 0));
}

/** What an authenticator app shows for a key, a number of half minutes from now (RFC 6238): 0 and 1 are good for half a minute at least. */
export function appCode(secret: string, steps = 0): string {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const sum = createHmac("sha1", key).update(counter).digest();
  const at = (sum[19] ?? 0) & 15;
  return String((sum.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
