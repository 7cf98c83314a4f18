// What profiles use, in figures that are the API's: a day opens to its hours and devices and adds up; a pool is divided in one
// table, all or nothing; every limit says what it is; and a cycle is worked out as it might have been.
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";

test.use({ house: "usage" });

interface Sample {
  time: string;
  input?: number;
}

interface Table {
  services: { service: string; pool: number; free: number }[];
  profiles: { id: string; name: string; allocation: Record<string, number>; used: Record<string, number> }[];
}

const count = (n: number): string => new Intl.NumberFormat("en-GB").format(n);

/** Sends so many points as a device. */
async function send(url: string, token: string, points: number): Promise<number> {
  const body = JSON.stringify(Array.from({ length: points }, () => ({ variable: "level", value: 1 })));
  return (await fetch(`${url}/data`, { method: "POST", headers: { token, "Content-Type": "application/json" }, body })).status;
}

test("use, allocation and limits", async ({ page, paddock, person, complaints }) => {
  let ada!: Person;
  let second = "";
  await test.step("an owner with two profiles on a plan", async () => {
    ada = await person("Ada", { operator: true });
    await ada.api("PUT", `/billing/account/${ada.id}/plan`, { plan: "scale", charge: "none", reason: "A customer" });
    await page.goto(`${paddock.url}/console/allocation`);
    await expect(page.getByRole("heading", { name: "Ada has everything" })).toBeVisible();
    second = await ada.addProfile("South yard");
    await ada.api("POST", "/account/allocation", [
      { profile: ada.profile, input: 200, data_records: 1000 },
      { profile: second, input: 500 },
    ]);
    const pump = await ada.addDevice(ada.profile, "Pump");
    const gate = await ada.addDevice(ada.profile, "Gate");
    expect(await send(paddock.url, pump.token, 60)).toBe(200);
    expect(await send(paddock.url, gate.token, 45)).toBe(200);
    expect(await send(paddock.url, gate.token, 100)).toBe(402); // it does not fit
  });

  await test.step("the page's figures are the API's", async () => {
    await page.goto(`${paddock.url}/console/p/${ada.profile}/usage`);
    await expect(page.getByText("105 of 200 used (52 %).")).toBeVisible();
    const zone = "Europe/Berlin";
    const month = new Date().toISOString().slice(0, 8);
    const days = await ada.api<Sample[]>("GET", `/profile/${ada.profile}/statistics?start_date=${month}01&periodicity=day&timezone=${zone}&of=period`);
    const today = days.at(-1)?.input ?? 0;
    expect(days.reduce((sum, day) => sum + (day.input ?? 0), 0)).toBe(105);
    const table = page.getByRole("table", { name: "Figures of the chart" });
    await expect(table.getByRole("row").nth(1)).toContainText(count(today));
    await expect(table.getByRole("row", { name: /Total/ })).toContainText("105");
    await expect(page.getByRole("img", { name: /^Data input used so far/ })).toBeVisible();
    const file = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download CSV" }).click();
    expect((await file).suggestedFilename()).toMatch(/^use-.*-day\.csv$/);
    await page.getByRole("button", { name: "Data records" }).click();
    await expect(page.getByRole("heading", { name: "Data records" })).toBeVisible();
    await page.getByRole("button", { name: /^Data input/ }).click();
  });

  await test.step("a day opens to its hours, and they to their devices", async () => {
    await page.getByRole("table", { name: "Figures of the chart" }).getByRole("button").first().click();
    const devices = page.getByRole("table", { name: "Devices" });
    await expect(devices.getByRole("row", { name: /Pump/ })).toContainText("60");
    await expect(devices.getByRole("row", { name: /Gate/ })).toContainText("45");
    await expect(page.getByText("✓ Adds up")).toBeVisible();
    await page.getByRole("table", { name: "Hours" }).getByRole("button").first().click();
    await expect(page.getByRole("heading", { name: /^Devices in the hour up to/ })).toBeVisible();
    await expect(page.getByText("✓ Adds up")).toBeVisible();
    await devices.getByRole("link", { name: "Pump" }).click();
    await expect(page.getByRole("heading", { name: "Pump" })).toBeVisible();
  });

  await test.step("limits say what they are, and what was refused", async () => {
    await page.goto(`${paddock.url}/console/p/${ada.profile}/limits`);
    await expect(page.getByText("One request was refused in the last 24 hours.")).toBeVisible();
    const input = page.getByRole("row", { name: /Data input .*Each variable that is sent/ });
    await expect(input).toContainText("105 / 200");
    await expect(input).toContainText("1 refused");
    await page.getByLabel("Requests a minute that send").fill("90");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("0 in this minute. Empty for no limit.")).toBeVisible();
    const { info } = await ada.api<{ info: { rpm: { data_input: number } } }>("GET", `/profile/${ada.profile}`);
    expect(info.rpm.data_input).toBe(90);
    await page.getByLabel("Find a limit").fill("post /data");
    await expect(page.getByRole("row", { name: /POST \/data/ }).first()).toContainText("15,000");
    await expect(page.getByRole("row", { name: /Data input/ })).toHaveCount(0);
  });

  await test.step("many cells, one of them refused and marked, then one save", async () => {
    await page.goto(`${paddock.url}/console/allocation`);
    const cell = (name: string) => page.getByRole("textbox", { name, exact: true });
    const before = await ada.api<Table>("GET", "/account/allocation/table");
    const free = (service: string): number => before.services.find((one) => one.service === service)?.free ?? 0;
    await expect(page.getByRole("columnheader", { name: /^Data input/ })).toContainText(`${count(free("input"))} free`);
    await cell("Data input of South yard").fill("2k");
    await expect(page.getByRole("columnheader", { name: /^Data input/ })).toContainText(`${count(free("input") - 1500)} free`);
    await cell("Data input of South yard").press("ArrowUp");
    await expect(cell("Data input of Ada")).toBeFocused();
    // A block from a spreadsheet goes over the cells to the right and below.
    await cell("Data input of Ada").evaluate((field) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "300\t1000\n2100\t99000000000");
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    });
    await expect(cell("Data output of South yard")).toHaveValue("99000000000");
    await expect(page.getByText("4 cells are changed.")).toBeVisible();
    await expect(page.getByRole("columnheader", { name: /^Data output/ })).toContainText("too much");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("alert")).toContainText(/South yard, Data output: the profiles would have .* together/);
    await expect(cell("Data output of South yard")).toHaveAttribute("aria-invalid", "true");
    await expect(cell("Data input of South yard")).not.toHaveAttribute("aria-invalid", "true");
    complaints.expected("400 POST /account/allocation");
    const kept = await ada.api<Table>("GET", "/account/allocation/table");
    expect(kept).toEqual(before); // nothing of it was saved
    await cell("Data output of South yard").fill("2000");
    await page.getByRole("button", { name: "Undo" }).click();
    await expect(cell("Data output of South yard")).toHaveValue("99000000000");
    await page.getByRole("link", { name: "Staff" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stay here" }).click();
    await cell("Data output of South yard").fill("2000");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Saved: 4 cells.")).toBeVisible();
    const after = await ada.api<Table>("GET", "/account/allocation/table");
    expect(after.profiles.map(({ id, allocation }) => [id, allocation.input, allocation.output])).toEqual([
      [ada.profile, 300, 1000],
      [second, 2100, 2000],
    ]);
    await page.getByRole("button", { name: "Give the free rest…" }).click();
    await page.getByRole("dialog").getByRole("combobox", { name: "To" }).click();
    await page.getByRole("option", { name: "South yard" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Give" }).click();
    await expect(page.getByRole("columnheader", { name: /^Data input/ })).toContainText("0 free");
    await page.getByRole("button", { name: "Equal shares" }).click();
    await expect(cell("Data input of Ada")).toHaveValue("500000");
    await page.getByRole("button", { name: "Discard all" }).click();
    await expect(cell("Data input of Ada")).toHaveValue("300");
  });

  await test.step("the chart's limit is what held then", async () => {
    const month = new Date().toISOString().slice(0, 8);
    const steps = await ada.api<{ time: string; limit: number | null }[]>("GET", `/profile/${ada.profile}/statistics/limits?service=input&start_date=${month}01`);
    expect(steps.map(({ limit }) => limit).slice(-2)).toEqual([200, 300]);
    await page.goto(`${paddock.url}/console/p/${ada.profile}/usage`);
    await expect(page.getByText(/^The limit was .*from \S+, \S+ 200, from \S+, \S+ 300\.$/)).toBeVisible();
    await expect(page.locator(".recharts-reference-line")).not.toHaveCount(0);
  });

  await test.step("in the first hour of a cycle there is nothing to work out", async () => {
    await page.goto(`${paddock.url}/console/cost/what-if`);
    await page.getByRole("button", { name: "Work it out" }).click();
    await expect(page.getByRole("heading", { name: "Nothing was used and nothing charged" })).toBeVisible();
  });
});

