// The way of a person who has just started Paddock, from the set-up link to live data, and what they do next. The tests of
// a project share one server and go in order: each finds what the one before it made.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Locator, Page } from "@playwright/test";
import { deflateSync } from "node:zlib";
import { expect, test } from "./fixtures.ts";

const run = promisify(execFile);

const person = { name: "Ada Tester", email: "ada@example.test", password: "correct horse battery" };

test.describe.configure({ mode: "serial" });

test("from the set-up link to live data", async ({ page, paddock, engine, look }) => {
  await test.step("the set-up link makes the first account", async () => {
    await page.goto(paddock.setupLink);
    await expect(page.getByRole("heading", { name: "Set up Paddock" })).toBeVisible();
    await expect(page.getByRole("combobox", { name: "Time zone" })).toHaveValue("Europe/Berlin");
    await page.getByLabel("Your name").fill(person.name);
    await page.getByLabel("E-mail").fill(person.email);
    await page.getByLabel(/^Password/).fill(person.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
    await expect(page).toHaveURL(/\/console\/p\/[0-9a-f]{24}\/devices$/);
    await look("devices-empty");
  });

  await test.step("the switcher leads to Add Profile, which says what the profile was given", async () => {
    await openSwitcher(page);
    await page.getByRole("option", { name: "Add Profile" }).click();
    await expect(page.getByRole("heading", { name: "Add Profile" })).toBeVisible();
    await expect(page.getByText("It has no limits, and takes nothing from your other profiles.")).toBeVisible();
    await page.getByLabel("Name").fill("Farm North");
    await page.getByRole("button", { name: "Add Profile" }).click();
    await expect(page.getByRole("heading", { name: "Farm North is ready" })).toBeVisible();
    await page.getByRole("link", { name: "Open the profile" }).click();
  });

  await test.step("its first device is created", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await page.getByRole("link", { name: "Create device" }).click();
    await expect(page.getByRole("heading", { name: "Create device" })).toBeVisible();
    await page.getByLabel("Name").fill("Greenhouse sensor");
    await page.getByRole("button", { name: "Create device" }).click();
    await expect(page.getByRole("heading", { name: "Greenhouse sensor" })).toBeVisible();
    await expect(page).toHaveTitle("Greenhouse sensor · Farm North · Paddock");
  });

  const panel = page.getByTestId("first-point");
  await test.step("the curl line works as pasted and the page turns green", async () => {
    await expect(panel).toHaveAttribute("data-state", "waiting");
    const line = await copied(page, page.getByRole("button", { name: "Copy the curl line" }));
    expect(line).toContain(paddock.url);
    const { stdout } = await run("bash", ["-c", line]);
    expect(JSON.parse(stdout)).toMatchObject({ status: true, result: "1 Data Added" });
    await expect(panel).toHaveAttribute("data-state", "received");
    await expect(panel).toContainText("temperature = 21.5 °C");
    await expectDrawn(page.getByRole("img", { name: /^temperature: 1 point\./ }));
  });

  await test.step("the chart is live", async () => {
    const token = await copied(page, page.getByRole("button", { name: "Copy the token" }));
    expect(token).toMatch(/^[0-9a-f-]{36}$/);
    await send(paddock.url, token, greenhouse());
    await page.getByText("7 d", { exact: true }).click();
    await expect(page.getByRole("img", { name: /^humidity: 144 points/ })).toBeVisible();
    await page.reload(); // a device that has data shows it first
    await expect(panel).toHaveCount(0);
    await expectDrawn(page.getByRole("img", { name: /^temperature: 145 points/ }));
    await look("device-live");
  });

  await test.step("the requests are listed", async () => {
    await page.getByRole("tab", { name: "Requests" }).click();
    await expect(page.getByRole("row", { name: /POST \/data/ })).toHaveCount(2);
    await expect(page.getByRole("row", { name: /Accepted/ }).first()).toBeVisible();
  });

  await test.step("a second device receives through the SDK lines", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await page.getByRole("link", { name: "Create device" }).click();
    await expect(page.getByRole("heading", { name: "Create device" })).toBeVisible();
    await page.getByLabel("Name").fill("Script");
    await page.getByRole("button", { name: "Create device" }).click();
    await expect(panel).toHaveAttribute("data-state", "waiting");
    await page.getByRole("tab", { name: "JavaScript" }).click();
    const lines = await copied(page, page.getByRole("button", { name: "Copy the SDK lines" }));
    const folder = join(import.meta.dirname, "test-results", `sdk-${engine}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), "{}"); // what npm install leaves in an empty folder is CommonJS
    await writeFile(join(folder, "send.js"), lines);
    const { stdout } = await run(process.execPath, ["send.js"], { cwd: folder });
    expect(stdout.trim()).toBe("1 Data Added");
    await expect(panel).toHaveAttribute("data-state", "received");
    await expect(panel).toContainText("temperature = 22.5 °C");
  });

  await test.step("the list shows both, and finds one by name", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await expect(page.getByRole("row")).toHaveCount(3);
    await page.getByLabel("Find by name or serial").fill("green");
    await expect(page.getByRole("row")).toHaveCount(2);
    await page.getByLabel("Find by name or serial").fill("nothing of the kind");
    await expect(page.getByRole("heading", { name: "No device is like this" })).toBeVisible();
    await page.getByRole("button", { name: "Show all devices" }).click();
    await expect(page.getByRole("row")).toHaveCount(3);
  });

  await test.step("the other profile sees nothing of it", async () => {
    await openSwitcher(page);
    await expect(page.getByRole("option", { name: person.name })).toBeVisible();
    await page.getByRole("option", { name: person.name }).click();
    await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
    await expect(page).toHaveTitle(`Devices · ${person.name} · Paddock`);
  });
});

test("a wrong password is refused, the right one leads back to where one was going", async ({ page, paddock, complaints }) => {
  await page.goto(`${paddock.url}/console/profiles`);
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  complaints.expected("401 GET /session"); // the answer to the question whether anybody is signed in
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel(/^Password/).fill("wrong horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("Invalid credentials");
  await expect(page.getByRole("alert")).toContainText("Request id");
  complaints.expected("401 POST /session");
  await page.getByLabel(/^Password/).fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Profiles" })).toBeVisible();
  await page.getByRole("button", { name: `Account of ${person.name}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("a session that ends asks for the password and loses nothing typed", async ({ page, paddock, complaints, look }) => {
  await signIn(page, paddock.url);
  await page.goto(`${paddock.url}/console/profiles/add`);
  await page.getByLabel("Name").fill("Farm South");
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Add Profile" }).click();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await expect(dialog).toBeVisible();
  complaints.expected("401 POST /profile/", "401 GET /session");
  await look("session-ended", { fullPage: false });
  await dialog.getByLabel(/^Password/).fill(person.password);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByLabel("Name")).toHaveValue("Farm South");
  await page.getByRole("button", { name: "Add Profile" }).click();
  await expect(page.getByRole("heading", { name: "Farm South is ready" })).toBeVisible();
});

test("a profile is renamed, given a logo, and deleted by typing its name", async ({ page, paddock, complaints, look }) => {
  await signIn(page, paddock.url);
  await openProfile(page, paddock.url, "Farm South");
  await page.getByRole("link", { name: "Profiles & Teams" }).click();
  await expect(page.getByRole("heading", { name: "Services" })).toBeVisible();

  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Farm West");
  await page.getByRole("button", { name: "Save the name" }).click();
  await expect(page.getByRole("button", { name: "Farm West Switch profile" })).toBeVisible();
  await expect(page).toHaveTitle("Profile · Farm West · Paddock");

  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a picture" }).click();
  await (await chooser).setFiles({ name: "logo.png", mimeType: "image/png", buffer: picture() });
  await expect(page.getByText("The logo is set.")).toBeVisible();
  const logo = page.getByRole("banner").locator("img");
  await expect.poll(() => logo.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);

  await page.getByRole("link", { name: "More", exact: true }).click();
  await page.getByRole("button", { name: "Delete profile…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete Farm West?" });
  await expect(dialog).toContainText("For 7 days you can restore it");
  await dialog.getByRole("checkbox", { name: "Delete for good now" }).check();
  await expect(dialog).toContainText("There is no way back.");
  const confirm = dialog.getByRole("button", { name: "Delete for ever" });
  await dialog.getByLabel("Your password").fill("wrong horse");
  await expect(confirm).toBeDisabled();
  await dialog.getByLabel("Type Farm West to confirm").fill("Farm West");
  await confirm.click();
  await expect(dialog.getByRole("alert")).toContainText("Invalid password");
  complaints.expected("401 DELETE /profile/");
  await look("profile-delete", { fullPage: false });
  await dialog.getByLabel("Your password").fill(person.password);
  await confirm.click();
  await expect(page.getByRole("heading", { name: "Profiles" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Farm West" })).toHaveCount(0);
  await expect(page.getByRole("link", { name: "Farm North" })).toBeVisible();
});

test("a device is renamed, switched off so that what it sends is refused, and deleted", async ({ page, paddock }) => {
  await signIn(page, paddock.url);
  await openProfile(page, paddock.url, "Farm North");
  await page.getByRole("link", { name: "Script" }).click();
  await page.getByRole("tab", { name: "Connect" }).click();
  const line = await copied(page, page.getByRole("button", { name: "Copy the curl line" }));
  await page.getByRole("tab", { name: "Settings" }).click();
  await expect(page.getByRole("heading", { name: "Name", exact: true })).toBeVisible();
  await page.getByLabel("Name").fill("Night script");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Night script", level: 1 })).toBeVisible();
  await page.getByRole("switch", { name: /is active$/ }).click({ force: true });
  await expect(page.getByText("Inactive", { exact: true })).toBeVisible();

  const { stdout } = await run("bash", ["-c", line]);
  expect(JSON.parse(stdout)).toMatchObject({ status: false });
  await page.getByRole("tab", { name: "Requests" }).click();
  await expect(page.getByRole("row", { name: /Refused/ })).toBeVisible();

  await page.getByRole("tab", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Delete device…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete Night script?" });
  await expect(dialog).toContainText("1 data point ");
  await dialog.getByRole("button", { name: "Delete for ever" }).click();
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(2);
});

test("what is not there says so", async ({ page, paddock, complaints, look }) => {
  await signIn(page, paddock.url);
  await page.goto(`${paddock.url}/console/no/such/page`);
  await expect(page.getByRole("heading", { name: "Page not found", level: 1 })).toBeVisible();
  await look("not-found");
  await page.goto(`${paddock.url}/console/p/0123456789abcdef01234567/devices`);
  await expect(page.getByRole("heading", { name: "You cannot open this profile" })).toBeVisible();
  await openProfile(page, paddock.url, "Farm North");
  await page.goto(`${page.url()}/0123456789abcdef01234567`);
  await expect(page.getByRole("heading", { name: "There is no such device here", level: 1 })).toBeVisible();
  complaints.expected("404 GET /device/0123456789abcdef01234567");
});

test("the set-up link works once", async ({ page, paddock, complaints }) => {
  await page.goto(paddock.setupLink);
  await page.getByLabel("Your name").fill("Mallory");
  await page.getByLabel("E-mail").fill("mallory@example.test");
  await page.getByLabel(/^Password/).fill(person.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await expect(page.getByRole("alert")).toContainText("Request id");
  expect(complaints.seen.splice(0)).toEqual([expect.stringMatching(/^4\d\d POST \/setup$/)]);
});

test("somebody signs up, confirms by mail, and sets a new password by mail", async ({ page, paddock, mailbox, complaints }) => {
  const bob = { name: "Bob Builder", email: "bob@example.test", password: "first horse battery" };
  await page.goto(`${paddock.url}/console/login`);
  await page.getByRole("link", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: "Sign up" })).toBeVisible();
  await page.getByLabel("Your name").fill(bob.name);
  await page.getByLabel("E-mail").fill(bob.email);
  await page.getByLabel(/^Password/).fill(bob.password);
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: "Almost there" })).toBeVisible();

  const confirm = await mailbox.link(bob.email, "confirm");
  await page.goto(confirm);
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByRole("heading", { name: "Confirmed" })).toBeVisible();
  await page.goto(confirm); // a letter opened twice
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByRole("alert")).toContainText("Request id");
  complaints.expected("400 GET /account/confirm/");

  await page.goto(`${paddock.url}/console/login`);
  await page.getByRole("link", { name: "Forgot the password?" }).click();
  await expect(page.getByRole("heading", { name: "Reset the password" })).toBeVisible();
  await page.getByLabel("E-mail").fill(bob.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("heading", { name: "Look into your mail" })).toBeVisible();
  await page.goto(await mailbox.link(bob.email, "reset"));
  await page.getByLabel("New password").fill("second horse battery");
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByRole("heading", { name: "The password is set" })).toBeVisible();
  await page.getByRole("link", { name: "To sign in" }).click();
  await page.getByLabel("E-mail").fill(bob.email);
  await page.getByLabel(/^Password/).fill("second horse battery");
  await page.getByRole("button", { name: "Sign in" }).click();
  // One profile, his own, and nothing of anybody else's.
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
  await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
  await openSwitcher(page);
  await expect(page.getByTestId(/^pin-/)).toHaveCount(1);
});

