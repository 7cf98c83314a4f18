// The list of devices and the page of one: a table of devices with a fault and without, work on many, and what a device page
// shows, finds and gives away.
import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";

test.use({ house: "devices" });

/** Whether nobody has used the server's set-up link yet. */
const fresh = async (page: Page, url: string): Promise<boolean> =>
  ((await (await page.request.get(`${url}/status`)).json()) as { result: { setup: boolean } }).result.setup;

const csv = (text: string) => ({ name: "devices.csv", mimeType: "text/csv", buffer: Buffer.from(text) });

test("devices from a file, filtered and changed together", async ({ page, paddock, person, look }) => {
  const ada = await person("Ada Fleet", { operator: await fresh(page, paddock.url) });
  await page.goto(`${paddock.url}/console/p/${ada.profile}/devices`);
  await page.getByRole("link", { name: "Create from a table…" }).click();
  const file = page.locator("input[type=file]");

  await test.step("a bad row is named, and nothing is made", async () => {
    await file.setInputFiles(csv("name,serial,tag:site,type\nBarn,SN-1,north,\nShed,SN-1,north,hybrid\n"));
    const wrong = page.getByRole("alert");
    await expect(wrong.getByRole("heading", { name: "2 things are wrong. Nothing was created." })).toBeVisible();
    await expect(wrong.getByRole("row", { name: /3 type "hybrid" is not available/ })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Create \d/ })).toHaveCount(0);
    await look("devices-import-bad");
  });

  await test.step("mended, all are made at once, and their tokens are given once", async () => {
    const rows = Array.from({ length: 24 }, (_, i) => `Sensor ${String(i + 1).padStart(2, "0")},SN-${1001 + i},${i % 2 ? "south" : "north"}`);
    await file.setInputFiles(csv(`name,serial,tag:site\n${rows.join("\n")}\n=SUM(A1),,north\n`));
    await expect(page.getByRole("heading", { name: "25 devices can be created." })).toBeVisible();
    await page.getByRole("button", { name: "Create 25 devices" }).click();
    await expect(page.getByRole("heading", { name: "25 devices created" })).toBeVisible();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download the tokens" }).click()]);
    const text = await readFile(await download.path(), "utf8");
    expect(text.split("\r\n")).toHaveLength(27);
    expect(text).toMatch(/^[0-9a-f]{24},Sensor 01,SN-1001,[0-9a-f-]{36}\r$/m);
    expect(text).toContain(",'=SUM(A1),");
    await page.getByRole("link", { name: "To the devices" }).click();
    await expect(page.getByRole("row")).toHaveCount(21);
  });

  await test.step("the list finds by serial number and tag, and sorts", async () => {
    await page.getByLabel("Find by name or serial").fill("SN-1007");
    await expect(page.getByRole("row")).toHaveCount(2);
    await expect(page.getByRole("link", { name: "Sensor 07" })).toBeVisible();
    await page.getByLabel("Find by name or serial").fill("");
    await page.getByRole("button", { name: "Name" }).click();
    await expect(page.getByRole("row").nth(1)).toContainText("Sensor 24");
    await page.getByLabel("Tag").fill("site=south");
    await expect(page.getByRole("row")).toHaveCount(13);
    await expect(page).toHaveURL(/tag=/);
  });

  await test.step("the chosen ones get a tag and are switched off", async () => {
    await page.getByRole("checkbox", { name: "Select this page" }).check();
    await expect(page.getByText("12 devices selected")).toBeVisible();
    await look("devices-chosen", { fullPage: false });
    await page.getByRole("button", { name: "Tags…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Key").fill("season");
    await dialog.getByLabel("Value").fill("winter");
    await dialog.getByRole("button", { name: "Add" }).click();
    await expect(dialog.getByText("12 devices done.")).toBeVisible();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await expect(page.getByText("season = winter").first()).toBeVisible();
    await page.getByRole("button", { name: "Deactivate" }).click();
    await expect(dialog.getByText("12 devices done.")).toBeVisible();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await expect(page.getByRole("table").getByText("Inactive", { exact: true })).toHaveCount(12);
  });

  await test.step("all that match are deleted, after their number is typed", async () => {
    await page.getByLabel("Tag").fill("");
    await expect(page.getByRole("row")).toHaveCount(21);
    await page.getByRole("checkbox", { name: "Select this page" }).check();
    await page.getByRole("button", { name: "Select all that match" }).click();
    await expect(page.getByText("All that match: 25 devices")).toBeVisible();
    await page.getByRole("button", { name: "Delete…" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete 25 devices?" });
    await expect(dialog).toContainText("The devices, their tokens and 0 points will be lost.");
    await expect(dialog.getByRole("button", { name: "Delete them for ever" })).toBeDisabled();
    await dialog.getByLabel("Type 25 to confirm").fill("25");
    await dialog.getByRole("button", { name: "Delete them for ever" }).click();
    const work = page.getByRole("dialog", { name: "Deleting" });
    await expect(work.getByText("25 devices done.")).toBeVisible();
    await work.getByRole("button", { name: "Close" }).last().click();
    await expect(page.getByRole("heading", { name: "No device yet" })).toBeVisible();
  });
});

test("the page of a device", async ({ page, paddock, person, look, complaints }) => {
  const ada = await person("Ada Device", { operator: await fresh(page, paddock.url) });
  const { id, token } = await ada.addDevice(ada.profile, "Greenhouse 7", { serie_number: "SN-7", tags: [{ key: "site", value: "north" }] });
  await ada.api("POST", "/alert/silence", { tag: { key: "site", value: "north" }, interval: 600 }, ada.profile);
  const send = async (points: object[]) => {
    const answer = await fetch(`${paddock.url}/data`, {
      method: "POST",
      headers: { token, "Content-Type": "application/json" },
      body: JSON.stringify(points),
    });
    return answer.status;
  };
  const old = Date.now() - 3 * 86_400_000;
  const at = (i: number) => new Date(old - i * 600_000).toISOString();
  const wave = (i: number) => Math.round(180 + 60 * Math.sin(i / 9)) / 10;
  await send(
    Array.from({ length: 120 }, (_, i) => [
      { variable: "temperature", value: wave(i), unit: "°C", time: at(i), location: { lat: 52.5, lng: 13.4 } },
      { variable: "humidity", value: 60 - wave(i), unit: "%", time: at(i) },
    ]).flat(),
  );
  await page.goto(`${paddock.url}/console/p/${ada.profile}/devices/${id}`);

  await test.step("it says whether it is alive", async () => {
    await expect(page.getByTestId("alive")).toHaveAttribute("data-state", "alive");
    await expect(page.getByTestId("alive")).toContainText(/^Last input (now|\d+ seconds? ago), expected every 10 minutes/);
  });

  await test.step("an empty range says when the last point was, and leads there in one click", async () => {
    await expect(page.getByRole("heading", { name: "No data in the last 24 hours" })).toBeVisible();
    await expect(page.getByText("The last was 3 days ago.")).toBeVisible();
    await look("device-empty-range");
    await page.getByRole("button", { name: "Go there" }).click();
    await expect(page.getByRole("img", { name: /^temperature: \d+ points/ })).toBeVisible();
  });

  const chart = page.getByRole("img", { name: /^temperature: / });
  await test.step("dragging across a chart zooms, and back again", async () => {
    const before = await chart.getAttribute("aria-label");
    const over = chart.locator(".u-over");
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    if (!box) throw new Error("the chart has no place");
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await expect(chart).not.toHaveAttribute("aria-label", before ?? "");
    await expect(page).toHaveURL(/from=\d+/);
    await page.getByRole("button", { name: "Reset zoom" }).click();
    await expect(page.getByRole("heading", { name: "No data in the last 24 hours" })).toBeVisible();
    await page.getByText("7 d", { exact: true }).click();
    await expect(page.getByRole("img", { name: /^temperature: 120 points/ })).toBeVisible();
  });

  await test.step("points come live, until that is switched off", async () => {
    await send([{ variable: "temperature", value: 30.5, unit: "°C" }]);
    await expect(page.getByRole("img", { name: /^temperature: 121 points. Newest 30.5/ })).toBeVisible();
    await page.getByRole("switch", { name: "Live" }).uncheck({ force: true });
    await page.getByText("24 h", { exact: true }).click();
    await expect(page.getByRole("img", { name: /^temperature: 1 point/ })).toBeVisible();
    await page.getByText("7 d", { exact: true }).click();
  });

  await test.step("the table pages, filters, deletes and downloads", async () => {
    await expect(page.getByText("1–20 of 241")).toBeVisible();
    await page.getByRole("navigation", { name: "Pages of the list" }).getByRole("button", { name: "Next" }).click();
    await expect(page.getByText("21–40 of 241")).toBeVisible();
    await page.getByRole("combobox", { name: "Variable" }).click();
    await page.getByRole("option", { name: "humidity" }).click();
    await expect(page.getByText("1–20 of 120")).toBeVisible();
    await page.getByRole("checkbox", { name: /^Select humidity/ }).first().check();
    await page.getByRole("button", { name: "Delete 1 point…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete for ever" }).click();
    await expect(page.getByText("1–20 of 119")).toBeVisible();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download CSV" }).click()]);
    const lines = (await readFile(await file.path(), "utf8")).trim().split("\r\n");
    expect(lines).toHaveLength(120);
    expect(lines[0]).toBe("time,variable,value,unit,group,latitude,longitude");
    expect(lines[1]).toMatch(/^20\d\d-.*Z,humidity,[\d.]+,%,/);
  });

  await test.step("the token as QR code, and a sketch with it", async () => {
    await page.getByRole("tab", { name: "Connect" }).click();
    await page.getByRole("button", { name: "Show as QR code" }).click();
    await expect(page.getByRole("img", { name: "QR code of the device token" })).toBeVisible();
    await look("device-qr", { fullPage: false });
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.getByRole("tab", { name: "ESP32" }).click();
    await page.getByRole("button", { name: "Copy the sketch" }).click();
    await expect(page.getByText("Copied", { exact: true }).first()).toBeVisible();
    const sketch = await page.evaluate(() => navigator.clipboard.readText());
    expect(sketch).toContain(`http.begin(client, "${paddock.url}/data");`);
    expect(sketch).toContain(token);
  });

  await test.step("switched off, its refusals are listed and open to their detail, also on a phone", async () => {
    await page.getByRole("switch", { name: "Greenhouse 7 is active" }).click({ force: true });
    await expect(page.getByTestId("alive")).toHaveAttribute("data-state", "off");
    expect(await send([{ variable: "temperature", value: 1 }])).toBe(403);
    await page.setViewportSize({ width: 375, height: 720 });
    await page.getByRole("tab", { name: "Requests" }).click();
    await page.getByRole("button", { name: /^Details of POST \/data/ }).first().click();
    const detail = page.getByRole("dialog");
    await expect(detail.getByText("Refused 403")).toBeVisible();
    await expect(detail.getByText("Device not found or inactive")).toBeVisible();
    await expect(detail.getByText("38 B")).toBeVisible();
    await expect(detail.getByText('[{"variable":"temperature","value":1}]')).toBeVisible();
    await detail.getByRole("button", { name: "Close" }).click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
  });

  await test.step("its parameters and tags are kept", async () => {
    await page.getByRole("tab", { name: "Settings" }).click();
    await page.getByRole("button", { name: "Add a parameter" }).click();
    await page.getByLabel("Key of parameter 1").fill("interval");
    await page.getByLabel("Value of parameter 1").fill("600");
    await page.getByRole("button", { name: "Save the parameters" }).click();
    await expect(page.getByRole("button", { name: "Save the parameters" })).toBeDisabled();
    await page.reload();
    await expect(page.getByLabel("Value of parameter 1")).toHaveValue("600");
    await page.setViewportSize({ width: 1280, height: 860 });
  });
  expect(complaints.seen).toEqual([]);
});
