// Every page of the console on what `paddock demo` makes: it shows, axe finds nothing serious in light and dark, and it fits a phone.
// And what only shows where a month is over: the statements of forty customers.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./fixtures.ts";
import { caller, countClicks } from "./person.ts";

test.use({ house: "pages", demo: true });

/** The addresses of web/src/router.tsx, with $names. */
function addresses(): string[] {
  const text = readFileSync(join(import.meta.dirname, "../../web/src/router.tsx"), "utf8");
  const parts = new Map<string, { under: string; path: string }>();
  for (const [, name = "", under = "", rest = ""] of text.matchAll(/const (\w+) = createRoute\(\{\s*getParentRoute: \(\) => (\w+),([\s\S]*?)\n\}\);/g))
    parts.set(name, { under, path: /^\s*path: "([^"]*)"/m.exec(rest)?.[1] ?? "" });
  const whole = (name: string): string => {
    const part = parts.get(name);
    return part ? whole(part.under) + part.path : "";
  };
  // What only holds other pages has no page of its own.
  const holders = new Set([...parts.values()].map((part) => part.under));
  return [...parts.keys()].filter((name) => !holders.has(name)).map((name) => whole(name).replace(/(.)\/$/, "$1"));
}

/** Nobody here has chosen that. */
const isoDay = /\b20\d\d-\d\d-\d\d\b/;

