// What whoever runs the server sees and does: a test mail, a verification, a limit for one account, a block, the settings; and
// that nobody else sees any of it.
import { expect, test } from "./fixtures.ts";

test.use({ house: "operator" });

test("the operator's pages", async ({ page, browser, paddock, person, mailbox, complaints, look }) => {
  const ada = await person("Ada Operator", { operator: true });
  const elsewhere = await browser.newContext({ baseURL: paddock.url });
  const bob = await person("Bob Builder", { at: await elsewhere.newPage() });
  await bob.api("POST", "/ticket", { subject: "Points are late", text: "Since noon." });
  const wrong = await page.request.post(`${paddock.url}/session`, {
    data: { email: bob.email, password: "not the password" },
    headers: { Origin: paddock.url },
  });
  expect(wrong.status()).toBe(401);

  await test.step("a sentence, and a card for each part", async () => {
    await page.goto(`${paddock.url}/console/operator`);
    await expect(page.getByRole("heading", { name: "Operator", level: 1 })).toBeVisible();
    // The disk that the test runs on may really be full, which is the third.
    await expect(page.getByText(/^[23] things need a hand/)).toBeVisible();
    await expect(page.getByText("1 ticket waits for an answer")).toBeVisible();
    await expect(page.getByText("1 wrong password, 0 wrong codes")).toBeVisible();
  });

  await test.step("a test mail arrives, and the page says what the server said", async () => {
    await page.getByRole("button", { name: "Send a test mail to me" }).click();
    await expect(page.getByText(/Sent to ada\.operator.*The mail server said/)).toBeVisible();
    await expect(page.getByText(/^(250 )?(2\.0\.0 )?OK/i)).toBeVisible();
    await mailbox.letter(ada.email, "so mail works");
  });

  await test.step("a verification runs and says that all is fine", async () => {
    await page.getByRole("button", { name: "Verify now" }).click();
    await expect(page.getByText("All figures agree")).toBeVisible();
    await expect(page.getByText("asked for by Ada Operator")).toBeVisible();
    await look("operator");
  });

  await test.step("accounts are found, sorted, opened", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Accounts" }).click();
    await expect(page.getByRole("link", { name: bob.name })).toBeVisible();
    await page.getByRole("button", { name: "Sort by Since" }).click();
    await expect(page.getByRole("row").nth(1)).toContainText(bob.name);
    await page.getByRole("searchbox", { name: "Search" }).fill(bob.email);
    await expect(page.getByText("1 account", { exact: true })).toBeVisible();
    await page.getByRole("link", { name: bob.name }).click();
    await expect(page.getByRole("heading", { name: bob.name, level: 1 })).toBeVisible();
  });

  await test.step("a limit of its own is set, counts and shows", async () => {
    await page.getByRole("combobox", { name: "Limit" }).click();
    await page.getByRole("option", { name: "Device", exact: true }).click();
    await page.getByRole("textbox", { name: "Amount" }).fill("1");
    await page.getByRole("button", { name: "Set the limit…" }).click();
    const dialog = page.getByRole("dialog", { name: "Device: 1?" });
    await dialog.getByLabel("Reason").fill("A trial");
    await dialog.getByRole("button", { name: "Set the limit" }).click();
    await expect(page.getByRole("row", { name: /Device A trial/ })).toContainText("unlimited");
    await bob.addDevice(bob.profile, "First");
    await expect(bob.addDevice(bob.profile, "Second")).rejects.toThrow(/402|maximum limit/);
    await page.getByRole("button", { name: "End: Device" }).click();
    const end = page.getByRole("dialog", { name: "End the limit on Device?" });
    await end.getByLabel("Reason").fill("The trial is over");
    await end.getByRole("button", { name: "End the limit" }).click();
    await expect(page.getByText("None: its plan says everything.")).toBeVisible();
  });

  await test.step("blocked, it is signed out; unblocked, a link for a new password goes out", async () => {
    await page.getByRole("button", { name: "Block…" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("Sends spam");
    await page.getByRole("button", { name: "Block the account" }).click();
    await expect(page.getByRole("button", { name: "Unblock…" })).toBeVisible();
    await expect(bob.api("GET", "/account")).rejects.toThrow(/Authorization Denied/);
    await page.getByRole("button", { name: "Unblock…" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("A mistake");
    await page.getByRole("button", { name: "Unblock the account" }).click();
    await page.getByRole("button", { name: "Send a password link…" }).click();
    await page.getByRole("button", { name: "Send the link" }).click();
    await expect(page.getByText("The link is on its way.")).toBeVisible();
    await mailbox.link(bob.email, "reset");
  });

  await test.step("settings, with where they come from", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Settings" }).click();
    const sender = page.getByRole("listitem", { name: "mail-from" });
    await expect(sender).toContainText("PADDOCK_MAIL_FROM=paddock@example.test");
    await expect(sender).toContainText("flag");
    await expect(page.getByRole("listitem", { name: "session-idle" })).toContainText("default");
    await expect(page.getByRole("listitem", { name: "secret-key", exact: true })).toContainText("set, and never shown");
  });

  await test.step("whoever is no operator sees that the page is for operators", async () => {
    const other = await elsewhere.newPage();
    await other.request.post(`${paddock.url}/session`, { data: { email: bob.email, password: bob.password }, headers: { Origin: paddock.url } });
    for (const path of ["", "/accounts", "/settings", `/accounts/${ada.id}`]) {
      await other.goto(`${paddock.url}/console/operator${path}`);
      await expect(other.getByRole("heading", { name: "This page is for operators" })).toBeVisible();
    }
    await other.close();
  });
  await elsewhere.close();
  expect(complaints.seen).toEqual([]);
});
