// Another language: chosen on the way in, kept by the account, on every page, and through reloading and signing in.
import type { Page } from "@playwright/test";
import { en } from "../../web/src/texts/en/index.ts";
import { pt } from "../../web/src/texts/pt/index.ts";
import { expect, test } from "./fixtures.ts";

test.use({ house: "language" });

/** Every text of a catalogue that has no value in it. */
function texts(part: unknown): string[] {
  if (typeof part === "string") return [part];
  return typeof part === "object" && part !== null ? Object.values(part).flatMap(texts) : [];
}
const portuguese = new Set(texts(pt));
const english = new Set(texts(en).filter((text) => !portuguese.has(text)));

/** What can be clicked, what heads things and what is explained on a page. */
async function labels(page: Page): Promise<string[]> {
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.waitForTimeout(200); // for what comes in after the heading
  return page
    .locator("a, button, h1, h2, h3, th, label, p")
    .evaluateAll((all) => all.filter((one) => one.checkVisibility()).map((one) => one.textContent?.trim().replace(/ \*$/, "") || one.getAttribute("aria-label") || ""));
}

test("the console in Portuguese", async ({ page, person, paddock, look }) => {
  const lia = await person("Lia Lobo", { operator: true });
  const profile = `${paddock.url}/console/p/${lia.profile}`;
  await lia.addDevice(lia.profile, "Bomba 1");
  const pages = [
    ...["", "/devices", "/profile", "/usage", "/team", "/tokens", "/more", "/alerts", "/limits"].map((name) => profile + name),
    ...["profiles", "staff", "cost", "account", "operator"].map((name) => `${paddock.url}/console/${name}`),
  ];
  await lia.api("PUT", "/account", { options: { date_format: "DD.MM.YYYY" } });
  await page.goto(`${profile}/devices`);

  await test.step("the account's menu changes it, at once", async () => {
    await page.getByRole("button", { name: "Account of Lia Lobo" }).click();
    await page.getByRole("menuitem", { name: "Português" }).click();
    await expect(page.getByRole("button", { name: "Conta de Lia Lobo" })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "pt-BR");
  });

  await test.step("no page says something of the English catalogue", async () => {
    for (const url of pages) {
      await page.goto(url);
      expect((await labels(page)).filter((text) => english.has(text)), url).toEqual([]);
      expect(await page.locator("body").innerText(), url).not.toMatch(/\b20\d\d-\d\d-\d\d\b/);
    }
    await page.goto(`${profile}/devices`);
    await look("language-devices");
  });

  await test.step("it is the account's: a browser that knows nothing of it learns it at sign-in", async () => {
    await page.getByRole("button", { name: "Conta de Lia Lobo" }).click();
    await page.getByRole("menuitem", { name: "Sair" }).click();
    await expect(page.getByRole("heading", { name: "Entrar" })).toBeVisible();
    await look("language-login");
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await page.getByLabel("E-mail").fill(lia.email);
    await page.getByLabel(/^Password/).fill(lia.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: "Conta de Lia Lobo" })).toBeVisible();
  });

  await test.step("who chooses on the way in finds it behind the door, and the account keeps it", async () => {
    await page.getByRole("button", { name: "Conta de Lia Lobo" }).click();
    await page.getByRole("menuitem", { name: "Sair" }).click();
    await page.getByRole("button", { name: "English" }).click();
    await page.getByLabel("E-mail").fill(lia.email);
    await page.getByLabel(/^Password/).fill(lia.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("button", { name: "Account of Lia Lobo" })).toBeVisible();
    expect((await lia.api<{ language: string }>("GET", "/account")).language).toBe("en");
  });
});