test("every page", async ({ page, paddock, complaints, look }) => {
  test.setTimeout(600_000);
  const all = addresses();
  expect(all.length).toBeGreaterThanOrEqual(50);
  const strangers = /^\/(setup|login|sign-up|confirm|email|delete-account|recover|reset|team)(\/|$)/;
  const visit = async (address: string, values: Record<string, string>, search = ""): Promise<void> => {
    await test.step(address, async () => {
      const path = address.replace(/\$(\w+)/g, (_, name: string) => values[name] ?? name);
      await page.goto(`${paddock.url}/console${path}${search}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      expect.soft((await page.locator("body").innerText()).match(isoDay), `${address}: a day as only code has it`).toBeNull();
      await look(`page${`${address}${search.replace(/=[0-9a-f]{24}/, "")}`.replace(/[^a-zA-Z]+/g, "-")}`);
    });
  };

  for (const address of all.filter((one) => strangers.test(one))) await visit(address, { token: "nothing-here-opens-it" });
  // What a link that opens nothing says is seen; that the server said no to it is right.
  complaints.seen.splice(0, complaints.seen.length, ...complaints.seen.filter((line) => !/^4\d\d \w+ /.test(line)));

  const [integrator] = paddock.signIns;
  const call = caller(page, paddock);
  await call("POST", "/session", integrator);
  await call("PUT", "/account", { options: { date_format: "D MMM YYYY" } });
  const profileId = (await call<{ id: string; name: string }[]>("GET", "/profile")).find((one) => one.name === "Riverside Waterworks")?.id ?? "";
  const first = async (path: string): Promise<string> => {
    const got = await call<object>("GET", path, undefined, profileId);
    const lists = (Array.isArray(got) ? [got] : Object.values(got).filter(Array.isArray)) as { id?: string }[][];
    const list = lists.find((one) => one[0]?.id) ?? [];
    expect(list.length, `${path} has nothing: ${JSON.stringify(got)}`).toBeGreaterThan(0);
    return list[0]?.id ?? "";
  };
  const values = {
    profileId,
    deviceId: await first("/device"),
    ticketId: await first("/ticket?scope=all"),
    transferId: await first("/transfer"),
    cardId: await first("/billing/card"),
    accountId: await first("/operator/accounts"),
  };
  await test.step("a line that is not named asks which", async () => {
    await page.goto(`${paddock.url}/console/cost/line`);
    await expect(page.getByText("Choose whose line is to be opened.")).toBeVisible();
    await page.getByRole("combobox", { name: "Profile", exact: true }).click();
    await page.getByRole("option", { name: "Riverside Waterworks" }).click();
    await expect(page.getByText("Choose whose line is to be opened.")).toBeVisible();
    await page.getByRole("combobox", { name: "Service", exact: true }).click();
    await page.getByRole("option", { name: "Data input" }).click();
    await expect(page.getByRole("heading", { name: "Data input · Riverside Waterworks" })).toBeVisible();
    await expect(page.getByRole("heading", { name: "Days" })).toBeVisible(); // also where profiles are many
  });
  for (const address of all.filter((one) => !strangers.test(one) && one !== "/")) await visit(address, values);
  for (const tab of ["display", "security", "alerts"]) await visit("/account", values, `?tab=${tab}`);
  for (const tab of ["connect", "requests", "settings"]) await visit("/p/$profileId/devices/$deviceId", values, `?tab=${tab}`);
  await visit("/cost/line", values, `?kind=service&service=input&profile=${profileId}`);
  await visit("/p/$profileId/usage", values, "?range=last");
  for (const group of ["service", "day", "prices"]) await visit("/cost", values, `?group=${group}`);
});

test("statements of the profiles that are chosen, and of no others", async ({ page, paddock, complaints, look }) => {
  const [integrator] = paddock.signIns;
  const call = caller(page, paddock);
  await call("POST", "/session", integrator);
  await page.goto(`${paddock.url}/console/profiles`);
  const name = (row: Row): string => row.name;
  interface Row {
    profile: string;
    name: string;
    status: string;
  }

  await test.step("of all that could not be read, the reason stands by the button", async () => {
    await page.getByRole("checkbox", { name: "Select Riverside Waterworks" }).check();
    await page.route(/\/overview\?.*amount=200/, (route) => route.abort());
    await page.getByRole("button", { name: /^Select all/ }).click();
    await expect(page.getByRole("toolbar").getByRole("alert")).toBeVisible();
    complaints.expected("failed: GET");
    await page.unroute(/\/overview\?.*amount=200/);
    await page.getByRole("button", { name: "Clear", exact: true }).click();
  });

  await page.goto(`${paddock.url}/console/cost/statements`);
  const month = await page.getByLabel("Month").inputValue();
  const read = async (): Promise<Row[]> => (await call<{ profiles: Row[] }>("GET", `/billing/statement?month=${month}`)).profiles;
  const drafts = (await read()).filter((row) => row.status === "draft");
  const two = drafts.slice(0, 2);
  await page.goto(`${paddock.url}/console/profiles`);
  for (const row of two) await page.getByRole("checkbox", { name: `Select ${row.name}`, exact: true }).check();
  await look("profiles-chosen");
  await page.getByRole("toolbar").getByRole("link", { name: "Statements" }).click();
  await expect(page.getByText("Only the 2 chosen profiles.")).toBeVisible();
  await expect(page.getByRole("button", { name: /^Preview the statement of/ })).toHaveCount(2);
  await look("statements-chosen");
  await page.reload(); // the address says it all
  await page.getByRole("button", { name: "Issue these" }).click();
  await expect(page.getByText("2 statements are issued.")).toBeVisible();
  const left = (await read()).filter((row) => row.status === "draft");
  expect(left.map(name)).toEqual(drafts.slice(2).map(name));
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download", exact: true }).click();
  const zip = new URL((await waiting).url());
  expect(zip.pathname).toBe("/billing/statement/zip");
  expect(zip.searchParams.getAll("profiles").sort()).toEqual(two.map((row) => row.profile).sort());
  await page.getByRole("main").getByRole("link", { name: "All profiles" }).click();
  await expect(page.getByRole("button", { name: "Issue all" })).toBeVisible();
});

test("the statements of a month take three clicks", async ({ page, paddock }) => {
  const [integrator] = paddock.signIns;
  await caller(page, paddock)("POST", "/session", integrator);
  await page.goto(`${paddock.url}/console/`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const clicks = await countClicks(page);
  await page.getByRole("link", { name: "Cost", exact: true }).click();
  await page.getByRole("link", { name: "Statements", exact: true }).click();
  await page.getByRole("button", { name: "Issue all" }).click();
  await expect(page.getByText(/^\d\d statements are issued/)).toBeVisible();
  expect(await clicks()).toBeLessThanOrEqual(3);
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: /Download/ }).click();
  expect((await waiting).suggestedFilename()).toMatch(/\.zip$/);
});
