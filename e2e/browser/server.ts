// Starts the real server with nothing in it, and stops it again.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import pg from "pg";

export type Engine = "sqlite" | "postgres";

export interface Paddock {
  /** Where it listens, without a slash at the end. */
  url: string;
  /** The one-time link it printed; empty where the demo has made accounts. */
  setupLink: string;
  /** Who may sign in, as the demo printed it: the integrator, a customer, an outsider. */
  signIns: { email: string; password: string }[];
  stop: () => Promise<void>;
}

/** Starts it with an empty data folder or what `paddock demo` makes, on PostgreSQL with a database of its own too; `more` are
 *  further flags of serve. */
export async function startPaddock(engine: Engine, { demo = false }, ...more: string[]): Promise<Paddock> {
  const binary = resolve(import.meta.dirname, process.env.PADDOCK_BIN || "../../bin/paddock");
  const data = await mkdtemp(join(tmpdir(), "paddock-browser-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const at = ["--data", data];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PADDOCK_")));
  let database: Database | undefined;
  if (engine === "postgres") {
    database = await freshDatabase();
    at.push("--database", database.url);
    env.PADDOCK_SECRET_KEY = randomBytes(32).toString("base64");
  }
  let signIns: Paddock["signIns"] = [];
  if (demo) {
    const { stdout } = await promisify(execFile)(binary, ["demo", ...at], { env });
    signIns = [...stdout.matchAll(/(\S+@\S+)\s+password (\S+)/g)].map(([, email = "", password = ""]) => ({ email, password }));
  }
  // Every line of the log is looked through for secrets.
  const child = spawn(binary, ["serve", "--log-requests", "all", "--listen", listen, ...at, ...more], { env, stdio: ["ignore", "pipe", "pipe"] });
  if (process.env.E2E_LOGS) {
    // scripts/secrets.sh reads it.
    const log = createWriteStream(join(process.env.E2E_LOGS, `${basename(data)}.log`));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
  }
  const stop = async (): Promise<void> => {
    await end(child);
    await database?.drop();
    await rm(data, { recursive: true, force: true });
  };
  try {
    const said = await printed(child, demo ? /Paddock \S+/ : /https?:\/\/\S+\/console\/setup\/[^\s"]+/);
    return { url: `http://${listen}`, setupLink: demo ? "" : said, signIns, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads what the server prints until something is there, and returns it. */
function printed(child: ChildProcess, what: RegExp): Promise<string> {
  return new Promise((done, fail) => {
    let said = "";
    const timer = setTimeout(() => fail(new Error(`nothing like ${what} within 20 s; the server said:\n${said}`)), 20_000);
    const listen = (part: Buffer): void => {
      said += part.toString();
      const found = what.exec(said);
      // A link at the very end may still be growing.
      if (!found || found.index + found[0].length === said.length) return;
      clearTimeout(timer);
      done(found[0]);
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", listen);
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`the server ended with ${code}:\n${said}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await gone;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

interface Database {
  url: string;
  drop: () => Promise<void>;
}

/** An empty database of its own, so that two runs do not meet. */
async function freshDatabase(): Promise<Database> {
  const admin = process.env.TEST_POSTGRES;
  if (!admin) throw new Error("TEST_POSTGRES is not set: the console is tested on PostgreSQL too");
  const name = `paddock_browser_${randomBytes(6).toString("hex")}`;
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: admin });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}
