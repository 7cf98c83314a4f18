// How soon the console can be used on this machine: `make console-speed`. Each page is opened cold, as by somebody who was never here,
// signed in, with the forty profiles of the demo and then a thousand. Two times: until the page's rows are there, and until the search
// that a key opened is on the screen too.
import { withDemo } from "./demo.mjs";

await withDemo(async ({ browser, url, call, blocked, signedIn }) => {
  const pages = {
    "All profiles": ["profiles", "table tbody tr"],
    Home: [`p/${blocked}`, "text=Services in use"],
    Devices: [`p/${blocked}/devices`, "table tbody tr"],
    Cost: ["cost", "table tbody tr"],
    Allocation: ["allocation", "input"],
  };
  const measure = async (path, ready) => {
    const context = await browser.newContext({ storageState: signedIn, viewport: { width: 1280, height: 860 }, locale: "en-GB", reducedMotion: "reduce" });
    const page = await context.newPage();
    const began = performance.now();
    await page.goto(`${url}/console/${path}`, { waitUntil: "commit" });
    await page.locator(ready).first().waitFor();
    const shown = performance.now() - began;
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog").waitFor();
    const answered = performance.now() - began;
    await context.close();
    return [shown, answered];
  };
  for (const profiles of [40, 1000]) {
    for (let have = (await call("GET", "/profile")).length; have < profiles; have++) await call("POST", "/profile", { name: `Site ${have}` });
    for (const [name, [path, ready]] of Object.entries(pages)) {
      const all = [];
      for (let i = 0; i < 5; i++) all.push(await measure(path, ready));
      const [shown, answered] = [0, 1].map((at) => {
        const times = all.map((one) => Math.round(one[at])).sort((a, b) => a - b);
        return `${times[2]} ms (${times[0]}–${times[4]})`;
      });
      console.log(`${profiles} profiles, ${name}: rows ${shown}, search open ${answered}`);
    }
  }
});