test("a cycle as it might have been", async ({ page, paddock, person, look }) => {
  // A figure needs an hour that is over: where a month has just begun here, it has not begun there.
  const bea = await person("Bea", { timezone: new Date().getUTCDate() === 1 ? "America/Los_Angeles" : "Europe/Berlin" });
  await bea.addProfile("Orchard");
  await bea.api("PUT", "/account/cost/figure", { amount: 10_000, currency: "eur", shares: { input: 50, data_records: 50 } });
  await page.goto(`${paddock.url}/console/cost/what-if`);
  await page.getByRole("combobox", { name: "Cycle" }).click();
  await page.getByRole("option", { name: "This cycle so far" }).click();
  await page.getByRole("button", { name: "Change a profile's part" }).click();
  await page.getByRole("combobox", { name: "Profile of change 1" }).click();
  await page.getByRole("option", { name: "Orchard" }).click();
  await page.getByRole("combobox", { name: "Service of change 1" }).click();
  await page.getByRole("option", { name: "Data input" }).click();
  await page.getByLabel("Amount of change 1").fill("50");
  await page.getByRole("button", { name: "Compare with another" }).click();
  await page.getByRole("combobox", { name: "Plan" }).last().click();
  await page.getByRole("option", { name: /^starter/ }).click();
  await page.getByRole("button", { name: "Work it out" }).click();
  await expect(page.getByRole("heading", { name: "What it would have cost" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Scenario B: Beyond the limits" })).toBeVisible();
  await expect(page.getByText("All that was really used would have fit.")).toHaveCount(2);
  const { lines } = await bea.api<{ lines: { real_micro: number; simulated_micro: number; item?: string }[] }>("POST", "/account/cost/simulate", {
    cycle: "current",
    plan: "starter",
    allocation: [{ profile: bea.profile, input: 50 }],
  });
  const plan = lines.find((line) => line.item === "starter");
  expect(plan?.real_micro).toBe(0);
  const row = page.getByRole("table", { name: "What it would have cost" }).getByRole("row", { name: /^starter/ });
  await expect(row).toContainText(count(Math.floor((plan?.simulated_micro ?? 0) / 1_000_000)));
  await look("what-if");
});
