// What a person is told: choices of the account and of a profile with test and history, the bell and the list behind it, the
// operator's outbox. Its server has no mail server, so that mails wait.
import { expect, test } from "./fixtures.ts";
import { type Paddock, startPaddock } from "./server.ts";

let paddock: Paddock;

test.beforeAll(async ({ engine }) => {
  paddock = await startPaddock(engine, {}, "--webhook-private");
});

test.afterAll(async () => {
  await paddock?.stop();
});

test("choices, test and history, bell and list, outbox", async ({ page, look }) => {
  await page.goto(paddock.setupLink);
  await page.getByLabel("Your name").fill("Ada Tester");
  await page.getByLabel("E-mail").fill("ada@example.test");
  await page.getByLabel(/^Password/).fill("correct horse battery");
  await page.getByRole("button", { name: "Create the account" }).click();
  await expect(page.getByRole("heading", { name: "Nothing has arrived yet." })).toBeVisible();
  const alerts = `${page.url().replace(/\/$/, "")}/alerts`;
  const mails = page.getByRole("checkbox", { name: "A silent device is back: Mail" });

  await test.step("the account's choice and webhook count for its profile", async () => {
    await page.getByRole("button", { name: "Account of Ada Tester" }).click();
    await page.getByRole("menuitem", { name: "Account and security" }).click();
    await page.getByRole("navigation", { name: "Account" }).getByRole("link", { name: "Alerts" }).click();
    await mails.click();
    await expect(mails).not.toBeChecked();
    await page.getByLabel("Address").fill("http://127.0.0.1:9/account");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText(/^whsec_/)).toBeVisible();
    await page.reload();
    await expect(mails).not.toBeChecked();
    await expect(page.getByLabel("Address")).toHaveValue("http://127.0.0.1:9/account");
    await page.goto(alerts);
    await expect(mails).not.toBeChecked();
    await expect(page.getByText("Events go to the webhook of the owner's account now: http://127.0.0.1:9")).toBeVisible();
  });

  await test.step("a profile's go before them", async () => {
    await mails.focus();
    await page.keyboard.press("Space");
    await expect(mails).toBeChecked();
    await expect(mails).toBeFocused();
    await page.getByRole("radio", { name: "To a webhook of its own" }).click();
    await page.getByLabel("Address").fill("http://127.0.0.1:9/profile");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText(/^whsec_/)).toBeVisible();
    const posted = page.getByRole("group", { name: "What is posted" }).getByRole("checkbox", { name: "Somebody joins or leaves" });
    await posted.click();
    await expect(posted).not.toBeChecked();
    await page.reload();
    await expect(posted).not.toBeChecked();
    await expect(mails).toBeChecked();
  });

  await test.step("and follow them again when asked to", async () => {
    await page.getByRole("button", { name: "A silent device is back: Mail: choose as for all profiles" }).click();
    await expect(mails).not.toBeChecked();
    await page.getByRole("radio", { name: "Nowhere" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByLabel("Address")).toBeHidden();
    await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
    await page.reload();
    await expect(page.getByRole("radio", { name: "Nowhere" })).toBeChecked();
    await look("alerts-of-nowhere");
    await page.getByRole("radio", { name: /the owner's account/ }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Events go to the webhook of the owner's account now: http://127.0.0.1:9")).toBeVisible();
    await page.getByRole("radio", { name: "To a webhook of its own" }).click();
    await page.getByLabel("Address").fill("http://127.0.0.1:9/profile");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText(/^whsec_/)).toBeVisible();
  });

  await test.step("a test says what became of it, and stands in the history", async () => {
    await page.getByRole("button", { name: "Send a test" }).click();
    await expect(page.getByText(/Notification: ✓/)).toBeVisible({ timeout: 30_000 });
    await expect(page.getByText(/Webhook: ✗/)).toBeVisible();
    await expect(page.getByRole("cell", { name: "Failed" }).first()).toBeVisible();
  });

  await test.step("the bell counts, and leads to the list", async () => {
    await page.request.post(`${paddock.url}/notification`, {
      headers: { Origin: paddock.url },
      data: {
        title: "Door of the barn",
        message: "It has been open for an hour.",
        buttons: [{ id: "see", label: "See it", triggers: [{ url: `${paddock.url}/console/profiles`, method: "REDIRECT" }] }],
        buttons_autodisable: true,
      },
    });
    await page.reload();
    await page.getByRole("link", { name: "Notifications: 2 unread" }).click();
    await expect(page.getByRole("article", { name: /: Test$/ })).toBeVisible();
    const door = page.getByRole("article", { name: "Door of the barn" });
    await door.getByRole("link", { name: "See it" }).click();
    await expect(page.getByRole("heading", { name: "Profiles" })).toBeVisible();
    await page.getByRole("link", { name: /^Notifications/ }).click();
    await expect(door.getByRole("link", { name: "See it" })).toHaveAttribute("aria-disabled", "true");
    await page.getByRole("main").getByLabel("Search").fill("nothing of that kind");
    await expect(page.getByText("No notification fits")).toBeVisible();
    await page.getByRole("main").getByLabel("Search").fill("");
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await expect(page.getByRole("link", { name: "Notifications", exact: true })).toBeVisible();
    await expect(page.getByRole("article")).toHaveCount(2);
    await door.getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("article")).toHaveCount(1);
    await page.getByRole("button", { name: "Delete" }).click();
    await expect(page.getByText("No notification yet")).toBeVisible();
  });

  await test.step("where no letter is sent, whoever invites is told", async () => {
    await page.goto(alerts.replace(/alerts$/, "team"));
    await expect(page.getByText(/^This server sends no letters yet: after inviting, copy the link/)).toBeVisible();
  });

  await test.step("the operator passes a link on by hand", async () => {
    await page.request.get(`${paddock.url}/account/passwordreset/ada@example.test`);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Outbox" }).click();
    const mail = page.getByRole("article").first();
    await mail.getByRole("button", { name: "Show the link" }).click();
    const shown = page.getByText("/console/reset/");
    await expect(shown).toBeVisible();
    await look("outbox");
    await mail.getByRole("button", { name: "Discard" }).click();
    await expect(shown).toHaveCount(0);
    await expect(page.getByText("No mail is waiting")).toBeVisible();
  });
});
