// What the server costs is entered once, becomes a sum that adds up, and each line opens to its hours; then a rate card, what the
// customer's statement will be, and a budget.
import { expect, test } from "./fixtures.ts";

const ada = { name: "Ada Tester", email: "ada@example.test", password: "correct horse battery" };

test.use({
  house: "cost",
  // A month needs an hour that is over: where it began just now, the account lives where it has not begun.
  timezoneId: justBegun("Europe/Berlin") ? "America/Los_Angeles" : "Europe/Berlin",
});

test("from a figure to a statement and a budget", async ({ page, browser, paddock, look }) => {
  const api = async <T>(method: string, path: string, data?: unknown): Promise<T> => {
    const answer = await page.request.fetch(paddock.url + path, { method, headers: { Origin: paddock.url }, ...(data ? { data } : {}) });
    expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
    return ((await answer.json()) as { result: T }).result;
  };
  await test.step("at first there are no costs, and the page says why", async () => {
    await page.goto(paddock.setupLink);
    await page.getByLabel("Your name").fill(ada.name);
    await page.getByLabel("E-mail").fill(ada.email);
    await page.getByLabel(/^Password/).fill(ada.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Cost" }).click();
    await expect(page.getByRole("heading", { name: "Nothing is charged" })).toBeVisible();
    // Nothing of plans on one's own server.
    await expect(page.getByRole("link", { name: "Subscription" })).toHaveCount(0);
    await expect(page.getByRole("link", { name: "Invoices" })).toHaveCount(0);
  });

  await test.step("the figure becomes a sum that adds up", async () => {
    await page.getByLabel("A month").fill("100");
    await page.getByLabel(/^Currency/).fill("EUR");
    const save = page.getByRole("button", { name: "Save" });
    await page.getByLabel("SMS").fill("1");
    await expect(page.getByText("Together 101 %, it must be 100 %.")).toBeVisible();
    await expect(save).toBeDisabled();
    await page.getByLabel("SMS").fill("0");
    await save.click();
    await expect(page.getByRole("button", { name: "Remove the figure…" })).toBeVisible();
    await page.getByRole("combobox", { name: "Shared by" }).click();
    await page.getByRole("option", { name: "Allocation" }).click();
    await expect(page.getByText(/✓ Adds up, checked at \d\d:\d\d/)).toBeVisible(); // all computed once more
    const rows = page.getByRole("row");
    await expect(rows.filter({ hasText: "Unallocated" })).toBeVisible();
  });

  await test.step("the figures are those of the API, and add up by hand", async () => {
    const { result } = await (await page.request.get(`${paddock.url}/account/cost?group_by=profile&basis=allocation&spread=none`)).json();
    const rows = await page.getByRole("row").evaluateAll((all) => all.map((row) => row.querySelector("td")?.textContent ?? ""));
    const micro = (text: string): number => Math.round(Number(text.replace(/[€,]/g, "")) * 1_000_000);
    const shown = rows.filter((text) => text.includes("€")).map(micro);
    const total = shown.pop();
    expect(total).toBe(result.total_micro);
    expect(shown).toEqual(result.lines.map((line: { micro: number }) => line.micro));
    expect(shown.reduce((all, n) => all + n, 0)).toBe(total);
    const parts = await page.getByLabel("The sum in one line").locator("dd").allTextContents();
    expect(parts.map((text) => micro(text.replace(/[+=−]/g, "")))).toEqual([result.profiles_micro, result.unallocated_micro, result.total_micro]);
  });

  await test.step("by service and by day, and as a file", async () => {
    await page.getByRole("combobox", { name: "What no profile has" }).click();
    await page.getByRole("option", { name: "Spread evenly" }).click();
    await page.getByRole("row").getByRole("button", { name: ada.name }).click();
    await expect(page.getByRole("row").filter({ hasText: "Data input, part of what nobody has" })).toBeVisible();
    await page.getByRole("button", { name: "Keep this choice" }).click();
    await expect(page.getByRole("button", { name: "Keep this choice" })).toHaveCount(0);
    await page.getByText("Services", { exact: true }).click();
    await expect(page.getByRole("button", { name: "Data records" })).toBeVisible();
    await expect(page.getByText("✓ Adds up")).toBeVisible();
    await page.getByText("Days", { exact: true }).click();
    await expect(page.getByRole("img", { name: /What each of \d+ days costs/ })).toBeVisible();
    await expect(page.getByText("✓ Adds up")).toBeVisible();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download CSV" }).click();
    expect((await download).suggestedFilename()).toMatch(/^cost-.*\.csv$/);
  });

  await test.step("a line opens to its days and hours", async () => {
    await page.goto(`${paddock.url}/console/cost?basis=allocation&spread=none`);
    await page.getByRole("button", { name: "Unallocated" }).click();
    await page.getByRole("link", { name: "Data records" }).first().click();
    await expect(page.getByRole("heading", { name: /^Data records/ })).toBeVisible();
    await expect(page.getByRole("columnheader", { name: "This line" })).toBeVisible();
    await expect(page.getByText("✓ Adds up")).toBeVisible();
  });

  await test.step("a rate card makes the preview of a statement", async () => {
    const ways = page.getByRole("navigation", { name: "Pages about money" });
    await ways.getByRole("link", { name: "Statements" }).click();
    await expect(page.getByRole("heading", { name: "No rate card yet" })).toBeVisible();
    await page.getByRole("link", { name: "New rate card" }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Standard");
    await page.getByLabel("Fee a month").fill("12");
    await page.getByLabel("Data input: Price").fill("0.5");
    await page.getByLabel("Data input: For each").fill("1000");
    await page.getByRole("textbox", { name: "Tax", exact: true }).fill("19");
    await page.getByLabel("What the tax is called").fill("VAT 19 %");
    await page.getByRole("textbox", { name: "Customer", exact: true }).fill("North Ltd");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("link", { name: "Standard" })).toBeVisible();
    await ways.getByRole("link", { name: "Statements" }).click();
    const month = await page.evaluate(() => {
      const day = new Date();
      return `${day.getFullYear()}-${String(day.getMonth() + 1).padStart(2, "0")}`;
    });
    await page.getByLabel("Month").fill(month);
    await expect(page.getByText("A preview: statements of this month can be issued from")).toBeVisible();
    await expect(page.getByRole("button", { name: "Issue all" })).toHaveCount(0);
    await page.getByRole("button", { name: `Preview the statement of ${ada.name}` }).click();
    await expect(page.getByRole("cell", { name: /^Monthly fee( for \d+ of \d+ hours)?$/ })).toBeVisible();
    await expect(page.getByRole("cell", { name: "VAT 19 %", exact: true })).toBeVisible();
  });

  await test.step("my prices beside what it costs me", async () => {
    await page.getByRole("navigation", { name: "Pages about money" }).getByRole("link", { name: "Cost" }).click();
    await page.getByText("My prices", { exact: true }).click();
    const row = page.getByRole("row", { name: new RegExp(`^${ada.name}`) });
    await expect(row).toContainText(/€.*€.*€/); // cost, price, margin
  });

  await test.step("a budget", async () => {
    await page.getByRole("navigation", { name: "Pages about money" }).getByRole("link", { name: "Budgets" }).click();
    await expect(page.getByRole("heading", { name: "No budget yet" })).toBeVisible();
    await page.getByLabel("A cycle, in EUR").fill("80");
    await page.getByRole("button", { name: "Add the budget" }).click();
    const budget = page.getByRole("article", { name: "The whole account" });
    await expect(budget.getByText("of €80.00 so far")).toBeVisible();
    await expect(budget.getByText("Expected above")).toBeVisible(); // a hundred a month
    await budget.getByRole("button", { name: "Change the budget of The whole account" }).click();
    await page.getByRole("dialog").getByLabel("A cycle, in EUR").fill("120");
    await page.getByRole("dialog").getByLabel("Tell me at (%)").fill("90");
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await expect(budget.getByText("Expected above")).toHaveCount(0);
    await expect(budget.getByText("You are told at 90 %")).toBeVisible();
  });

  await test.step("the profile's page has its part, and the figure can go", async () => {
    await page.goto(`${paddock.url}/console/`);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Profiles & Teams" }).click();
    await expect(page.getByText("Only you, the owner, see this.")).toBeVisible();
    await expect(page.getByText("At the end of the cycle").first()).toBeVisible();
    await page.getByRole("link", { name: "All costs of the account" }).click();
    await page.getByRole("button", { name: "Remove the figure…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await expect(page.getByRole("button", { name: "Remove the figure…" })).toHaveCount(0);
    await expect(page.getByText("✓ Adds up")).toBeVisible(); // what was charged stays
  });

  await test.step("an account with a plan sees prices before the click, and no invoice where nothing is paid", async () => {
    const { account } = await api<{ account: { id: string } }>("GET", "/session");
    await api("PUT", `/billing/account/${account.id}/plan`, { plan: "starter", charge: "none", reason: "A customer now" });
    await page.goto(`${paddock.url}/console/cost/subscription`);
    await expect(page.getByRole("heading", { name: "Plan: starter" })).toBeVisible();
    await page.getByRole("combobox", { name: "Data input" }).click();
    await page.getByRole("option").nth(1).click();
    await expect(page.getByText(/ now$/).last()).toBeVisible();
    await look("subscription");
    await page.getByRole("button", { name: "Choose scale" }).click();
    await expect(page.getByRole("dialog").getByText(/is charged now for the rest of this cycle/)).toBeVisible();
    await page.getByRole("dialog").getByRole("button", { name: "Change", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Plan: scale" })).toBeVisible();
    await page.getByRole("button", { name: "Choose starter" }).click();
    await expect(page.getByRole("dialog").getByText("Nothing is charged now.")).toBeVisible();
    await page.getByRole("dialog").getByRole("button", { name: "Change", exact: true }).click();
    await expect(page.getByText("The plan becomes starter.")).toBeVisible();
    await page.getByRole("button", { name: "Cancel these changes" }).click();
    await expect(page.getByText("The plan becomes starter.")).toHaveCount(0);
    await page.getByRole("link", { name: "Invoices" }).click();
    await expect(page.getByRole("heading", { name: "No invoice yet" })).toBeVisible(); // nothing has to be paid here
  });

  await test.step("nobody sees any of it without signing in", async () => {
    const other = await (await browser.newContext({ locale: "en-GB" })).newPage();
    await other.goto(`${paddock.url}/console/cost`);
    await expect(other.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await other.context().close();
  });
});

/** Whether a month began there within the last two hours. */
function justBegun(zone: string): boolean {
  const parts = new Intl.DateTimeFormat("en", { day: "numeric", hour: "numeric", hourCycle: "h23", timeZone: zone }).formatToParts();
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value);
  return part("day") === 1 && part("hour") < 2;
}
