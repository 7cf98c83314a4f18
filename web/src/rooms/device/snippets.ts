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

/** A sketch for the ESP32 that sends every minute. TLS is used as the server's address says, without a pinned certificate. */
export function arduinoLines(origin: string, token: string): string {
  const secure = origin.startsWith("https:");
  return [
    `#include <WiFi.h>`,
    ...(secure ? [`#include <WiFiClientSecure.h>`] : []),
    `#include <HTTPClient.h>`,
    ``,
    `void setup() {`,
    `  WiFi.begin("your network", "its password");`,
    `  while (WiFi.status() != WL_CONNECTED) delay(500);`,
    `}`,
    ``,
    `void loop() {`,
    ...(secure ? [`  WiFiClientSecure client;`, `  client.setInsecure();`] : [`  WiFiClient client;`]),
    `  HTTPClient http;`,
    `  http.begin(client, "${origin}/data");`,
    `  http.addHeader("token", "${token}");`,
    `  http.addHeader("Content-Type", "application/json");`,
    `  http.POST("{\\"variable\\":\\"temperature\\",\\"value\\":21.5,\\"unit\\":\\"°C\\"}");`,
    `  http.end();`,
    `  delay(60000);`,
    `}`,
  ].join("\n");
}
