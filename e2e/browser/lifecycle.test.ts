// A profile is deleted with a way back and restored, and its restoration refused with the reasons while there is no room.
import { expect, test } from "./fixtures.ts";

test.use({ house: "lifecycle" });

test("from deletion to restoration", async ({ page, paddock, person, look }) => {
  const ada = await person("Ada Tester", { operator: true });
  await test.step("the dialog says what happens", async () => {
    await page.goto(`${paddock.url}/console/profiles`);
    await expect(page.getByRole("heading", { name: "Deleted profiles" })).toHaveCount(0);
    await page.getByRole("link", { name: "Add Profile" }).click();
    await expect(page.getByRole("heading", { name: "Add Profile" })).toBeVisible(); // the list has a field for names too
    await page.getByLabel("Name").fill("Harbour");
    await page.getByRole("button", { name: "Add Profile" }).click();
    await page.getByRole("link", { name: "Open the profile" }).click();
    await page.getByRole("link", { name: "Profiles & Teams" }).click();
    await page.getByRole("link", { name: "More", exact: true }).click();
    await page.getByRole("button", { name: "Delete profile…" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete Harbour?" });
    await expect(dialog).toContainText("It has 0 devices and 0 data points. Devices and tokens are refused from now on.");
    await expect(dialog).toContainText("For 7 days you can restore it from the list of profiles");
    await expect(dialog).toContainText("Invitations that wait, add-ons and budgets");
    await dialog.getByRole("checkbox", { name: "Delete for good now" }).check();
    await expect(dialog).toContainText("There is no way back.");
    await expect(dialog.getByRole("button", { name: "Delete for ever" })).toBeDisabled();
    await dialog.getByRole("checkbox", { name: "Delete for good now" }).uncheck();
    await look("delete-dialog", { fullPage: false });
    await dialog.getByLabel("Type Harbour to confirm").fill("Harbour");
    await dialog.getByLabel("Your password").fill(ada.password);
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  });

  await test.step("it is listed, and comes back", async () => {
    await expect(page.getByRole("heading", { name: "Deleted profiles" })).toBeVisible();
    const row = page.getByRole("group", { name: "Harbour" });
    await expect(row).toContainText("6 days left to restore it");
    await expect(page.getByRole("link", { name: "Harbour" })).toHaveCount(0);
    await look("deleted-profiles");
    await row.getByRole("button", { name: "Restore Harbour" }).click();
    await expect(page.getByRole("link", { name: "Harbour", exact: true })).toBeVisible(); // in the table above, without a reload
    await expect(page.getByRole("heading", { name: "Deleted profiles" })).toHaveCount(0);
    await page.getByRole("link", { name: "Harbour", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
  });
});
