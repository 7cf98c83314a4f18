// Lines that work as pasted: this server's address and the device's token are in them.

/** What the snippets send. */
const point = { variable: "temperature", value: 21.5, unit: "°C" };

/** One line for a POSIX shell. */
export function curlLine(origin: string, token: string): string {
  return `curl -X POST ${origin}/data -H 'token: ${token}' -H 'Content-Type: application/json' -d '${JSON.stringify(point)}'`;
}

/** A script for the official client, which takes any server as its region. */
export function sdkLines(origin: string, token: string): string {
  return [
    `const { Device } = require("@tago-io/sdk");`,
    `const region = { api: "${origin}", sse: "${origin}" };`,
    `const device = new Device({ token: "${token}", region });`,
    `device.sendData({ variable: "temperature", value: 22.5, unit: "°C" })`,
    `  .then(console.log, console.error);`,
  ].join("\n");
}

/** Hides all of a token but its last four characters, which request lists show too. */
export function mask(token: string): string {
  return token.replace(/[^-]/g, "•").slice(0, -4) + token.slice(-4);
}
