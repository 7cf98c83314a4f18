// The audit log of a profile: what was done stands there, the filters find it, and it can be taken along.
import { readFile } from "node:fs/promises";
import { expect, test } from "./fixtures.ts";
import { type Paddock, startPaddock } from "./server.ts";

const person = { name: "Ada Logger", email: "logger@example.test", password: "correct horse battery" };

let paddock: Paddock; // of its own: the set-up link works once

test.beforeAll(async ({ engine }) => {
  paddock = await startPaddock(engine, {});
});
test.afterAll(async () => {
  await paddock?.stop();
});

test("the audit log shows, filters and gives away what was done", async ({ page, look }) => {
  await test.step("a person makes a device and renames it", async () => {
    await page.goto(paddock.setupLink);
    await page.getByLabel("Your name").fill(person.name);
    await page.getByLabel("E-mail").fill(person.email);
    await page.getByLabel(/^Password/).fill(person.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
    const profile = /\/p\/([0-9a-f]{24})\//.exec(page.url())?.[1] ?? "";
    const made = await page.request.post(`${paddock.url}/device`, {
      headers: { "Profile-Id": profile, Origin: paddock.url },
      data: { name: "Barn", type: "mutable" },
    });
    const device = (await made.json()).result.device_id as string;
    await page.request.put(`${paddock.url}/device/${device}`, {
      headers: { "Profile-Id": profile, Origin: paddock.url },
      data: { name: "Shed" },
    });
  });

  await test.step("both stand in the log, with what changed", async () => {
    await page.getByRole("link", { name: "Profiles & Teams" }).click();
    await page.getByRole("link", { name: "Audit Log" }).click();
    await expect(page.getByRole("heading", { name: "Audit Log" })).toBeVisible();
    await expect(page.getByRole("row", { name: /Device "Barn" created/ })).toContainText("You");
    const row = page.getByRole("row", { name: /Device "Shed" edited/ });
    await row.getByText("What changed").click();
    await expect(row.getByText("Before", { exact: true })).toBeVisible();
    await expect(row).toContainText('"name": "Barn"');
    await expect(row).toContainText('"name": "Shed"');
    await expect(row).not.toContainText('"type"');
  });

  await test.step("filters narrow it, and stand in the address", async () => {
    await page.getByLabel("Search in the text").fill("edited");
    await expect(page.getByRole("row", { name: /Device "Barn" created/ })).toHaveCount(0);
    await expect(page.getByRole("row", { name: /Device "Shed" edited/ })).toBeVisible();
    await page.getByLabel("What", { exact: true }).selectOption("dashboard");
    await expect(page.getByRole("heading", { name: "Nothing happened" })).toBeVisible();
    await look("audit-log-empty");
    await page.getByLabel("What", { exact: true }).selectOption("device");
    await page.reload();
    await expect(page.getByLabel("Search in the text")).toHaveValue("edited");
    await expect(page.getByRole("row", { name: /Device "Shed" edited/ })).toBeVisible();
  });

  await test.step("what is found is downloaded", async () => {
    for (const [name, first] of [
      ["Download CSV", /^date,who,name,/],
      ["Download JSON", /^\[\n\{"date":/],
    ] as const) {
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
      expect(file.suggestedFilename()).toMatch(/^auditlog-.*\.(csv|json)$/);
      const text = await readFile(await file.path(), "utf8");
      expect(text).toMatch(first);
      expect(text).toContain("edited");
      expect(text).not.toContain("created");
    }
  });
});
