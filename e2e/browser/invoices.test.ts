// A server that sells: an account upgrades by itself, gets an invoice and prints it, an operator marks it paid, and both see so. What is
// not paid in time says what that means.
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "./fixtures.ts";
import { makePerson } from "./person.ts";
import { startPaddock } from "./server.ts";

// The built-in plans, in euros, for people who begin on the free one.
const catalogue = join(await mkdtemp(join(tmpdir(), "paddock-catalogue-")), "catalogue.yaml");
const builtin = readFileSync(join(import.meta.dirname, "../../internal/plan/catalogue.yaml"), "utf8");
await writeFile(catalogue, builtin.replace(/^default: house/m, "default: free").replace(/^currency: usd/m, "currency: eur"));
const sold = ["--payment", "manual", "--catalogue", catalogue];

test.use({ house: "invoices", flags: sold });
test.afterAll(() => rm(join(catalogue, ".."), { recursive: true, force: true }));

const isoDay = /\d{4}-\d\d-\d\d/;

test("from an upgrade to the receipt", async ({ page, browser, paddock, person, look }, info) => {
  const desk = await (await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin" })).newPage();
  await person("Olga", { at: desk, operator: true });
  const ben = await person("Ben");
  await ben.api("PUT", "/account/billing", { company: "Harbour Ltd", street: "Quay 1", zip_code: "20457", city: "Hamburg", country: "Germany", comments: "Order 4711" });
  await ben.api("PUT", "/account", { options: { date_format: "D MMM YYYY" } });

  await test.step("an account upgrades by itself, and is billed", async () => {
    await page.goto(`${paddock.url}/console/cost/subscription`);
    await expect(page.getByRole("heading", { name: "Plan: free" })).toBeVisible();
    await page.getByRole("button", { name: "Choose starter" }).click();
    await expect(page.getByRole("dialog")).toContainText("€49.00");
    await page.getByRole("dialog").getByRole("button", { name: "Change", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Plan: starter" })).toBeVisible();
    await page.getByRole("link", { name: "Invoices" }).click();
    await expect(page.getByRole("row", { name: /^Open invoice 1 / })).toContainText(/\d{1,2} \w{3} \d{4}€49\.00Opendue on \d{1,2} \w{3} \d{4}/);
    expect(await page.locator("main").innerText()).not.toMatch(isoDay);
  });

  /** Opens the page to print. */
  const printed = async () => {
    const opening = page.waitForEvent("popup");
    await page.getByRole("link", { name: "Open invoice 1" }).click();
    const sheet = await opening;
    await sheet.waitForLoadState();
    return sheet;
  };

  await test.step("it prints with everything that an invoice needs", async () => {
    const sheet = await printed();
    await expect(sheet.getByRole("heading", { name: "Invoice 1" })).toBeVisible();
    for (const text of ["Paddock", "Harbour Ltd", "20457 Hamburg", "Order 4711", "open"]) await expect(sheet.getByText(text).first()).toBeVisible();
    await expect(sheet.getByRole("row", { name: /^Plan starter \d{1,2} \w+ \d{4} \d{1,2} \w+ \d{4} 49\.00 EUR$/ })).toBeVisible();
    await expect(sheet.getByRole("row", { name: "Total 49.00 EUR" })).toBeVisible();
    expect(await sheet.locator("body").innerText()).not.toMatch(isoDay);
    await sheet.setViewportSize({ width: 375, height: 720 });
    expect(await sheet.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    const picture = (name: string) => (process.env.CI ? undefined : sheet.screenshot({ path: join(import.meta.dirname, "screenshots", info.project.name, name) }));
    await picture("invoice-page-375.png");
    await sheet.emulateMedia({ media: "print" });
    await sheet.setViewportSize({ width: 794, height: 1123 }); // A4
    await picture("invoice-page-print.png");
    await sheet.close();
  });

  await test.step("an operator marks it paid", async () => {
    await desk.goto(`${paddock.url}/console/operator/accounts/${ben.id}`);
    await desk.getByRole("button", { name: "Mark as paid… 1" }).click();
    const dialog = desk.getByRole("dialog", { name: "Is invoice 1 paid?" });
    await expect(dialog).toContainText("€49.00");
    await dialog.getByLabel(/^Note/).fill("Transfer 17");
    await dialog.getByRole("button", { name: "It is paid" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(desk.getByRole("row", { name: /^1 .*Paid/ })).toContainText("Transfer 17");
    await expect(desk.getByRole("button", { name: /^Mark as paid/ })).toHaveCount(0);
  });

  await test.step("the account sees that, its receipt and its history", async () => {
    await page.reload();
    await expect(page.getByRole("row", { name: /^Open invoice 1 / })).toContainText(/Paidon \d{1,2} \w{3} \d{4} · Transfer 17/);
    await look("invoices");
    const sheet = await printed();
    await expect(sheet.getByText("Transfer 17")).toBeVisible();
    await expect(sheet.locator("dt", { hasText: "Paid" })).toBeVisible();
    const address = new URL(sheet.url()).pathname;
    await sheet.close();
    const [entry] = await ben.api<{ invoice_number: string; paid: boolean; total: number; currency: string; receipt_url: string }[]>("GET", "/account/payment_history");
    expect(entry).toMatchObject({ invoice_number: "1", paid: true, total: 4900, currency: "eur" });
    expect(new URL(entry?.receipt_url ?? "").pathname).toBe(address);
  });
  await desk.context().close();
});

test("past due", async ({ page, mailbox, look }) => {
  const flags = ["--signup", "open", "--smtp-url", mailbox.url, "--mail-from", "paddock@example.test", ...sold, "--payment-due", "0"];
  const paddock = await startPaddock("sqlite", {}, ...flags);
  try {
    const kim = await makePerson(page, paddock, mailbox, "Kim", { operator: true });
    await kim.api("POST", "/account/subscription", { plan: "starter" });
    await page.goto(`${paddock.url}/console/cost/invoices`);
    const due = page.getByRole("alert").filter({ hasText: "€49.00 is past due" });
    await expect(due).toContainText("Nothing stops by itself");
    await expect(due.getByRole("link", { name: "Open the invoice" })).toBeVisible();
    await expect(page.getByRole("row", { name: /^Open invoice 1 / })).toContainText("Overdue");
    await look("invoices-overdue");
    await page.goto(`${paddock.url}/console/operator/accounts?state=past_due`);
    await expect(page.getByRole("row", { name: /Kim/ })).toContainText("€49.00");
    await kim.addDevice(kim.profile, "Still here"); // it really does not stop
  } finally {
    await paddock.stop();
  }
});
