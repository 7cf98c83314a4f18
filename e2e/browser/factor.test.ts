// The account's own page: a second factor from the QR code to its end, and the list of signed-in browsers.
import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { appCode } from "./person.ts";

const person = { name: "Fay Factor", email: "fay@example.test", password: "correct horse battery" };

test.use({ house: "factor" });
test.describe.configure({ mode: "serial" });

async function toAccount(page: Page): Promise<void> {
  await page.getByRole("button", { name: `Account of ${person.name}` }).click();
  await page.getByRole("menuitem", { name: "Account and security" }).click();
  await page.getByRole("link", { name: "Security", exact: true }).click();
}

async function credentials(page: Page): Promise<void> {
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel(/^Password/).fill(person.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("a second factor, from the QR code to its end", async ({ page, paddock, browser, look, complaints }) => {
  await page.goto(paddock.setupLink);
  await page.getByLabel("Your name").fill(person.name);
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel(/^Password/).fill(person.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await expect(page.getByRole("heading", { name: "Nothing has arrived yet." })).toBeVisible();

  let secret = "";
  let recovery: string[] = [];

  await test.step("another browser signs in and is listed; signing it out works at once", async () => {
    const other = await browser.newContext();
    const elsewhere = await other.newPage();
    await elsewhere.goto(`${paddock.url}/console/login?next=//evil.test/`);
    await credentials(elsewhere);
    await expect(elsewhere.getByRole("heading", { name: "Nothing has arrived yet." })).toBeVisible();
    expect(new URL(elsewhere.url()).origin).toBe(paddock.url);
    await toAccount(page);
    const section = page.getByRole("region", { name: "Signed-in browsers" }).or(page.locator("section", { hasText: "Signed-in browsers" }));
    await expect(section.getByRole("listitem")).toHaveCount(2);
    await expect(section.getByText("this one")).toBeVisible();
    await section.getByRole("button", { name: /^Sign out Chrome on .* at 127\.0\.0\.1$/ }).click();
    await expect(section.getByRole("listitem")).toHaveCount(1);
    await elsewhere.reload();
    await expect(elsewhere.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await other.close();
  });

  await test.step("turning it on: password, QR code, a code of the app", async () => {
    await page.getByRole("button", { name: "Turn on" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Password/).fill(person.password);
    await dialog.getByRole("button", { name: "Go on" }).click();
    const picture = dialog.getByRole("img", { name: "QR code of the key" });
    await expect(picture).toBeVisible();
    expect(await picture.evaluate((img: HTMLImageElement) => img.complete && img.naturalWidth > 0)).toBe(true);
    secret = (await dialog.getByTestId("factor-secret").textContent()) ?? "";
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    await look("factor-setup", { fullPage: false });
    await dialog.getByLabel(/^Code/).fill(appCode(secret));
    await dialog.getByRole("button", { name: "Turn on" }).click();
    await expect(dialog).toBeHidden();
  });

  await test.step("the recovery codes are shown once, to copy or download", async () => {
    const codes = page.getByTestId("recovery-codes");
    await expect(codes).toBeVisible();
    await look("factor-codes");
    const download = page.waitForEvent("download");
    await codes.getByRole("link", { name: "Download" }).click();
    const file = await (await download).path();
    recovery = (await readFile(file, "utf8")).trim().split("\n");
    expect(recovery).toHaveLength(10);
    for (const code of recovery) await expect(codes.getByText(code)).toBeVisible();
    await codes.getByRole("button", { name: "I have kept them" }).click();
    await expect(codes).toBeHidden();
    await page.reload();
    await expect(page.getByText("Recovery codes left: 10.")).toBeVisible();
    await expect(codes).toBeHidden();
  });

  await test.step("signing in asks for the code, and takes one of the app or a recovery code", async () => {
    // The next one: a code counts once, and the server takes those of a half minute before and after.
    for (const good of [appCode(secret, 1), recovery[0] ?? ""]) {
      await page.getByRole("button", { name: `Account of ${person.name}` }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
      await expect(page.getByLabel(/^Code/)).toBeHidden();
      await credentials(page);
      const code = page.getByLabel(/^Code/);
      await expect(code).toBeFocused();
      await expect(page.getByRole("alert")).toBeHidden();
      complaints.expected("401 POST /session");
      await code.fill("000000");
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await expect(page.getByRole("alert")).toContainText("Invalid pin code");
      complaints.expected("401 POST /session");
      if (good === recovery[0]) await look("sign-in-code");
      await code.fill(good);
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await expect(page.getByRole("button", { name: `Account of ${person.name}` })).toBeVisible();
    }
  });

  await test.step("turning it off takes password and code", async () => {
    await toAccount(page);
    await expect(page.getByText("Recovery codes left: 9.")).toBeVisible();
    await page.getByRole("button", { name: "Turn off" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Password/).fill(person.password);
    await dialog.getByLabel(/^Code/).fill(recovery[1] ?? "");
    await dialog.getByRole("button", { name: "Turn off" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByText("Off", { exact: true })).toBeVisible();
  });
});
