// A profile handed to somebody who has no account yet: the letter, sign-up, what would move and end, a choice, the yes, and both of
// them taking it back. Its device sends and reads all the while, and is never refused.
import { expect, test } from "./fixtures.ts";

const bob = { name: "Bob Buyer", email: "bob@example.test", password: "horse battery correct" };

test.use({ house: "transfer" });

test("a profile goes to another account, and comes back", async ({ page, browser, paddock, mailbox, person, complaints, look }) => {
  const ada = await person("Ada Owner", { operator: true });

  await test.step("the last profile stays", async () => {
    await page.goto(`${paddock.url}/console/p/${ada.profile}/more`);
    await page.getByRole("button", { name: "Transfer to another account…" }).click();
    await page.getByLabel("E-mail address of the receiver").fill(bob.email);
    await page.getByLabel("Your password").fill(ada.password);
    await page.getByRole("button", { name: "Ask the receiver" }).click();
    await expect(page.getByRole("dialog")).toContainText("The last profile of an account cannot be handed over");
    complaints.expected("409 POST /profile");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  });

  const harbour = await ada.addProfile("Harbour");
  const { token } = await ada.addDevice(harbour, "Crane");
  const load = startLoad(paddock.url, token);

  await test.step("the owner asks", async () => {
    await page.goto(`${paddock.url}/console/p/${harbour}/more`);
    await page.getByRole("button", { name: "Transfer to another account…" }).click();
    await page.getByLabel("E-mail address of the receiver").fill(bob.email);
    await page.getByRole("textbox", { name: "Message" }).fill("As agreed.");
    await page.getByLabel("Your password").fill(ada.password);
    await look("transfer-ask", { fullPage: false });
    await page.getByRole("button", { name: "Ask the receiver" }).click();
    await expect(page.getByRole("heading", { name: "Transfer of Harbour" })).toBeVisible();
    await expect(page.getByText("Waiting for the receiver")).toBeVisible();
  });

  const other = await (await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB" })).newPage();
  await test.step("the letter leads through sign-up", async () => {
    await other.goto(await mailbox.link(bob.email, "sign-up"));
    await expect(other.getByLabel("E-mail")).toHaveValue(bob.email);
    await other.getByLabel("Your name").fill(bob.name);
    await other.getByLabel(/^Password/).fill(bob.password);
    await other.getByRole("button", { name: "Sign up" }).click();
    await expect(other.getByRole("heading", { name: "Almost there" })).toBeVisible();
    const confirmation = await mailbox.link(bob.email, "confirm");
    const confirming = await other.context().newPage();
    await confirming.goto(confirmation);
    await confirming.getByRole("button", { name: "Confirm", exact: true }).click();
    await expect(confirming.getByRole("heading", { name: "Confirmed" })).toBeVisible();
    await confirming.close();
    await other.getByRole("link", { name: /sign in/i }).click();
    await other.getByLabel("E-mail").fill(bob.email);
    await other.getByLabel(/^Password/).fill(bob.password);
    await other.getByRole("button", { name: "Sign in" }).click();
    await expect(other.getByRole("heading", { name: "Transfer of Harbour" })).toBeVisible();
  });

  await test.step("it is offered on the first page too, to who comes without the letter", async () => {
    await other.goto(`${paddock.url}/console/`);
    await expect(other.getByText("Ada Owner wants to hand the profile “Harbour” over to you.")).toBeVisible();
    await other.getByRole("link", { name: "Look at the transfer" }).click();
    await expect(other.getByRole("heading", { name: "Transfer of Harbour" })).toBeVisible();
  });

  await test.step("the receiver reads, chooses and accepts", async () => {
    await expect(other.getByText("As agreed.")).toBeVisible();
    await expect(other.getByRole("table", { name: "People who lose access" })).toContainText("former owner");
    await other.getByRole("radio", { name: "stays as viewer" }).check();
    await other.screenshot({ path: shot("transfer-receiver"), fullPage: true });
    await other.getByLabel("Your password").fill("wrong password");
    await other.getByRole("button", { name: "Accept the profile" }).click();
    await expect(other.getByText("Invalid password")).toBeVisible();
    await other.getByLabel("Your password").fill(bob.password);
    await other.getByRole("button", { name: "Accept the profile" }).click();
    await expect(other.getByText("The profile has its new owner.")).toBeVisible();
    await expect(other.getByText("Ada Owner: stays as viewer")).toBeVisible();
    await other.getByRole("link", { name: "Open the profile" }).click();
    await other.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Devices" }).click();
    await expect(other.getByRole("link", { name: "Crane" })).toBeVisible();
  });

  await test.step("the former owner is a viewer there, and wants it back", async () => {
    await page.reload();
    await expect(page.getByText("The profile has its new owner.")).toBeVisible();
    await page.getByLabel("Your password").fill(ada.password);
    await look("transfer-completed");
    await page.getByRole("button", { name: "Agree to undo the transfer" }).click();
    await expect(page.getByText("Agreed: Ada Owner.")).toBeVisible();
    await page.getByRole("link", { name: "Open the profile" }).click();
    await expect(page.getByRole("button", { name: "Create device" })).toBeDisabled();
  });

  await test.step("the receiver agrees", async () => {
    await other.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Transfers" }).click();
    await other.getByRole("link", { name: "Harbour" }).click();
    await other.getByLabel("Your password").fill(bob.password);
    await other.getByRole("button", { name: "Agree to undo the transfer" }).click();
    await expect(other.getByText("The transfer was undone: the profile is its former owner's again.")).toBeVisible();
    await expect(other.getByRole("link", { name: "Open the profile" })).toHaveCount(0);
  });

  await test.step("the operator's list, the ticket, and the profile as before", async () => {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Transfers" }).click();
    await page.getByRole("combobox", { name: "Whose" }).click();
    await page.getByRole("option", { name: "Of all accounts" }).click();
    await expect(page.getByRole("list", { name: "Transfers" }).getByText("Undone")).toBeVisible();
    await page.getByRole("link", { name: "Harbour" }).click();
    await page.getByRole("link", { name: "Open the ticket" }).click();
    await expect(page.getByRole("article", { name: "Paddock" }).last()).toContainText("Both sides have agreed to undo this transfer.");
    await page.getByRole("link", { name: "Look at the transfer" }).click();
    await page.getByRole("link", { name: "Open the profile" }).click();
    await expect(page.getByRole("link", { name: "Create device" })).toBeVisible(); // the owner again
  });

  await test.step("the device noticed nothing", async () => {
    const { failed, sent, acknowledged } = await load.stop();
    expect(failed).toEqual([]);
    expect(acknowledged).toBeGreaterThan(100);
    const answer = await page.request.get(`${paddock.url}/data?query=count`, { headers: { token } });
    const stored = ((await answer.json()) as { result: number }).result;
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(sent);
  });
});

interface Load {
  stop: () => Promise<{ failed: string[]; sent: number; acknowledged: number }>;
}

/** Sends a point and reads the last one, over and over, with the token of a device. */
function startLoad(url: string, token: string): Load {
  const failed: string[] = [];
  let [sent, acknowledged, ended] = [0, 0, false];
  const ask = async (init?: RequestInit): Promise<boolean> => {
    const answer = await fetch(`${url}/data${init ? "" : "?query=last_value"}`, {
      ...init,
      headers: { token, "Content-Type": "application/json" },
    }).catch((error: unknown) => String(error));
    if (typeof answer !== "string" && answer.ok) return (await answer.text()) !== "";
    failed.push(typeof answer === "string" ? answer : `${answer.status} ${await answer.text()}`);
    return false;
  };
  const body = JSON.stringify([{ variable: "load", value: 1 }]);
  const one = async (): Promise<void> => {
    while (!ended) {
      sent += 1;
      if (await ask({ method: "POST", body })) acknowledged += 1;
      await ask();
      await new Promise((done) => setTimeout(done, 20)); // the machine also draws the pages
    }
  };
  const running = [one(), one(), one(), one()];
  return {
    stop: async () => {
      ended = true;
      await Promise.all(running);
      return { failed, sent, acknowledged };
    },
  };
}

const shot = (name: string): string => `${import.meta.dirname}/screenshots/sqlite/${name}.png`;
