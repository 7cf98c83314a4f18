// Fails when the script a browser needs for its first page weighs more than 250 kB gzipped: the entry that index.html names,
// the console it starts, everything these import statically, and the heaviest language.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";

const limit = 250 * 1024;
const dist = new URL("../dist/", import.meta.url);
const html = readFileSync(new URL("index.html", dist), "utf8");
const assets = readdirSync(new URL("assets/", dist))
  .map((name) => name.replace(/\.gz$/, ""))
  .filter((name) => name.endsWith(".js"));
const read = (name) => {
  const plain = new URL(`assets/${name}`, dist);
  return existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(new URL(`assets/${name}.gz`, dist)));
};
const weigh = (name) => gzipSync(read(name), { level: 9 }).length;

const first = new Set([...html.matchAll(/(?:src|href)="\/console\/assets\/([^"]+\.js)"/g)].map((m) => m[1]));
if (first.size === 0) throw new Error("index.html names no script");
const started = assets.filter((name) => /^console-/.test(name));
if (started.length !== 1) throw new Error(`one console was to be found, there are ${started.length}`);
first.add(started[0]);
for (const name of first)
  for (const [, other] of read(name).toString().matchAll(/(?:import|from)\s*"\.\/([^"]+\.js)"/g)) first.add(other);
const languages = assets.filter((name) => /^(en|pt)-/.test(name)).sort((a, b) => weigh(b) - weigh(a));
if (languages.length === 0) throw new Error("there is no language");
first.add(languages[0]);

let sum = 0;
for (const name of first) {
  const size = weigh(name);
  sum += size;
  console.log(`${String(size).padStart(8)}  ${name}`);
}
console.log(`${String(sum).padStart(8)}  first load, gzipped (limit ${limit})`);
if (sum > limit) process.exit(1);
