// The frame around every page: switching, searching, what stands where a profile is not, an expired session, and what somebody sees who
// works in one profile of somebody else.
import type { Browser, Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { appCode, countClicks, makePerson } from "./person.ts";

test.use({ house: "frame" });
test.describe.configure({ mode: "serial" });

/** A second browser. */
async function other(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce" });
  return context.newPage();
}

test("switching and searching", async ({ page, paddock, mailbox, look }) => {
  const ada = await makePerson(page, paddock, mailbox, "Ada Frame", { operator: true });
  const names = ["Harbour", "Orchard", "Old Mill", "Quarry", "Bakery", "Station"];
  const ids: Record<string, string> = {};
  for (const name of names) ids[name] = await ada.addProfile(name);
  const id = (name: string): string => ids[name] ?? "";
  await ada.api("PUT", `/profile/${id("Harbour")}`, { color: "#1d6a8a", reference: "C-1042" });
  const pump = await ada.addDevice(id("Orchard"), "Pump 7", { serie_number: "SN-4711" });

  await test.step("the colour stripes the frame, and a switch keeps the page: 2 clicks", async () => {
    await page.goto(`${paddock.url}/console/p/${id("Harbour")}/devices`);
    await expect(page.getByTestId("stripe")).toBeVisible();
    await expect(page).toHaveTitle(/Harbour/);
    const clicks = await countClicks(page);
    await page.getByRole("button", { name: /Switch profile/ }).click();
    await page.getByRole("option", { name: /^Orchard/ }).click();
    await expect(page).toHaveURL(new RegExp(`/p/${id("Orchard")}/devices$`));
    await expect(page.getByTestId("stripe")).toBeHidden();
    expect(await clicks()).toBeLessThanOrEqual(2);
  });

  await test.step("and what is looked for there, but no page and nothing that is of one profile", async () => {
    const query = (): Record<string, string> => Object.fromEntries(new URL(page.url()).searchParams);
    const change = async (from: string, to: string): Promise<void> => {
      await page.getByRole("button", { name: /Switch profile/ }).click();
      await page.getByRole("option", { name: new RegExp(`^${to}`) }).click();
      await expect(page).toHaveURL(new RegExp(`/p/${id(to)}/${from}`));
    };
    await page.goto(`${paddock.url}/console/p/${id("Harbour")}/devices?search=Pump&tag=kind%3Dwell&state=active&silent=never&sort=-last_input&page=3`);
    await expect(page.getByText("There is nothing on this page of the list.")).toBeVisible();
    await change("devices", "Orchard");
    expect(query()).toEqual({ search: "Pump", tag: "kind=well", state: "active", silent: "never", sort: "-last_input" });
    await expect(page.getByRole("searchbox", { name: "Find by name or serial" })).toHaveValue("Pump");

    await page.goto(`${paddock.url}/console/p/${id("Harbour")}/usage?service=output&range=week&step=hour`);
    await expect(page.getByRole("heading", { name: "Usage Statistics" })).toBeVisible();
    await change("usage", "Orchard");
    expect(query()).toEqual({ service: "output", range: "week", step: "hour" });

    await page.goto(`${paddock.url}/console/p/${id("Harbour")}/auditlog?range=month&resource=device&find=Pump&who=${ada.id}`);
    await expect(page.getByRole("heading", { name: "Audit Log" })).toBeVisible();
    await change("auditlog", "Orchard");
    expect(query()).toEqual({ range: "month", resource: "device", find: "Pump" });

    await page.goto(`${paddock.url}/console/p/${id("Orchard")}/devices/${pump.id}?range=7d`);
    await expect(page.getByRole("heading", { name: "Pump 7" })).toBeVisible();
    await change("devices", "Harbour");
    expect(query()).toEqual({});
  });

  await test.step("from a device, the list of devices of the other profile: 3 keys", async () => {
    await page.goto(`${paddock.url}/console/p/${id("Orchard")}/devices/${pump.id}`);
    await expect(page.getByRole("heading", { name: "Pump 7" })).toBeVisible();
    await page.keyboard.press("Alt+P");
    await expect(page.getByRole("textbox", { name: "Find a profile" })).toBeFocused();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown"); // the first of the recent ones is this one
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(new RegExp(`/p/${id("Harbour")}/devices$`));
  });

  await test.step("a profile is pinned in place, and stays at the top", async () => {
    await page.getByRole("button", { name: /Switch profile/ }).click();
    await page.getByTestId(`pin-${id("Station")}`).click();
    await expect(page.getByRole("option").first()).toContainText("Station");
    await look("switcher", { fullPage: false });
    await page.keyboard.press("Escape");
    await page.reload();
    await page.getByRole("button", { name: /Switch profile/ }).click();
    await expect(page.getByRole("option").first()).toContainText("Station");
    await page.getByRole("textbox", { name: "Find a profile" }).fill("c-10");
    await expect(page.getByRole("option", { name: /Harbour/ })).toBeVisible();
    await expect(page.getByRole("option", { name: /Quarry/ })).toBeHidden();
    await page.keyboard.press("Escape");
  });

  await test.step("a name and Enter open the profile it fits", async () => {
    await page.getByRole("button", { name: /Switch profile/ }).click();
    await page.getByRole("textbox", { name: "Find a profile" }).fill("quarr");
    await expect(page.getByRole("option", { name: /Quarry/ })).toHaveAttribute("data-combobox-selected", "true");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(new RegExp(`/p/${id("Quarry")}/devices`));
  });

  await test.step("on a phone the tab one is on is in sight", async () => {
    const before = page.viewportSize();
    await page.setViewportSize({ width: 375, height: 720 });
    await page.goto(`${paddock.url}/console/p/${id("Quarry")}/more`);
    await expect(page.getByRole("link", { name: "More", exact: true })).toBeInViewport({ ratio: 0.9 });
    if (before) await page.setViewportSize(before);
  });

  await test.step("a name that no profile has opens nothing", async () => {
    await page.getByRole("button", { name: /Switch profile/ }).click();
    await page.getByRole("textbox", { name: "Find a profile" }).fill("nowhere");
    await expect(page.getByText("No profile of that name")).toBeVisible();
    await page.keyboard.press("Enter");
    await expect(page.getByText("No profile of that name")).toBeVisible();
    await page.keyboard.press("Escape");
  });

  await test.step("a device is found by its serial number with one search", async () => {
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: "Search" });
    await expect(field).toBeFocused();
    await field.fill("sn-4711");
    const hit = page.getByRole("option", { name: /Pump 7.*serial SN-4711.*Orchard/ });
    await expect(hit).toHaveAttribute("aria-selected", "true");
    await look("search", { fullPage: false });
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(new RegExp(`/p/${id("Orchard")}/devices/${pump.id}`));
  });

  await test.step("so are pages, profiles, people and what was opened last", async () => {
    await page.getByRole("button", { name: "Search" }).click();
    const field = page.getByRole("combobox", { name: "Search" });
    await expect(page.getByRole("group", { name: "Recent" }).getByRole("option", { name: /Pump 7/ })).toBeVisible();
    await field.fill("audit");
    await page.getByRole("option", { name: /Audit Log/ }).click();
    await expect(page).toHaveURL(new RegExp(`/p/${id("Orchard")}/auditlog`));
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search" }).fill("quarr");
    await expect(page.getByRole("option", { name: /Quarry/ })).toBeVisible();
    await page.getByRole("combobox", { name: "Search" }).fill("no such thing");
    await expect(page.getByText("Nothing is called “no such thing” in what you may see.")).toBeVisible();
    await page.keyboard.press("Escape");
  });

  await test.step("dark is chosen in the account menu and kept", async () => {
    await page.getByRole("button", { name: /^Account of/ }).click();
    await page.getByText("Dark", { exact: true }).click();
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "dark");
    await page.reload();
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "dark");
    await page.getByRole("button", { name: /^Account of/ }).click();
    await page.getByText("Auto", { exact: true }).click();
    await page.keyboard.press("Escape");
  });

  await test.step("on a phone the frame has room for all of it", async () => {
    await page.setViewportSize({ width: 375, height: 720 });
    await expect(page.getByRole("button", { name: "Search" })).toBeVisible();
    await expect(page.getByRole("button", { name: /^Account of/ })).toBeVisible();
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    await page.setViewportSize({ width: 1280, height: 860 });
  });
});

