// All profiles and the home of one: a profile runs into its limit, and whoever can mends it.
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { countClicks } from "./person.ts";

test.use({ house: "home" });

async function send(url: string, token: string, points: number): Promise<number> {
  const answer = await fetch(`${url}/data`, {
    method: "POST",
    headers: { token, "Content-Type": "application/json" },
    body: JSON.stringify(Array.from({ length: points }, (_, value) => ({ variable: "temperature", value }))),
  });
  return answer.status;
}

const row = (page: Page, name: string) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });

test("the home of a profile", async ({ page, paddock, person, mailbox, browser, look, complaints }) => {
  const owner = await person("Ada Owner", { operator: true });
  const north = await owner.addProfile("Customer North");
  const south = await owner.addProfile("Customer South");
  const meter = await owner.addDevice(north, "Meter");
  const other = await owner.addDevice(south, "Gauge");
  await owner.api("POST", "/account/allocation", [
    { profile: north, input: 10 },
    { profile: south, input: 100 },
  ]);
  await owner.api("PUT", "/account/cost/figure", { amount: 3000, currency: "eur", shares: { input: 100 } });

  await test.step("a profile in its limit is blocked, and its sibling is not", async () => {
    expect(await send(paddock.url, meter.token, 10)).toBe(200);
    expect(await send(paddock.url, meter.token, 1)).toBe(402);
    expect(await send(paddock.url, other.token, 12)).toBe(200);
    await page.goto(`${paddock.url}/console/profiles`);
    await expect(page.getByRole("heading", { name: "All profiles" })).toBeVisible();
    await expect(page.getByRole("row").nth(1)).toContainText("Customer North");
    await expect(row(page, "Customer North")).toContainText("Blocked");
    await expect(row(page, "Customer North")).toContainText("Data input used up");
    await expect(row(page, "Customer South")).toContainText("OK");
    await expect(page.getByRole("row", { name: /^All 3 profiles/ })).toBeVisible();
    const bill = await owner.api<{ total_micro: number }>("GET", "/account/cost");
    const overview = await owner.api<{ totals: { cost: { total_micro: number } } }>("GET", "/overview");
    expect(overview.totals.cost.total_micro).toBe(bill.total_micro);
    await expect(page.getByRole("row", { name: /Month to date, as on the bill/ })).toBeVisible();
  });

  await test.step("raised from the letter's link in three clicks, signing in among them", async () => {
    const link = await mailbox.link(owner.email, "p");
    expect(link).toContain(north);
    await page.context().clearCookies();
    await page.goto(link);
    const clicks = await countClicks(page); // signing in is one of them
    await page.getByLabel("E-mail").fill(owner.email);
    await page.getByLabel("Password").fill(owner.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: /^Data input is used up since .*; frees on / })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Data input 1 request/ })).toBeVisible();
    complaints.expected("401 GET /session");

    await page.getByRole("button", { name: "Raise now" }).click();
    await expect(page.getByLabel(/New allocation/)).toHaveValue("20");
    await page.getByRole("button", { name: "Raise to 20" }).click();
    await expect(page.getByRole("heading", { name: /^Receiving, 10 points today/ })).toBeVisible();
    expect(await clicks()).toBeLessThanOrEqual(3);
    await page.getByRole("button", { name: /^Data input 1 request/ }).click();
    await expect(page.getByText("Raise its allocation, or wait until it starts again.")).toBeVisible();
    await expect(page.getByRole("link", { name: new RegExp(meter.id.slice(-6)) })).toBeVisible();
    expect(await send(paddock.url, meter.token, 1)).toBe(200);
  });

  await test.step("many at once, with what was refused", async () => {
    await page.goto(`${paddock.url}/console/profiles`);
    await page.getByLabel("Select Customer North").check();
    await page.getByLabel("Select Customer South").check();
    await expect(page.getByText("2 selected")).toBeVisible();
    await page.getByRole("button", { name: "Pause…" }).click();
    await expect(page.getByText("2 profiles refuse all data until you resume them.")).toBeVisible();
    await page.getByLabel("Reason, shown in every refusal").fill("Winter");
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await expect(page.getByText("2 profiles done.")).toBeVisible();
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await expect(row(page, "Customer North")).toContainText("Winter");
    await page.getByRole("button", { name: "Resume…" }).click();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await expect(row(page, "Customer North")).not.toContainText("Paused");
    await page.getByRole("button", { name: "Tag…" }).click();
    await page.getByRole("textbox", { name: "Tag" }).fill("region");
    await page.getByRole("textbox", { name: "Value" }).fill("coast");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await page.getByRole("combobox", { name: "Tag" }).click();
    await page.getByRole("option", { name: "region=coast" }).click();
    await expect(page.getByRole("row", { name: /^All 2 profiles/ })).toBeVisible();
  });

  await test.step("a member asks the owner", async () => {
    await owner.api("POST", "/account/allocation", [{ profile: south, input: 12 }]);
    const context = await browser.newContext();
    const outside = await context.newPage();
    const guest = await person("Olaf Outsider", { at: outside });
    await owner.api("POST", `/profile/${south}/team`, { email: guest.email, role: "viewer" });
    const secret = (await mailbox.link(guest.email, "team/accept")).split("/").pop();
    await guest.api("GET", `/profile/team/accept/${secret}`);
    await outside.goto(`${paddock.url}/console/p/${south}`);
    await expect(outside.getByRole("heading", { name: /^Data input is used up/ })).toBeVisible();
    await outside.getByRole("button", { name: "Ask the owner" }).click();
    await expect(outside.getByText(/^Ada Owner was asked at/)).toBeVisible();
    await context.close();
    await expect.poll(async () => (await owner.api<{ title: string }[]>("GET", "/notification")).map((notice) => notice.title)).toContain(
      "Customer South: Somebody asks for more Data Input",
    );
  });

  await test.step("a new profile shows the first steps", async () => {
    await page.goto(`${paddock.url}/console/p/${owner.profile}`);
    await expect(page.getByRole("heading", { name: "Nothing has arrived yet." })).toBeVisible();
    await expect(page.getByRole("link", { name: "Add the first device" })).toBeVisible();
    await page.goto(`${paddock.url}/console/p/${north}`);
    await expect(page.getByRole("heading", { name: /^Receiving, 11 points today/ })).toBeVisible();
    await look("home");
  });
});
