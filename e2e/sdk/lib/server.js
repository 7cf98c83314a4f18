// Starts the real binary for a test: a fresh data folder, a fresh database, one account.
//
//   const server = await start("sqlite");
//   server.region          what every constructor of the client takes
//   server.first           { account, profile, token, email, password }: made before the server ran
//   server.account(name)   another account, made beside the running server
//   start(engine, { flags })  more flags of serve
//   await server.stop()    SIGTERM, then verify; fails the test when the server does not end well or what it
//                          stored is not what it metered
//
// PADDOCK_BIN is the binary (default: bin/paddock of this repository), TEST_POSTGRES a superuser's URL.

"use strict";

const { execFileSync, spawn, spawnSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const binary = path.resolve(process.env.PADDOCK_BIN || path.join(__dirname, "../../../bin/paddock"));

/** The engines that every suite runs on. */
const engines = ["sqlite", "postgres"];

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** psql of the installation whose server runs the tests. */
function psql(url, sql) {
  let program = "psql";
  try {
    const beside = path.join(execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim(), "psql");
    if (fs.existsSync(beside)) program = beside;
  } catch {
    // no pg_config: psql from the path will do
  }
  return execFileSync(program, ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", url, "-c", sql], { encoding: "utf8" });
}

/** A database nobody else uses; gives its URL and how to remove it. */
function freshDatabase() {
  const admin = process.env.TEST_POSTGRES;
  if (!admin) throw new Error("TEST_POSTGRES is not set: these tests run on PostgreSQL too (make test starts one)");
  const name = `sdk_${crypto.randomBytes(6).toString("hex")}`;
  psql(admin, `CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => psql(admin, `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function start(engine, { plan = "house", flags = [] } = {}) {
  const database = engine === "postgres" ? freshDatabase() : null;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "paddock-sdk-"));
  const settings = Object.entries(process.env).filter(([name]) => !/^(PADDOCK|TAGOIO|T_ANALYSIS)_/.test(name));
  const env = { ...Object.fromEntries(settings), PADDOCK_DATA: path.join(folder, "data") };
  if (database) {
    env.PADDOCK_DATABASE = database.url;
    env.PADDOCK_SECRET_KEY = crypto.randomBytes(32).toString("base64");
    execFileSync(binary, ["migrate"], { env, stdio: ["ignore", "ignore", "inherit"] });
  }

  /** account create: the command prints one JSON line. */
  const account = (name, options = {}) => {
    const email = `${name.toLowerCase()}@example.test`;
    const password = `pass of ${name} 1!`;
    const args = ["account", "create", "--name", name, "--email", email, "--plan", options.plan || plan, "--password-stdin"];
    const line = execFileSync(binary, args, { env, input: password, encoding: "utf8" });
    return { ...JSON.parse(line), email, password, name };
  };
  const first = account("Ada");

  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = path.join(folder, "log");
  const log = fs.openSync(logFile, "w");
  const child = spawn(binary, ["serve", "--log-requests", "all", "--listen", `127.0.0.1:${port}`, ...flags], { env, stdio: ["ignore", log, log] });
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const said = () => fs.readFileSync(logFile, "utf8").split("\n").slice(-30).join("\n");

  for (let i = 0; ; i++) {
    if (child.exitCode !== null) throw new Error(`paddock serve ended with ${child.exitCode}:\n${said()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) break;
    if (i === 300) {
      child.kill("SIGKILL");
      throw new Error(`paddock serve was not ready after 15 seconds:\n${said()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  return {
    url,
    engine,
    first,
    account,
    region: { api: url, sse: url, realtime: url },
    async stop() {
      const told = Date.now();
      child.kill("SIGTERM");
      const { code, signal } = await ended;
      const took = Date.now() - told;
      fs.closeSync(log);
      if (process.env.E2E_LOGS) fs.copyFileSync(logFile, path.join(process.env.E2E_LOGS, `${path.basename(folder)}.log`)); // scripts/secrets.sh reads it
      const tail = said();
      const { status, stdout, stderr } = spawnSync(binary, ["verify"], { env, encoding: "utf8" });
      if (database) database.drop();
      fs.rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`paddock serve ended with ${code ?? signal} after SIGTERM:\n${tail}`);
      if (status !== 0) throw new Error(`paddock verify ended with ${status}:\n${stdout}${stderr}`);
      return took;
    },
  };
}

module.exports = { start, engines };
