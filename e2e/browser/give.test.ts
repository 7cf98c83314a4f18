// What nobody has is given away on the page of costs, where it counts from the next hour on.
import { expect, test } from "./fixtures.ts";

test.use({ house: "give", timezoneId: "Europe/Berlin" });

test("unallocated input is given to a profile", async ({ page, paddock, look, person }) => {
  const gina = await person("Gina Giver", { operator: true });
  await gina.api("PUT", "/account/cost/figure", { amount: 10_000, currency: "eur", shares: { input: 60, output: 40 } });
  await gina.api("PUT", `/billing/account/${gina.id}/plan`, { plan: "starter", charge: "none", reason: "A customer now" });
  const yard = await gina.addProfile("Yard");
  await gina.api("POST", "/account/allocation", [gina.profile, yard].map((profile) => ({ profile, input: 1000 })));

  // The plan began a cycle of its own, in which no hour is over; what nobody had is in the one before.
  await page.goto(`${paddock.url}/console/cost?range=last&basis=allocation&spread=none`);
  await page.getByRole("button", { name: "Give to…" }).click();
  const give = page.getByRole("dialog");
  await expect(give.getByText(/^Counts from .*The hour that runs is still shared as it began\.$/)).toBeVisible();
  await give.getByRole("combobox", { name: "To" }).click();
  await page.getByRole("option", { name: "Yard" }).click();
  await give.getByText("Counts from").click(); // closes the list
  await give.getByLabel("Each gets").fill("500");
  await look("cost-give", { fullPage: false });
  await give.getByRole("button", { name: "Give", exact: true }).click();
  await expect(page.getByText(/^Data input is given\. The cost follows from/)).toBeVisible();
  const rows = await gina.api<{ profile: string; input: number }[]>("GET", "/account/allocation");
  expect(Object.fromEntries(rows.map((row) => [row.profile, row.input]))).toEqual({ [gina.profile]: 1000, [yard]: 1500 });
});