test("two tabs with two profiles do not mix", async ({ page, paddock }) => {
  await signIn(page, paddock.url);
  const other = await page.context().newPage();
  const tabs = [
    { tab: page, profile: "Farm North", device: "Silo", has: 3 },
    { tab: other, profile: person.name, device: "Door", has: 2 },
  ];
  for (const { tab, profile } of tabs) await openProfile(tab, paddock.url, profile);
  // The first tab is filled in while the second is where somebody was last.
  for (const { tab, device } of tabs) {
    await tab.getByRole("link", { name: "Create device" }).first().click();
    await expect(tab.getByRole("heading", { name: "Create device" })).toBeVisible(); // the list before has a field for names too
    await tab.getByLabel("Name").fill(device);
  }
  for (const { tab, profile, device } of tabs) {
    await tab.bringToFront(); // a browser draws nothing in the tab behind
    await tab.getByRole("button", { name: "Create device" }).click();
    await expect(tab).toHaveTitle(`${device} · ${profile} · Paddock`);
  }
  for (const { tab, profile, device, has } of tabs) {
    await tab.bringToFront();
    await tab.reload();
    await expect(tab).toHaveTitle(`${device} · ${profile} · Paddock`);
    await tab.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await expect(tab).toHaveTitle(`Devices · ${profile} · Paddock`);
    await expect(tab.getByRole("row")).toHaveCount(has);
    await expect(tab.getByRole("link", { name: device })).toBeVisible();
  }
  await other.close();
});

