// A profile is added and sends its first point, is set up in one page, given a token that is tried and revoked, and paused: what
// Profiles & Teams is for. What is clicked often is counted.
import sdk from "@tago-io/sdk";
import { expect, test } from "./fixtures.ts";
import { countClicks, type Person } from "./person.ts";

test.use({ house: "settings" });

test("from adding a profile to its last resort", async ({ page, paddock, person, complaints, look }) => {
  const ada = await person("Ada Owner", { operator: true });
  await ada.api("PUT", `/billing/account/${ada.id}/plan`, { plan: "scale", charge: "none", reason: "A test" });
  let profile = "";

  await test.step("a new profile takes what was said before, and its first point arrives within six clicks", async () => {
    await page.goto(`${paddock.url}/console/profiles`);
    const clicks = await countClicks(page);
    await page.getByRole("link", { name: "Add Profile" }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Farm North");
    const takes = page.getByRole("region", { name: "What it takes" });
    await expect(takes.getByRole("row", { name: /Data input .*from Ada Owner/ })).toContainText("200,000");
    await page.getByRole("button", { name: "Add Profile" }).click();
    await expect(page.getByRole("heading", { name: "Farm North is ready" })).toBeVisible();
    await page.getByLabel("Name of the device").fill("Weather mast");
    await page.getByRole("button", { name: "Create device" }).click();
    const panel = page.getByTestId("first-point");
    await expect(panel).toHaveAttribute("data-state", "waiting");
    await look("profile-added");
    await page.getByRole("button", { name: "Copy the curl line" }).click();
    await send(await page.evaluate(() => navigator.clipboard.readText()));
    await expect(panel).toHaveAttribute("data-state", "received");
    await expect(panel).toContainText("temperature = 21.5 °C");
    expect(await clicks(), "clicks from the list of profiles to a new one's first point").toBeLessThanOrEqual(6);
    const rows = await ada.api<{ id: string; name: string }[]>("GET", "/profile");
    profile = rows.find((row) => row.name === "Farm North")?.id ?? "";
    const [given] = await ada.api<{ profile: string; input: number }[]>("GET", "/account/allocation").then((all) =>
      all.filter((row) => row.profile === profile),
    );
    expect(given?.input).toBe(200_000);
  });

  await test.step("renamed in place, given a colour", async () => {
    await page.goto(`${paddock.url}/console/p/${profile}/profile`);
    await page.getByRole("button", { name: "Rename" }).click();
    await page.keyboard.type(", by the sea");
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Farm West");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Farm West", level: 2 })).toBeVisible();
    await expect(page).toHaveTitle("Profile · Farm West · Paddock");
    await page.getByRole("radio", { name: "Sea" }).check();
    await expect.poll(async () => (await about(ada, profile)).color).toBe("#1d6a8a");
  });

  await test.step("reference, tags, amounts and policies are saved at once; what is too much is marked in its cell", async () => {
    await page.getByLabel("Customer reference").fill("C-1042");
    await page.getByRole("button", { name: "Add a tag" }).click();
    await page.getByLabel("Key of tag 1").fill("customer");
    await page.getByLabel("Value of tag 1").fill("West");
    await page.getByLabel("Allocation of Data input").fill("5000000");
    await page.getByLabel("At the limit of Data input").selectOption("Draw from the pool");
    const unsaved = page.getByRole("region", { name: "Not saved yet" });
    await expect(unsaved).toContainText("4 changes are not saved yet");
    await unsaved.getByRole("button", { name: "Save" }).click();
    const cell = page.getByRole("row", { name: /Data input/ });
    await expect(cell).toContainText("the account has 1000000");
    complaints.expected("400 POST /account/allocation");
    expect((await about(ada, profile)).reference).toBeNull();
    await look("profile-refused");

    await page.getByRole("link", { name: "Tokens" }).click();
    await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Stay" }).click();
    await page.getByLabel("Allocation of Data input").fill("150000");
    await unsaved.getByRole("button", { name: "Save" }).click();
    await expect(unsaved).toHaveCount(0);
    await expect(page.getByText("Saved.")).toBeVisible();
    await expect(cell).toContainText("150,000");
    expect(await about(ada, profile)).toMatchObject({ reference: "C-1042", tags: [{ key: "customer", value: "West" }] });
    expect(await ada.api("GET", `/profile/${profile}/policies`, undefined, profile)).toMatchObject({ input: "pool" });
  });

  await test.step("what is refused midway says what was saved and what not, and keeps what was typed", async () => {
    const reference = page.getByLabel("Customer reference");
    await page.getByLabel("Allocation of Data input").fill("140000");
    await page.getByLabel("At the limit of Data input").selectOption("Block");
    await reference.fill("C-10\u00042");
    const unsaved = page.getByRole("region", { name: "Not saved yet" });
    await unsaved.getByRole("button", { name: "Save" }).click();
    await expect(unsaved.getByRole("alert")).toContainText(/Request id \S+/);
    complaints.expected(`400 PUT /profile/${profile}`);
    await expect(unsaved).toContainText("Saved: Allocation. Not saved: Customer reference, At the limit.");
    await expect(unsaved).toContainText("2 changes are not saved yet");
    await expect(page.getByLabel("Allocation of Data input")).toHaveValue("140,000");
    await expect(reference).toHaveValue("C-10\u00042");
    await expect(page.getByLabel("At the limit of Data input")).toHaveValue("block");
    expect(await about(ada, profile)).toMatchObject({ reference: "C-1042" });
    expect(await ada.api("GET", `/profile/${profile}/policies`, undefined, profile)).toMatchObject({ input: "pool" });
    await look("profile-midway");
    await reference.fill("C-2");
    await unsaved.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Saved.", { exact: true })).toBeVisible();
    await expect(unsaved).toHaveCount(0);
    expect(await about(ada, profile)).toMatchObject({ reference: "C-2" });
    expect(await ada.api("GET", `/profile/${profile}/policies`, undefined, profile)).toMatchObject({ input: "block" });
  });

  await test.step("where no answer comes, what may be saved is not called unsaved", async () => {
    await page.getByLabel("Allocation of Data input").fill("130000");
    await page.getByLabel("Customer reference").fill("C-3");
    await page.route(`**/profile/${profile}`, (route) => (route.request().method() === "PUT" ? route.abort() : route.continue()));
    const unsaved = page.getByRole("region", { name: "Not saved yet" });
    await unsaved.getByRole("button", { name: "Save" }).click();
    await expect(unsaved).toContainText("Saved: Allocation. Perhaps not saved: Customer reference.");
    complaints.expected("failed: PUT");
    await page.unroute(`**/profile/${profile}`);
    await unsaved.getByRole("button", { name: "Save" }).click();
    await expect(unsaved).toHaveCount(0);
    expect(await about(ada, profile)).toMatchObject({ reference: "C-3" });
  });

  await test.step("a token is generated, tried, used and revoked", async () => {
    await page.getByRole("link", { name: "Tokens" }).click();
    await expect(page.getByRole("heading", { name: "No token yet" })).toBeVisible();
    await page.getByRole("button", { name: "Generate Token" }).click();
    const dialog = page.getByRole("dialog", { name: "Generate a token" });
    await dialog.getByLabel("Name").fill("Nightly report");
    await dialog.getByLabel("Permission").selectOption("Read");
    await dialog.getByLabel("Expires").selectOption("In a week");
    await dialog.getByLabel("Your password").fill("wrong horse");
    await dialog.getByRole("button", { name: "Generate Token" }).click();
    await expect(dialog.getByRole("alert")).toContainText("Invalid password");
    complaints.expected("401 POST /profile/");
    await dialog.getByLabel("Your password").fill(ada.password);
    await dialog.getByRole("button", { name: "Generate Token" }).click();
    await dialog.getByRole("button", { name: "Copy the token" }).click();
    const token = await page.evaluate(() => navigator.clipboard.readText());
    expect(token).toMatch(/^p-[0-9a-f-]{36}$/);
    await dialog.getByRole("button", { name: "Test it now" }).click();
    await expect(dialog).toContainText("It reaches Farm West.");
    await dialog.getByRole("button", { name: "Done" }).click();

    // The official client, with nothing but its base URL changed.
    const client = new sdk.Account({ token, region: { api: paddock.url, sse: paddock.url } });
    expect((await client.devices.list()).map(({ name }) => name)).toHaveLength(1);
    const row = page.getByRole("row", { name: /Nightly report/ });
    await expect(row).toContainText("from 127.0.0.1");
    await expect(row).toContainText("Expires soon");
    await row.getByRole("button", { name: "Revoke Nightly report" }).click();
    const revoke = page.getByRole("dialog", { name: "Revoke Nightly report?" });
    await expect(revoke).toContainText(/It was last used .* from 127\.0\.0\.1\./);
    await revoke.getByRole("button", { name: "Revoke" }).click();
    await expect(page.getByRole("heading", { name: "No token yet" })).toBeVisible();
    await expect(client.devices.list()).rejects.toMatch(/Authorization|token/i);
  });

  await test.step("it is paused with a reason, and resumed", async () => {
    await page.getByRole("link", { name: "More", exact: true }).click();
    await page.getByRole("button", { name: "Pause the profile…" }).click();
    await page.getByLabel("Reason").fill("Winter break");
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await expect(page.getByText("Paused: Winter break", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Resume the profile" }).click();
    await expect(page.getByRole("button", { name: "Pause the profile…" })).toBeVisible();
    expect((await about(ada, profile)).paused).toBe(false);
  });
});

interface About {
  color: string | null;
  reference: string | null;
  tags: { key: string; value: string }[];
  paused: boolean;
}

const about = async (who: Person, profile: string): Promise<About> =>
  (await who.api<{ info: About }>("GET", `/profile/${profile}`, undefined, profile)).info;

/** Sends what a curl line says. */
async function send(line: string): Promise<void> {
  const [, url = ""] = /-X POST (\S+)/.exec(line) ?? [];
  const [, token = ""] = /'token: ([^']+)'/.exec(line) ?? [];
  const [, body = ""] = /-d '([^']+)'/.exec(line) ?? [];
  const answer = await fetch(url, { method: "POST", headers: { token, "Content-Type": "application/json" }, body });
  expect(await answer.json()).toMatchObject({ status: true });
}
