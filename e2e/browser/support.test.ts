// A question to whoever runs the server and the answer; then that operator looks into the asker's profile: at once where looks are
// logged, after the owner's word where the server asks.
import type { Browser, Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import type { Mailbox } from "./mailbox.ts";
import { makePerson, type Person } from "./person.ts";
import { type Paddock, startPaddock } from "./server.ts";

test.use({ house: "support" });

test("a ticket, an answer, a look that both see, and its end", async ({ page, browser, paddock, mailbox, complaints, look }) => {
  const { ada, bob, other } = await start(page, browser, paddock, mailbox);
  const { profile } = bob;

  await test.step("somebody asks", async () => {
    await menu(other, "Support");
    await expect(other.getByRole("heading", { name: "No ticket yet" })).toBeVisible();
    await other.getByLabel("Subject").fill("Points are late");
    await other.getByRole("combobox", { name: "About a profile" }).click();
    await other.getByRole("option", { name: bob.name }).click();
    await other.getByRole("textbox", { name: "Message" }).fill("Since noon.\nIs it the disk?");
    await other.getByRole("button", { name: "Send" }).click();
    await expect(other.getByRole("heading", { name: "#1 Points are late" })).toBeVisible();
    await expect(other.getByRole("article", { name: bob.name })).toContainText("Is it the disk?");
  });

  await test.step("the operator is told, finds it and answers", async () => {
    await page.goto(await mailbox.link(ada.email, "support"));
    await expect(page.getByRole("heading", { name: "#1 Points are late" })).toBeVisible();
    await menu(page, "Operator's desk");
    await page.getByRole("searchbox", { name: "Search" }).fill("disk");
    await page.getByRole("link", { name: "#1 Points are late" }).click();
    await page.getByRole("textbox", { name: "Message" }).fill("We look at it.");
    await page.getByRole("button", { name: "Send" }).click();
    await expect(page.getByRole("article", { name: `Operator ${ada.name}` })).toBeVisible();
  });

  await test.step("the asker sees who answered, by the mail", async () => {
    await other.goto(await mailbox.link(bob.email, "support"));
    await expect(other.getByRole("article", { name: `Operator ${ada.name}` })).toContainText("We look at it.");
    await expect(other.getByText("Answered")).toBeVisible();
  });

  await test.step("the operator looks into the profile, with a reason", async () => {
    await page.getByRole("link", { name: "Look into the profile…" }).click();
    await expect(page.getByLabel("Id of the profile")).toHaveValue(profile);
    await expect(page.getByLabel("Reason")).toHaveValue("#1 Points are late");
    await page.getByRole("button", { name: "Look into it" }).click();
    await expect(page.getByText(`You are looking into ${bob.name} of ${bob.name} as operator`)).toBeVisible();
    await expect(page.getByRole("button", { name: "Create device" })).toBeDisabled();
    await look("looking");
    await page.getByRole("link", { name: "Profiles & Teams" }).click();
    await page.getByRole("link", { name: "Team", exact: true }).click();
    await expect(page.getByText("Looks in for a while: #1 Points are late")).toBeVisible();
    await expect(page.getByRole("button", { name: /Leave/ })).toHaveCount(0);
  });

  await test.step("its owner sees it, and ends it", async () => {
    await other.goto(await mailbox.link(bob.email, "p"));
    await other.goto(`${paddock.url}/console/p/${profile}/more`);
    await expect(other.getByRole("heading", { name: "Looks" })).toBeVisible();
    await expect(other.getByRole("cell", { name: /Ada Operator.*#1 Points are late/ })).toBeVisible();
    await other.screenshot({ path: shot("looks-owner"), fullPage: true });
    await other.getByRole("link", { name: "Profiles & Teams" }).click();
    await other.getByRole("link", { name: "Team", exact: true }).click();
    await expect(other.getByRole("cell", { name: /Operator Ada Operator/ })).toBeVisible();
    await other.getByRole("link", { name: "Looks" }).click();
    await other.getByRole("button", { name: `End the look of ${ada.name}` }).click();
    await expect(other.getByText(`Ended by ${bob.name}`)).toBeVisible();
  });

  await test.step("then there is nothing left to see", async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "You cannot open this profile" })).toBeVisible();
  });

  await test.step("the operator ends a look by the banner", async () => {
    await page.goto(`${paddock.url}/console/desk?profile=${profile}&reason=Again`);
    await page.getByRole("button", { name: "Look into it" }).click();
    await expect(page.getByTestId("look")).toBeVisible();
    // Its owner wants to end it first, and the network fails.
    await other.goto(`${paddock.url}/console/p/${profile}/more`);
    await other.route("**/profile/*/look/*", (route) => route.abort());
    await other.getByRole("button", { name: `End the look of ${ada.name}` }).click();
    await expect(other.getByRole("row", { name: /Ada Operator.*Again/ }).getByRole("alert")).toContainText("That did not work");
    await other.screenshot({ path: shot("look-not-ended"), fullPage: true });
    await page.getByTestId("look").getByRole("button", { name: "End" }).click();
    await expect(page.getByRole("heading", { name: "Operator's desk" })).toBeVisible();
    await expect(page.getByText(`Ended by ${ada.name}`)).toBeVisible();
  });

  await test.step("the asker closes the ticket", async () => {
    await menu(other, "Support");
    await other.getByRole("link", { name: "#1 Points are late" }).click();
    await other.getByRole("button", { name: "Close the ticket" }).click();
    await expect(other.getByText("This ticket is closed. A message opens it again.")).toBeVisible();
    await expect(other.getByRole("button", { name: "Open it again" })).toBeVisible();
  });
  expect(complaints.seen.filter((line) => !line.startsWith("404"))).toEqual([]);
  complaints.seen.length = 0; // pages of a look that ended ask once more
});

