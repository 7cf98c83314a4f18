// Takes the pictures of the README from the demo: `make pictures`.
import { join } from "node:path";
import { root, withDemo } from "./demo.mjs";

await withDemo(async ({ browser, url, blocked, signedIn }) => {
  const page = await browser.newPage({ storageState: signedIn, viewport: { width: 1360, height: 860 }, locale: "en-GB", reducedMotion: "reduce" });
  for (const [name, path] of [
    ["profiles", "profiles"],
    ["home", `p/${blocked}`],
  ]) {
    await page.goto(`${url}/console/${path}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(root, `docs/images/${name}.png`) });
  }
});
