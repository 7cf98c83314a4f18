// Writes src/api/schema.d.ts, the types of the API's document. It is made anew by every `npm run lint`, so the console is
// always checked against the API as it is; the file is left alone when nothing changed, so that nothing is built again.
import { readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const to = new URL("../src/api/schema.d.ts", import.meta.url);
const text = `// Made by npm run types from api/openapi.json.\n${astToString(await openapi(new URL("../../api/openapi.json", import.meta.url)))}`;
let before = "";
try {
  before = readFileSync(to, "utf8");
} catch {
  // the first time
}
if (text !== before) writeFileSync(to, text);
