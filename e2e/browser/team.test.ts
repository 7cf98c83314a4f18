// A profile is shared: an invitation by mail to somebody without an account, one that is copied for somebody who has one,
// a change of terms, a removal, and leaving. Then staff: in the profiles with a tag, in all of them, in none.
import type { Browser, Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { countClicks } from "./person.ts";

const gus = { name: "Gus Guest", email: "gus@example.test", password: "battery horse correct" };

test.use({ house: "team" });

test("from an invitation to leaving", async ({ page, browser, paddock, mailbox, person, complaints, look }) => {
  const ada = await person("Ada Tester", { operator: true });
  let team = "";

  await test.step("the owner invites", async () => {
    await page.goto(`${paddock.url}/console/`);
    await expect(page.getByRole("link", { name: "Profiles & Teams" })).toBeVisible();
    const clicks = await countClicks(page);
    await page.getByRole("link", { name: "Profiles & Teams" }).click();
    await page.getByRole("link", { name: "Team", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Team" })).toBeVisible();
    await expect(page.getByText("Nobody else is here yet.")).toBeVisible();
    team = page.url();
    await page.getByLabel("E-mail").fill(gus.email);
    await page.getByRole("combobox", { name: "Role" }).focus();
    await page.keyboard.press("ArrowDown");
    await page.getByRole("option", { name: "Viewer" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("combobox", { name: "Role" })).toHaveValue("Viewer");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await expect(page.getByText(`${gus.email} is invited.`)).toBeVisible();
    expect(await clicks(), "clicks to invite somebody").toBeLessThanOrEqual(4);
    await expect(page.getByRole("row", { name: new RegExp(gus.email) })).toBeVisible();
  });

  const other = await visitor(browser);
  await test.step("the link shows who asks, and makes a guest on a click", async () => {
    await other.goto(await mailbox.link(gus.email, "team/accept"));
    await expect(other.getByRole("heading", { name: `${ada.name} invites you to the profile “${ada.name}”` })).toBeVisible();
    await expect(other.getByText(`You would be a viewer of “${ada.name}”: look at everything and change nothing.`)).toBeVisible();
    await other.getByLabel("Your name").fill(gus.name);
    await other.getByLabel(/^Password/).fill(gus.password);
    await other.screenshot({ path: shot("invitation") });
    await other.getByRole("button", { name: "Make the account and accept" }).click();
    await expect(other.getByRole("heading", { name: "You are in" })).toBeVisible();
    await other.getByRole("link", { name: "Go to the profile" }).click();
    await expect(other.getByRole("heading", { name: "Devices" })).toBeVisible();
    await other.getByRole("button", { name: /Switch profile/ }).click();
    await expect(other.getByRole("option", { name: /Shared, Viewer/ })).toBeVisible();
    await other.screenshot({ path: shot("switcher-shared") });
    await other.keyboard.press("Escape");
    // What is not theirs to change is switched off and says why.
    await expect(other.getByRole("button", { name: "Create device" })).toBeDisabled();
    await expect(other.getByText("This takes the role developer; you are a viewer here.")).toBeVisible();
    await other.getByRole("link", { name: "Profiles & Teams" }).click();
    await expect(other.getByRole("button", { name: "Rename" })).toBeDisabled();
    await expect(other.getByText("Only the owner sets amounts")).toBeVisible();
    await other.screenshot({ path: shot("profile-viewer"), fullPage: true });
    await other.getByRole("link", { name: "Profiles & Teams" }).click();
    await other.getByRole("link", { name: "Team", exact: true }).click();
    await expect(other.getByRole("cell", { name: gus.name })).toBeVisible();
    await expect(other.getByRole("heading", { name: "Invite a person" })).toHaveCount(0);
    await expect(other.getByText("Inviting somebody takes the role admin; you are a viewer here.")).toBeVisible();
    await other.screenshot({ path: shot("team-viewer"), fullPage: true });
    // One profile is all there is for them; a page of their own is there for who looks for it.
    await expect(other.getByRole("link", { name: "All profiles" })).toHaveCount(0);
    await other.goto(`${paddock.url}/console/profiles`);
    await expect(other.getByRole("heading", { name: "You own no profile" })).toBeVisible();
    await expect(other.getByRole("link", { name: "Own a profile" })).toBeVisible();
    await other.screenshot({ path: shot("profiles-guest") });
  });

  await test.step("a used link says so", async () => {
    await page.goto(`${paddock.url}/console/team/accept/nothing-of-the-kind`);
    await expect(page.getByRole("heading", { name: "No such invitation" })).toBeVisible();
    complaints.expected("404 GET /team/invitation/nothing-of-the-kind");
  });

  const third = await visitor(browser);
  const bob = await person("Bob Builder", { at: third });
  await test.step("a copied link asks for a sign-in, where mail proves addresses", async () => {
    await third.context().clearCookies();
    await page.goto(team);
    await page.getByLabel("E-mail").fill(bob.email);
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    const copy = page.getByRole("button", { name: `Copy link of the invitation of ${bob.email}` });
    await expect(copy).toBeVisible();
    await look("team");
    await copy.click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect(link).toContain(`${paddock.url}/console/team/accept/`);
    await third.goto(link);
    await expect(third.getByText("does not prove who you are")).toBeVisible();
    await third.getByLabel(/^Password/).fill(bob.password);
    await third.getByRole("button", { name: "Sign in" }).click();
    await third.getByRole("button", { name: "Accept", exact: true }).click();
    await expect(third.getByRole("heading", { name: "You are in" })).toBeVisible();
    await third.goto(link);
    await expect(third.getByRole("heading", { name: "Accepted already" })).toBeVisible();
  });

  await test.step("what cannot be withdrawn any more says so where it was clicked", async () => {
    const row = page.getByRole("row", { name: new RegExp(bob.email) });
    await row.getByRole("button", { name: `Withdraw the invitation of ${bob.email}` }).click();
    await expect(row.getByRole("alert")).toContainText(/Request id \S+/);
    await expect(row.getByRole("button", { name: "Copy for a report" })).toBeVisible();
    complaints.expected("404 DELETE /profile/");
    await look("team-refused");
  });

  await test.step("the owner changes what a member may do", async () => {
    await page.reload();
    const row = page.getByRole("row", { name: new RegExp(gus.name) });
    await page.getByRole("button", { name: `Change ${gus.name}` }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Until").fill("2099-12-31");
    await dialog.getByLabel("Only some devices").check();
    await dialog.getByLabel("Key of tag 1").fill("site");
    await dialog.getByLabel("Value of tag 1").fill("north");
    await look("team-change", { fullPage: false });
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(row.getByText("Sees devices with the tag site = north and all dashboards.")).toBeVisible();
    await expect(row.getByText("until 2099-12-31, 23:59:59")).toBeVisible();

    await page.getByRole("button", { name: `Change ${gus.name}` }).click();
    await expect(dialog.getByLabel("Until")).toHaveValue("2099-12-31");
    await expect(dialog.getByLabel("Value of tag 1")).toHaveValue("north");
    await dialog.getByRole("combobox", { name: "Role" }).click();
    await page.getByRole("option", { name: "Admin" }).click();
    await dialog.getByLabel("Until").fill("");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(row.getByRole("cell", { name: /^Admin/ })).toBeVisible();
    await expect(row.getByText("Sees")).toHaveCount(0);
    await expect(row.getByText("until")).toHaveCount(0);
  });

  await test.step("the owner removes a member, seeing what ends", async () => {
    await page.getByRole("button", { name: `Remove ${bob.name}` }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByText("No token ends.")).toBeVisible();
    await expect(dialog.getByText("signed-in browser", { exact: false })).toBeVisible();
    await look("team-remove", { fullPage: false });
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await expect(page.getByRole("row", { name: new RegExp(bob.name) })).toHaveCount(0);
  });

  await test.step("a member leaves", async () => {
    await other.goto(team);
    await expect(other.getByRole("heading", { name: "Invite a person" })).toBeVisible(); // an admin now
    await other.getByRole("link", { name: "More", exact: true }).click();
    await expect(other.getByRole("button", { name: "Transfer to another account…" })).toBeDisabled();
    await other.getByRole("button", { name: "Leave this profile…" }).click();
    await other.getByLabel("Your password").fill(gus.password);
    await other.getByRole("button", { name: "Leave", exact: true }).click();
    await expect(other.getByRole("heading", { name: "No profile yet" })).toBeVisible();
    await expect(other.getByRole("link", { name: "Own a profile" })).toBeVisible();
    await page.reload();
    await expect(page.getByText("Nobody else is here yet.")).toBeVisible();
  });

  await test.step("staff are invited into the profiles with a tag", async () => {
    await page.getByRole("link", { name: "Profiles & Teams" }).click();
    await page.getByRole("button", { name: "Add a tag" }).click();
    await page.getByLabel("Key of tag 1").fill("customer");
    await page.getByLabel("Value of tag 1").fill("north");
    await page.getByRole("region", { name: "Not saved yet" }).getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Saved.")).toBeVisible();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Staff" }).click();
    await expect(page.getByRole("heading", { name: "No staff yet" })).toBeVisible();
    await page.getByLabel("E-mail").fill(bob.email);
    await page.getByLabel("Profiles with one of some tags").check();
    await expect(page.getByRole("button", { name: "Invite", exact: true })).toBeDisabled();
    await page.getByLabel("Key of tag 1").fill("customer");
    await page.getByLabel("Value of tag 1").fill("north");
    await expect(page.getByText(`Now: ${ada.name}.`)).toBeVisible();
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await expect(page.getByText(`In profiles with the tag customer = north: ${ada.name}.`)).toBeVisible();
    // An invitation that was a mistake.
    await page.getByLabel("E-mail").fill(gus.email);
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await page.getByRole("button", { name: `Withdraw the invitation of ${gus.email}` }).click();
    await expect(page.getByRole("row", { name: new RegExp(gus.email) })).toHaveCount(0);
    await page.getByRole("button", { name: `Copy link of the invitation of ${bob.email}` }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    await third.goto(await page.evaluate(() => navigator.clipboard.readText()));
    await third.getByRole("button", { name: "Accept", exact: true }).click();
    await third.getByRole("link", { name: "Go to the profile" }).click();
    await third.getByRole("link", { name: "Profiles & Teams" }).click();
    await expect(third.getByText("Changing name, logo or tags takes the role admin; you are a developer here.")).toBeVisible();
    await expect(third.getByRole("button", { name: "Add a tag" })).toBeDisabled();
  });

  await test.step("staff are changed, and removed from everywhere at once", async () => {
    await page.reload();
    await page.getByRole("button", { name: `Change ${bob.name}` }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("combobox", { name: "Role" }).click();
    await page.getByRole("option", { name: "Admin" }).click();
    await dialog.getByLabel("All profiles").check();
    await dialog.getByRole("button", { name: "Save" }).click();
    const row = page.getByRole("row", { name: new RegExp(bob.name) });
    await expect(row.getByText(`In all profiles: ${ada.name}.`)).toBeVisible();
    await expect(row.getByRole("cell", { name: /^Admin/ })).toBeVisible();
    await look("staff");
    await page.goto(team);
    const clicks = await countClicks(page);
    await row.getByRole("link", { name: "Staff" }).click();
    await page.getByRole("button", { name: `Remove ${bob.name}` }).click();
    await expect(dialog.getByText(`Lost: ${ada.name}.`)).toBeVisible();
    await expect(dialog.getByText("No token ends.")).toBeVisible();
    await dialog.getByRole("button", { name: "Remove", exact: true }).click();
    await expect(page.getByRole("heading", { name: "No staff yet" })).toBeVisible();
    expect(await clicks(), "clicks for a colleague who leaves").toBeLessThanOrEqual(3);
    await third.reload();
    await expect(third.getByRole("heading", { name: "You cannot open this profile" })).toBeVisible();
  });

  await other.context().close();
  await third.context().close();

  function shot(name: string): string {
    return `screenshots/${test.info().project.name}/${name}.png`;
  }
});

/** A browser of another person. */
async function visitor(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB" });
  return context.newPage();
}
