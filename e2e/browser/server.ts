// Starts the real server with nothing in it, and stops it again.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import pg from "pg";

export type Engine = "sqlite" | "postgres";

export interface Paddock {
  /** Where it listens, without a slash at the end. */
  url: string;
  /** The one-time link it printed. */
  setupLink: string;
  stop: () => Promise<void>;
}

/** Starts it with an empty data folder, on PostgreSQL with an empty database too; `more` are further flags of serve. */
export async function startPaddock(engine: Engine, ...more: string[]): Promise<Paddock> {
  const binary = resolve(import.meta.dirname, process.env.PADDOCK_BIN || "../../bin/paddock");
  const data = await mkdtemp(join(tmpdir(), "paddock-browser-"));
  const listen = `127.0.0.1:${await freePort()}`;
  const args = ["serve", "--listen", listen, "--data", data, ...more];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PADDOCK_")));
  let database: Database | undefined;
  if (engine === "postgres") {
    database = await freshDatabase();
    args.push("--database", database.url);
    env.PADDOCK_SECRET_KEY = randomBytes(32).toString("base64");
  }
  const child = spawn(binary, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const stop = async (): Promise<void> => {
    await end(child);
    await database?.drop();
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { url: `http://${listen}`, setupLink: await printedLink(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads what the server prints until the set-up link is there. */
function printedLink(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let said = "";
    const timer = setTimeout(() => fail(new Error(`no set-up link within 20 s; the server said:\n${said}`)), 20_000);
    const listen = (part: Buffer): void => {
      said += part.toString();
      const link = /https?:\/\/\S+\/console\/setup\/[^\s"]+/.exec(said);
      // A link at the very end may still be growing.
      if (!link || link.index + link[0].length === said.length) return;
      clearTimeout(timer);
      done(link[0]);
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