test("the keyboard alone switches the profile", async ({ page, paddock }) => {
  await signIn(page, paddock.url);
  await openProfile(page, paddock.url, "Farm North");
  await page.getByRole("button", { name: "Farm North Switch profile" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("option", { name: person.name })).toBeVisible();
  const options = page.getByRole("option");
  const names = await options.allInnerTexts();
  const target = names.findIndex((name) => name.includes(person.name));
  for (let i = 0; i <= target; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page).toHaveTitle(`Devices · ${person.name} · Paddock`);
});

// ---- what people do again and again ----

async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/console/login`);
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel(/^Password/).fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Profiles" })).toBeVisible();
}

async function openProfile(page: Page, url: string, name: string): Promise<void> {
  await page.goto(`${url}/console/profiles`);
  await page.getByRole("link", { name }).click();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
  await expect(page.getByRole("heading", { name: "Devices", level: 1 })).toBeVisible();
  await expect(page).toHaveTitle(`Devices · ${name} · Paddock`);
}

async function openSwitcher(page: Page): Promise<void> {
  await page.getByRole("banner").getByRole("button", { name: /Switch profile$|Choose a profile/ }).click();
}

/** Presses a copy button and reads the clipboard. */
async function copied(page: Page, button: Locator): Promise<string> {
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await button.click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).not.toBe("");
  return page.evaluate(() => navigator.clipboard.readText());
}

/** A chart is visible when its canvas has the colour of a line somewhere. */
async function expectDrawn(chart: Locator): Promise<void> {
  await expect(chart).toBeVisible();
  await expect
    .poll(() =>
      chart.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        let coloured = 0;
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3]! > 200 && data[i + 1]! > data[i]! + 30 && data[i + 1]! > data[i + 2]! + 20) coloured++;
        return coloured;
      }),
    )
    .toBeGreaterThan(5);
}

interface Point {
  variable: string;
  value: number;
  unit: string;
  time: string;
}

/** Two days in a greenhouse up to now, a point each twenty minutes: 144 of each variable. */
function greenhouse(): Point[] {
  const points: Point[] = [];
  const end = Date.now() - 60_000;
  for (let i = 0; i < 144; i++) {
    const at = end - (143 - i) * 20 * 60_000;
    const warmth = Math.max(0, Math.sin(((i - 143) / 72) * 2 * Math.PI + 0.5));
    const wobble = Math.sin(i * 1.7) * 0.4 + Math.sin(i * 0.37) * 0.6;
    const time = new Date(at).toISOString();
    points.push({ variable: "temperature", value: round(17 + warmth * 9 + wobble), unit: "°C", time });
    points.push({ variable: "humidity", value: round(78 - warmth * 26 - wobble * 2), unit: "%", time });
  }
  return points;
}

const round = (n: number): number => Math.round(n * 10) / 10;

async function send(url: string, token: string, points: Point[]): Promise<void> {
  const response = await fetch(`${url}/data`, {
    method: "POST",
    headers: { token, "Content-Type": "application/json" },
    body: JSON.stringify(points),
  });
  expect(await response.json()).toMatchObject({ status: true });
}

/** A PNG of 64 × 64 pixels, half one colour and half another. */
function picture(): Buffer {
  const size = 64;
  const rows = Buffer.alloc(size * (1 + size * 3));
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) rows.set(x < size / 2 ? [217, 119, 6] : [30, 64, 175], y * (1 + size * 3) + 1 + x * 3);
  const chunk = (type: string, body: Buffer): Buffer => {
    const name = Buffer.from(type);
    const out = Buffer.alloc(12 + body.length);
    out.writeUInt32BE(body.length, 0);
    name.copy(out, 4);
    body.copy(out, 8);
    out.writeUInt32BE(crc(Buffer.concat([name, body])), 8 + body.length);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function crc(bytes: Buffer): number {
  let c = ~0;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c >>> 0;
}
