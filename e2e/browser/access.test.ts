// Somebody looks at a chart in a shared profile and loses the profile: removed from its team, and once more by its deletion. The
// page says so by itself, and nothing that it had read can be reached any more.
import { type Browser, type Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";

const gus = { name: "Gus Guest", email: "gus@example.test", password: "battery horse correct" };

test.use({ house: "access" });

test("a profile is lost while somebody looks at it", async ({ page, browser, paddock, mailbox, person, look }) => {
  const ada = await person("Ada Tester", { operator: true });
  const sent = 41.73; // a number that is nowhere else on the pages
  let account = "";
  const joins = async (other: Page, profile: string): Promise<void> => {
    await ada.api("POST", `/profile/${profile}/team`, { email: gus.email, role: "viewer" }, profile);
    await other.goto(await mailbox.link(gus.email, "team/accept"));
  };

  const farm = await ada.addProfile("Farm");
  const device = await ada.addDevice(farm, "Barn sensor");
  const says = async (value: number): Promise<void> => {
    const answer = await fetch(`${paddock.url}/data`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Device-Token": device.token },
      body: JSON.stringify([{ variable: "temperature", value, unit: "°C" }]),
    });
    expect(answer.status).toBeLessThan(300);
  };
  await says(sent);

  const other = await visitor(browser);
  const asked: string[] = [];
  other.on("response", (response) => {
    asked.push(`${response.status()} ${response.request().method()} ${new URL(response.url()).pathname}`);
  });
  await joins(other, farm);
  await other.getByLabel("Your name").fill(gus.name);
  await other.getByLabel(/^Password/).fill(gus.password);
  await other.getByRole("button", { name: "Make the account and accept" }).click();
  await other.getByRole("link", { name: "Go to the profile" }).click();

  const looks = async (): Promise<void> => {
    await other.getByRole("link", { name: "Barn sensor" }).click();
    await other.getByRole("tab", { name: "Data" }).click();
    await expect(other.locator("canvas").first()).toBeVisible();
    await expect(other.getByText(String(sent)).first()).toBeVisible();
  };
  const gone = async (name: string): Promise<void> => {
    await expect(other.getByRole("heading", { name: `You no longer have access to ${name}` })).toBeVisible();
    await expect(other.getByText(String(sent))).toHaveCount(0);
    await expect(other.locator("canvas")).toHaveCount(0);
    await expect(other.getByText("Barn sensor")).toHaveCount(0);
    // No way leads into it any more, and none shows what was read.
    await expect(other.getByRole("navigation").getByRole("link", { name: "Devices" })).toHaveCount(0);
    await expect(other.getByRole("button", { name: new RegExp(`^${name}`) })).toHaveCount(0);
  };
  const noWayBack = async (name: string): Promise<void> => {
    await other.getByRole("link", { name: "All profiles" }).last().click();
    await expect(other.getByRole("heading", { name: "All profiles", exact: true })).toBeVisible();
    await expect(other.getByText(name, { exact: true })).toHaveCount(0);
    for (let steps = 0; steps < 3; steps++) {
      asked.length = 0;
      await other.goBack();
      await gone(name);
      // What is shown comes from nowhere: neither from memory nor from a request that could be answered.
      expect(asked.filter((line) => line.includes("/device"))).toEqual([]);
    }
    await other.reload();
    await expect(other.getByRole("heading", { name: "You cannot open this profile" })).toBeVisible();
    await expect(other.getByText(String(sent))).toHaveCount(0);
  };

  await test.step("a member is removed: the page that is open says so by itself", async () => {
    await expect(other.getByRole("heading", { name: "Devices" })).toBeVisible();
    await looks();
    account = ((await (await other.request.get(`${paddock.url}/session`)).json()) as { result: { account: { id: string } } }).result.account.id;
    asked.length = 0;
    await ada.api("DELETE", `/profile/${farm}/team/${account}`, undefined, farm);
    await says(sent + 1);
    await gone("Farm");
    await expect(other.getByText(String(sent + 1))).toHaveCount(0);
    await other.screenshot({ path: `screenshots/${test.info().project.name}/lost.png` });
    await noWayBack("Farm");
  });

  await test.step("who comes back has a page again", async () => {
    await joins(other, farm);
    await other.getByRole("button", { name: "Accept", exact: true }).click();
    await other.getByRole("link", { name: "Go to the profile" }).click();
    await expect(other.getByRole("heading", { name: "Devices" })).toBeVisible();
    await looks();
  });

  await test.step("somebody who looks away meanwhile sees it on coming back", async () => {
    // A page in which nothing goes on: neither a stream nor a question that is asked again and again.
    await other.getByRole("link", { name: "Profiles & Teams" }).click();
    await expect(other.getByRole("heading", { name: "Farm" })).toBeVisible();
    await ada.api("DELETE", `/profile/${farm}/team/${account}`, undefined, farm);
    await other.evaluate(() => window.dispatchEvent(new Event("focus")));
    await gone("Farm");
    await joins(other, farm);
    await other.getByRole("button", { name: "Accept", exact: true }).click();
    await other.getByRole("link", { name: "Go to the profile" }).click();
    await looks();
  });

  await test.step("the profile is deleted", async () => {
    await ada.api("DELETE", `/profile/${farm}`, { password: ada.password }, farm);
    await gone("Farm");
    await noWayBack("Farm");
  });

  await test.step("the owner who deleted it in one tab sees it in the other", async () => {
    const barn = await ada.addProfile("Barn");
    await page.goto(`${paddock.url}/console/p/${barn}/devices`);
    await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
    await ada.api("DELETE", `/profile/${barn}`, { password: ada.password }, barn);
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await expect(page.getByRole("heading", { name: "Barn is deleted" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Restore this profile" })).toBeVisible();
    await look("lost");
  });

  await other.context().close();
});

/** A browser of another person. */
async function visitor(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB" });
  return context.newPage();
}
