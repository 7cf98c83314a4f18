// Backups of a profile: made, taken home, imported, deleted, and made by themselves; a copy of a profile.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "./fixtures.ts";
import { type Paddock, startPaddock } from "./server.ts";

let paddock: Paddock;
let folder: string;

test.beforeAll(async ({ engine }) => {
  folder = await mkdtemp(join(tmpdir(), "paddock-vault-"));
  paddock = await startPaddock(engine, {}, "--backup-target", join(folder, "vault"));
});

test.afterAll(async () => {
  await paddock?.stop();
  await rm(folder, { recursive: true, force: true });
});

const password = "correct horse battery";
const passphrase = "staple of the farm";

test("make, download, import, delete, schedule, copy", async ({ page, look, complaints }) => {
  await page.goto(paddock.setupLink);
  await page.getByLabel("Your name").fill("Ada Tester");
  await page.getByLabel("E-mail").fill("ada@example.test");
  await page.getByLabel(/^Password/).fill(password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
  await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
  const devices = page.url();
  const profile = /\/p\/([0-9a-f]{24})\//.exec(devices)?.[1] ?? "";
  const made = await page.request.post(`${paddock.url}/device`, {
    headers: { Origin: paddock.url, "Profile-Id": profile },
    data: { name: "Pump of the barn", type: "mutable" },
  });
  const { result } = (await made.json()) as { result: { token: string } };
  await page.request.post(`${paddock.url}/data`, {
    headers: { token: result.token },
    data: [{ variable: "level", value: 7 }],
  });
  const ready = page.getByRole("listitem").filter({ hasText: "Ready" });
  let file = "";

  await test.step("with data and a passphrase", async () => {
    await page.goto(`${paddock.url}/console/p/${profile}/more`);
    await page.getByRole("link", { name: "Backups of this profile" }).click();
    await expect(page.getByRole("heading", { name: "No backup yet" })).toBeVisible();
    const make = page.locator("section").filter({ hasText: "Back up now" });
    await make.getByLabel("Passphrase").fill("short");
    await make.getByRole("button", { name: "Back up" }).click();
    await expect(page.getByRole("alert")).toContainText("must have 12 to 1000 characters");
    complaints.expected("400 POST /profile/");
    await make.getByLabel("With the data of devices").focus();
    await page.keyboard.press("Space");
    await make.getByLabel("Passphrase").fill(passphrase);
    await page.keyboard.press("Enter");
    await expect(ready).toHaveCount(1, { timeout: 60_000 });
    await expect(ready).toContainText("With data");
    await expect(ready).toContainText("Encrypted");
    await expect(make.getByLabel("Passphrase")).toHaveValue("");
  });

  await test.step("downloaded with the password", async () => {
    await ready.getByRole("button", { name: /^Download the backup of/ }).click();
    await page.getByLabel("Your password").fill("wrong password");
    await page.getByRole("button", { name: "Make a link" }).click();
    await expect(page.getByText("Invalid password")).toBeVisible();
    complaints.expected("401 POST /profile/");
    await page.getByLabel("Your password").fill(password);
    await page.keyboard.press("Enter");
    const link = page.getByRole("link", { name: /^Download [0-9.,]+ k?B$/ });
    await expect(link).toBeFocused();
    await look("backup-link", { fullPage: false });
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    file = join(folder, (await download).suggestedFilename());
    await (await download).saveAs(file);
    expect(file).toMatch(/\.zip\.age$/);
    expect((await readFile(file)).subarray(0, 22).toString()).toBe("age-encryption.org/v1\n");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  });

  await test.step("imported: first what would be, then it", async () => {
    await page.goto(`${paddock.url}/console/profiles`);
    await page.getByRole("link", { name: "Import a profile" }).click();
    await expect(page.getByRole("heading", { name: "Import a profile" })).toBeVisible();
    await page.locator('input[type="file"]').setInputFiles(file);
    await page.getByLabel("Passphrase").fill("something else");
    await page.getByRole("button", { name: "Check the archive" }).click();
    await expect(page.getByText("Nothing was imported")).toBeVisible({ timeout: 60_000 });
    await page.getByLabel("Passphrase").fill(passphrase);
    await page.getByLabel("Name of the profile").fill("Barn at home");
    await page.getByRole("button", { name: "Check the archive" }).click();
    await expect(page.getByRole("heading", { name: "Barn at home: this is what would be made" })).toBeVisible({ timeout: 60_000 });
    await expect(page.getByRole("row", { name: "Points 1" })).toBeVisible();
    await look("import-check");
    await page.getByRole("button", { name: "Import it now" }).click();
    await expect(page.getByRole("heading", { name: "Barn at home is imported" })).toBeVisible({ timeout: 60_000 });
    const map = page.waitForEvent("download");
    await page.getByRole("button", { name: /^Save the map of/ }).click();
    const saved = join(folder, "map.json");
    await (await map).saveAs(saved);
    expect(Object.keys(JSON.parse(await readFile(saved, "utf8")) as object)).toContain(profile);
    await look("import-done");
    await page.getByRole("link", { name: "Open Barn at home" }).first().click();
    await expect(page.getByRole("link", { name: "Pump of the barn" })).toBeVisible();
  });

  await test.step("by itself, to the operator's folder", async () => {
    await page.goto(`${paddock.url}/console/p/${profile}/backups`);
    await page.getByRole("switch", { name: "Back this profile up by schedule" }).focus();
    await page.keyboard.press("Space");
    await page.getByLabel("How often").selectOption("Each week");
    await page.getByLabel("On", { exact: true }).selectOption("Wednesday");
    await page.getByLabel("At", { exact: true }).selectOption("04:00");
    await page.getByLabel("Where they are kept").selectOption("In the folder for backups that this server was given");
    await page.getByLabel("Keep the last").fill("");
    await page.getByRole("button", { name: "Save the schedule" }).click();
    await expect(page.getByRole("alert")).toContainText("give keep_last or keep_days");
    complaints.expected("400 PUT /profile/");
    await page.getByLabel("Keep the last").fill("4");
    await page.getByRole("button", { name: "Save the schedule" }).click();
    await expect(page.getByText("The next one is due")).toBeVisible();
    await expect(page.getByText("None has been made yet.")).toBeVisible();
    await page.reload();
    await expect(page.getByLabel("How often")).toHaveValue("week");
    await expect(page.getByLabel("Keep the last")).toHaveValue("4");
    await look("backups");
  });

  await test.step("deleted with the password", async () => {
    await ready.getByRole("button", { name: /^Delete the backup of/ }).click();
    await look("backup-delete", { fullPage: false });
    await page.getByLabel("Your password").fill(password);
    await page.getByRole("button", { name: "Delete the backup", exact: true }).click();
    await expect(page.getByRole("heading", { name: "No backup yet" })).toBeVisible();
  });

  await test.step("a copy", async () => {
    await page.goto(`${paddock.url}/console/p/${profile}/more`);
    await page.getByRole("button", { name: "Make a copy…" }).click();
    await page.getByLabel("Name of the copy").fill("Barn, next door");
    await page.getByRole("button", { name: "Make a copy", exact: true }).click();
    await page.getByRole("link", { name: "Open Barn, next door" }).click({ timeout: 60_000 });
    await expect(page.getByRole("link", { name: "Pump of the barn" })).toBeVisible();
  });
});