test("where a profile is not", async ({ page, paddock, mailbox, browser, complaints, look }) => {
  const bob = await makePerson(page, paddock, mailbox, "Bob Frame");
  const second = await other(browser);
  const eve = await makePerson(second, paddock, mailbox, "Eve Frame");
  const at = (profile: string): string => `${paddock.url}/console/p/${profile}/devices`;

  await test.step("nobody learns whether it is somebody else's", async () => {
    for (const profile of [eve.profile, "0123456789abcdef01234567"]) {
      await page.goto(at(profile));
      await expect(page.getByRole("heading", { name: "You cannot open this profile" })).toBeVisible();
      await expect(page.getByText(bob.email, { exact: true })).toBeVisible();
      await expect(page.getByRole("button", { name: "Sign in with another account" })).toBeVisible();
    }
    await look("no-access");
  });

  await test.step("a deleted one is restored where it was", async () => {
    const shed = await bob.addProfile("Shed");
    await bob.api("DELETE", `/profile/${shed}`, { password: bob.password });
    await page.goto(at(shed));
    await expect(page.getByRole("heading", { name: "Shed is deleted" })).toBeVisible();
    await page.reload();
    await page.getByRole("button", { name: "Restore this profile" }).click();
    await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
  });

  await test.step("one that was handed over says to whom, and leads to the transfer", async () => {
    const gift = await bob.addProfile("Gift");
    const made = await bob.api<{ id: string }>("POST", `/profile/${gift}/transfer`, { email: eve.email, password: bob.password });
    await eve.api("POST", `/transfer/${made.id}/accept`, { password: eve.password });
    await page.goto(at(gift));
    await expect(page.getByRole("heading", { name: "Gift has a new owner" })).toBeVisible();
    await expect(page.getByText(`handed over to ${eve.email}`)).toBeVisible();
    await page.getByRole("link", { name: "Look at the transfer" }).click();
    await expect(page).toHaveURL(new RegExp(`/transfer/${made.id}`));
  });

  await test.step("a paused one says why and who can resume it", async () => {
    await bob.api("POST", `/profile/${bob.profile}/pause`, { reason: "Winter" });
    await page.goto(at(bob.profile));
    const banner = page.getByTestId("paused");
    await expect(banner).toContainText("This profile is paused: Winter");
    await expect(banner).toContainText("You can resume it.");
    await look("paused");
    await banner.getByRole("button", { name: "Resume" }).click();
    await expect(banner).toBeHidden();
  });

  await test.step("a page that is not there is another thing", async () => {
    await page.goto(`${paddock.url}/console/nothing/here`);
    await expect(page.getByRole("heading", { name: "Page not found" })).toBeVisible();
  });

  await test.step("an expired session asks for password and code, and loses nothing typed", async () => {
    const setup = await bob.api<{ secret: string }>("POST", "/account/otp/authenticator/enable", { email: bob.email, password: bob.password });
    await bob.api("POST", "/account/otp/authenticator/confirm", { email: bob.email, password: bob.password, pin_code: appCode(setup.secret) });
    await page.goto(`${paddock.url}/console/p/${bob.profile}/devices/add`);
    await page.getByLabel("Name", { exact: false }).first().fill("Half typed");
    await page.context().clearCookies();
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText("Your session has ended");
    await dialog.getByLabel(/^Password/).fill(bob.password);
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await expect(dialog.getByLabel(/^Code/)).toBeFocused();
    complaints.expected("401 POST /session");
    await dialog.getByLabel(/^Code/).fill(appCode(setup.secret, 1));
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await expect(dialog).toBeHidden();
    await expect(page.getByLabel("Name", { exact: false }).first()).toHaveValue("Half typed");
    for (const line of complaints.seen.splice(0)) expect(line).toMatch(/^401 GET /);
  });
  await second.context().close();
});

