// The page about oneself: a picture, how dates and numbers are written, a new password while another browser is signed in, and
// what deleting the account would take.
import { expect, test } from "./fixtures.ts";

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test.use({ house: "account" });

test("picture, formats, password and deletion", async ({ page, browser, paddock, complaints, person }) => {
  const paula = await person("Paula Prado", { operator: true });
  await paula.addDevice(paula.profile, "Pump");
  const other = await browser.newContext({ locale: "en-GB" });
  await other.request.post(`${paddock.url}/session`, { headers: { Origin: paddock.url }, data: { email: paula.email, password: paula.password } });
  const tab = (name: string) => page.getByRole("navigation", { name: "Account" }).getByRole("link", { name }).click();

  await test.step("a picture is dropped, shown in the header, and kept", async () => {
    await page.goto(`${paddock.url}/console/account`);
    const held = await page.evaluateHandle((text) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], "me.png", { type: "image/png" }));
      return data;
    }, pixel);
    await page.getByTestId("picture").dispatchEvent("drop", { dataTransfer: held });
    await expect(page.getByText("The picture is saved.")).toBeVisible();
    await page.reload();
    const picture = page.getByRole("button", { name: `Account of ${paula.name}` }).locator("img");
    await expect(picture).toHaveAttribute("src", /^\/account\/[0-9a-f]{24}\/picture\/[0-9a-f]{32}$/);
    expect(await picture.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(1);
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await expect(picture).toHaveCount(0);
  });

  await test.step("the name is edited in place", async () => {
    await page.getByLabel("Your name").fill("Paula P.");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("button", { name: "Account of Paula P." })).toBeVisible();
  });

  await test.step("dates and numbers follow the choice at once, on every page", async () => {
    await tab("Language and formats");
    await page.getByRole("combobox", { name: "Date" }).click();
    await page.getByRole("option", { name: /^\d\d\.\d\d\.\d{4}$/ }).click();
    await page.getByRole("combobox", { name: "Numbers" }).click();
    await page.getByRole("option", { name: "1.234.567,89" }).click();
    await page.getByText("12 hours").click();
    await expect(page.getByTestId("example")).toHaveText(/^\d\d\.\d\d\.\d{4}, \d{1,2}:\d\d [ap]m · 1\.234\.567,89$/);
    await tab("Security");
    await expect(page.getByText(/last used \d\d\.\d\d\.\d{4}, \d{1,2}:\d\d:\d\d [ap]m/).first()).toBeVisible();
  });

  await test.step("a new password signs the other browser out", async () => {
    await expect(page.getByRole("button", { name: /^Sign out .* at / })).toHaveCount(1);
    await page.getByLabel("Current password").fill("not this one");
    await page.getByRole("textbox", { name: "New password" }).fill("another horse battery");
    await page.getByRole("button", { name: "Change the password" }).click();
    await expect(page.getByRole("alert").getByText("Invalid password")).toBeVisible();
    complaints.expected("401 POST /account/passwordreset");
    await page.getByLabel("Current password").fill(paula.password);
    await page.getByRole("button", { name: "Change the password" }).click();
    await expect(page.getByText("The password is changed, and all other browsers are signed out.")).toBeVisible();
    await expect(page.getByRole("button", { name: /^Sign out .* at / })).toHaveCount(0);
    expect((await other.request.get(`${paddock.url}/session`)).status()).toBe(401);
    await other.close();
  });

  await test.step("deleting names what is lost, one device as one", async () => {
    await tab("You");
    await page.getByRole("button", { name: "Delete the account…" }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByText(/: 1 device, 0 data points, /)).toBeVisible();
    await dialog.getByRole("button", { name: "Cancel" }).click();
  });

  await test.step("the language is another one, and stays", async () => {
    await tab("Language and formats");
    await page.getByRole("combobox", { name: "Language" }).click();
    await page.getByRole("option", { name: "Português" }).click();
    await expect(page.getByRole("heading", { name: "Conta", exact: true })).toBeVisible();
    expect(await paula.api("GET", "/account")).toMatchObject({ language: "pt-br", options: { time_format: "12", decimal_separator: "," } });
  });
});