test("where the server asks, nobody looks before the owner allows it", async ({ page, browser, engine, mailbox, look }) => {
  const paddock = await startPaddock(engine, {}, "--signup", "open", "--smtp-url", mailbox.url, "--mail-from", "paddock@example.test", "--operator-access", "ask");
  try {
    const { bob, other } = await start(page, browser, paddock, mailbox);
    const { profile } = bob;
    await page.goto(`${paddock.url}/console/desk?profile=${profile}&reason=Please`);
    await page.getByRole("button", { name: "Ask the owner" }).click();
    await expect(page.getByText("The owner is asked. You are told when there is an answer.")).toBeVisible();
    await other.reload();
    await other.getByRole("link", { name: /^Notifications/ }).click();
    await other.getByRole("article", { name: /An operator asks to look into/ }).getByRole("button", { name: "Allow" }).click();
    await page.reload();
    await page.getByRole("link", { name: "Enter" }).click();
    await expect(page.getByTestId("look")).toContainText("Please");
    await other.goto(`${paddock.url}/console/p/${profile}/more`);
    await expect(other.getByText("Lasts")).toBeVisible();
    await look("looking-asked");
  } finally {
    await paddock.stop();
  }
});

const shot = (name: string): string => `${import.meta.dirname}/screenshots/sqlite/${name}.png`;

/** The first person runs the server; the second, whose page is opened in their profile, has an account there. */
async function start(page: Page, browser: Browser, paddock: Paddock, mailbox: Mailbox): Promise<{ ada: Person; bob: Person; other: Page }> {
  const ada = await makePerson(page, paddock, mailbox, "Ada Operator", { operator: true });
  const other = await (await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB" })).newPage();
  const bob = await makePerson(other, paddock, mailbox, "Bob Builder");
  await page.goto(`${paddock.url}/console/`);
  await other.goto(`${paddock.url}/console/p/${bob.profile}/devices`);
  return { ada, bob, other };
}

/** Opens a page by the sidebar. */
async function menu(page: Page, item: string): Promise<void> {
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: item }).click();
}
