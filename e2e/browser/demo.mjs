// The demo on a server of its own, with a browser beside it: what the pictures and the console's speed are taken from.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "@playwright/test";

export const root = resolve(import.meta.dirname, "../..");

/** Runs `use` with the browser, the server's address, `call(method, path, body)` as the integrator, the cookies of whom `signedIn`
 *  has, and the id of the profile that is blocked. */
export async function withDemo(use) {
  const binary = join(root, "bin/paddock");
  const data = mkdtempSync(join(tmpdir(), "paddock-demo-"));
  const url = "http://127.0.0.1:18099";
  const said = execFileSync(binary, ["demo", "--data", data], { encoding: "utf8" });
  const [, email, password] = /(integrator@\S+)\s+password (\S+)/.exec(said);
  const server = spawn(binary, ["serve", "--data", data, "--listen", new URL(url).host], { stdio: "ignore" });
  let browser;
  try {
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
    const { request } = await browser.newContext();
    for (let tries = 0; ; tries++) {
      const up = await request.get(`${url}/status`).catch(() => undefined);
      if (up?.ok()) break;
      if (tries === 100) throw new Error("the server does not answer");
      await new Promise((done) => setTimeout(done, 100));
    }
    const call = async (method, path, body) => {
      const answer = await request.fetch(url + path, { method, data: body, headers: { Origin: url } });
      if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`);
      return (await answer.json()).result;
    };
    await call("POST", "/session", { email, password });
    const blocked = (await call("GET", "/profile")).find((one) => one.name === "Riverside Waterworks").id;
    await use({ browser, url, call, blocked, signedIn: await request.storageState() });
  } finally {
    await browser?.close();
    server.kill();
    await new Promise((done) => server.once("exit", done));
    rmSync(data, { recursive: true, force: true });
  }
}