test("somebody with one profile of somebody else", async ({ page, paddock, mailbox, browser }) => {
  const ann = await makePerson(page, paddock, mailbox, "Ann Frame");
  await ann.addDevice(ann.profile, "Trough", { tags: [{ key: "site", value: "north" }] });
  const guest = { email: `guest.${process.pid}@example.test`, name: "Gil Guest", password: "battery horse correct" };
  await ann.api("POST", `/profile/${ann.profile}/team`, {
    email: guest.email,
    role: "viewer",
    within: { devices: { tags: [{ key: "site", value: "north" }] } },
  });
  const link = await mailbox.link(guest.email, "team/accept");
  const second = await other(browser);

  await test.step("the invitation says in a sentence what one would be, and leads into the profile", async () => {
    await second.goto(link);
    await expect(second.getByText("You would be a viewer of “Ann Frame”")).toContainText("Sees devices with the tag site = north");
    await second.getByLabel("Your name").fill(guest.name);
    await second.getByLabel(/^Password/).fill(guest.password);
    await second.getByRole("button", { name: "Make the account and accept" }).click();
    await second.getByRole("link", { name: "Go to the profile" }).click();
    await expect(second.getByRole("link", { name: "Trough" })).toBeVisible();
  });

  await test.step("it is all there is: nothing to choose, nothing to pay", async () => {
    await second.goto(`${paddock.url}/console/`);
    await expect(second).toHaveURL(new RegExp(`/p/${ann.profile}/?$`));
    const menu = second.getByRole("navigation", { name: "Pages" });
    await expect(menu.getByRole("link", { name: "Devices" })).toBeVisible();
    for (const name of ["All profiles", "Cost", "Allocation", "Staff", "Transfers"]) await expect(menu.getByRole("link", { name })).toHaveCount(0);
    await second.getByRole("button", { name: /Switch profile/ }).click();
    await expect(second.getByRole("option")).toHaveCount(1);
    await second.keyboard.press("Escape");
  });

  await test.step("a link that was used asks for a new invitation with one click", async () => {
    await ann.api("DELETE", `/profile/${ann.profile}/team/${(await ann.api<{ id: string }[]>("GET", `/profile/${ann.profile}/team`))[0]?.id}`);
    await second.goto(link);
    await second.getByRole("button", { name: "Ask for a new invitation" }).click();
    await expect(second.getByRole("heading", { name: "Asked" })).toBeVisible();
    await page.goto(`${paddock.url}/console/notifications`);
    await expect(page.getByText(`${guest.email} asks for a new invitation`)).toBeVisible();
  });
  await second.context().close();
});
