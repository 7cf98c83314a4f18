import { mkdir } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";
import { type Mailbox, startMailbox } from "./mailbox.ts";
import { makePerson, type Person } from "./person.ts";
import { type Engine, type Paddock, startPaddock } from "./server.ts";

export interface EngineOption {
  engine: Engine;
}

interface Fixtures {
  /** Whatever the page complained of. Everything left in it at the end fails the test. */
  complaints: Complaints;
  /** Pictures of the page as it is: light, dark, and at 375 px. Fails on a serious finding of axe and on a page that scrolls
   *  sideways. What lies over a page is pictured without the page below the fold. On SQLite only: no page knows the engine. */
  look: (name: string, options?: { fullPage?: boolean }) => Promise<void>;
  /** Makes an account through the API and signs it in at the page, or at another page given. */
  person: (name: string, options?: { at?: Page; operator?: boolean; timezone?: string }) => Promise<Person>;
}

interface WorkerFixtures extends EngineOption {
  /** Files that name another one get a server of their own: test.use({ house: "team" }). Those that name none share one. */
  house: string;
  /** Whether the server has what `paddock demo` makes. */
  demo: boolean;
  /** Further flags of its server. */
  flags: string[];
  /** The mail server that Paddock sends its letters through. */
  mailbox: Mailbox;
  /** A server that anybody may sign up at. */
  paddock: Paddock;
}

export interface Complaints {
  seen: string[];
  /** Takes out answers the test provoked, such as "401 DELETE /profile"; fails when one did not come. */
  expected: (...parts: string[]) => void;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  engine: ["sqlite", { option: true, scope: "worker" }],

  house: ["", { option: true, scope: "worker" }],

  demo: [false, { option: true, scope: "worker" }],

  flags: [[], { option: true, scope: "worker" }],

  mailbox: [
    async ({}, use) => {
      const mailbox = await startMailbox();
      await use(mailbox);
      await mailbox.stop();
    },
    { scope: "worker" },
  ],

  paddock: [
    async ({ engine, demo, flags, mailbox }, use) => {
      const paddock = await startPaddock(
        engine,
        { demo },
        "--signup",
        "open",
        "--smtp-url",
        mailbox.url,
        "--mail-from",
        "paddock@example.test",
        ...flags,
      );
      await use(paddock);
      await paddock.stop();
    },
    { scope: "worker", timeout: 180_000 }, // the demo lives through five weeks
  ],

  complaints: [
    async ({ page }, use) => {
      const seen: string[] = [];
      page.on("console", (message) => {
        // Chromium repeats every answer above 399 here; those are counted below, with their address.
        if (message.text().startsWith("Failed to load resource")) return;
        if (message.type() === "error" || message.type() === "warning") seen.push(`console: ${message.text()}`);
      });
      page.on("pageerror", (error) => seen.push(`exception: ${error.message}`));
      page.on("requestfailed", (request) => {
        // A page that is left stops its own requests; that is no failure.
        const why = request.failure()?.errorText;
        if (why !== "net::ERR_ABORTED") seen.push(`failed: ${request.method()} ${request.url()} ${why}`);
      });
      page.on("response", (response) => {
        if (response.status() >= 400)
          seen.push(`${response.status()} ${response.request().method()} ${new URL(response.url()).pathname}`);
      });
      const complaints: Complaints = {
        seen,
        expected: (...parts) => {
          for (const part of parts) {
            const at = seen.findIndex((line) => line.includes(part));
            expect(at, `expected ${part} among ${JSON.stringify(seen)}`).toBeGreaterThanOrEqual(0);
            seen.splice(at, 1);
          }
        },
      };
      await use(complaints);
      expect(seen, "complaints of the page").toEqual([]);
    },
    { auto: true },
  ],

  person: async ({ page, paddock, mailbox }, use) => {
    await use((name, { at = page, ...options } = {}) => makePerson(at, paddock, mailbox, name, options));
  },

  look: async ({ page, engine }, use) => {
    await use(async (name, { fullPage = true } = {}) => {
      if (engine !== "sqlite") return;
      const folder = join(import.meta.dirname, "screenshots", engine);
      await mkdir(folder, { recursive: true });
      // Nobody looks at the pictures of a run in CI.
      const picture = async (kind: string): Promise<void> => {
        if (!process.env.CI) await page.screenshot({ path: join(folder, `${name}-${kind}.png`), fullPage });
      };
      const before = page.viewportSize();
      // A page that is scrolled would have its header in the middle of the picture.
      if (fullPage) await page.evaluate(() => window.scrollTo(0, 0));
      await settled(page);
      await picture("light");
      await expectAccessible(page, `${name}, light`);
      await page.emulateMedia({ colorScheme: "dark" });
      await page.locator("html[data-mantine-color-scheme=dark]").waitFor();
      await settled(page);
      await picture("dark");
      await expectAccessible(page, `${name}, dark`, ["color-contrast"]); // all that the colours can change
      await page.emulateMedia({ colorScheme: "light" });
      await page.setViewportSize({ width: 375, height: 720 });
      await settled(page);
      await picture("375");
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect.soft(width, `${name} scrolls sideways at 375 px`).toBeLessThanOrEqual(375);
      if (before) await page.setViewportSize(before);
    });
  },
});

/** Two frames and no running transition: what is on the screen is what stays. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await Promise.allSettled(
      document
        .getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
        .map((animation) => animation.finished),
    );
    await frame();
  });
}

const axe = readFileSync(join(import.meta.dirname, "node_modules/axe-core/axe.min.js"), "utf8");

/** No finding of axe that is serious or worse, of all rules or of some. */
async function expectAccessible(page: Page, name: string, rules?: string[]): Promise<void> {
  // Evaluated by the browser's debugger, which the page's Content-Security-Policy does not concern.
  const findings = await page.evaluate(
    `(async () => {
      if (!window.axe) { ${axe} }
      const { violations } = await window.axe.run(document, { resultTypes: ["violations"]${rules ? `, runOnly: ${JSON.stringify(rules)}` : ""} });
      return violations
        .filter((v) => v.impact === "serious" || v.impact === "critical")
        .map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; "));
    })()`,
  );
  expect.soft(findings, `axe on ${name}`).toEqual([]);
}

export { expect };
