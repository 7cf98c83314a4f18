// The console in Debian's Chromium against the real binary, all of it on SQLite and a part on PostgreSQL. What a run needs:
//
//   TEST_POSTGRES   a PostgreSQL URL whose user may create databases (the postgres project fails without it)
//   PADDOCK_BIN     the server, default ../../bin/paddock
//   CHROMIUM        the browser, default /usr/bin/chromium; chromium-headless-shell is quicker
//
// Pictures of every page, light, dark and at 375 px, land in screenshots/sqlite/, but in CI (the variable CI), where nobody looks at them.
import { defineConfig } from "@playwright/test";
import type { EngineOption } from "./fixtures.ts";

export default defineConfig<EngineOption>({
  testDir: ".",
  testMatch: "*.test.ts",
  workers: 2,
  fullyParallel: false,
  forbidOnly: Boolean(process.env.CI),
  retries: 0,
  timeout: 300_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  outputDir: "test-results",
  use: {
    viewport: { width: 1280, height: 860 },
    locale: "en-GB",
    actionTimeout: 30_000,
    navigationTimeout: 30_000,
    timezoneId: "Europe/Berlin",
    // Nothing slides or fades: a test that had to wait for it would be slower, and one that did not would miss what it clicks.
    contextOptions: { reducedMotion: "reduce" },
    permissions: ["clipboard-read", "clipboard-write"],
    trace: process.env.CI ? "off" : "retain-on-failure", // nobody opens those of CI, and keeping them costs a third
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "sqlite", use: { engine: "sqlite" } },
    // What a page does with an answer, and no engine could change, is seen once. On PostgreSQL: from setup to live charts, who may see
    // what, sums of money, a hand-over.
    { name: "postgres", use: { engine: "postgres" }, testMatch: /(access|console|cost|transfer)\.test\.ts/ },
  ],
});
