// The client is pointed at this server by nothing but an environment variable, as the README says.

"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { after, before, describe, test } = require("node:test");

const { versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

for (const engine of engines) {
  describe(`TAGOIO_API on ${engine}`, { timeout: 60e3 }, () => {
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server?.stop());

    for (const { version } of versions) {
      test(`SDK ${version}: a script written for the cloud runs unchanged`, () => {
        const script = `
          const { Device, Resources } = require("sdk-${version}");
          (async () => {
            const { device_id, token } = await new Resources({ token: "${server.first.token}" }).devices.create({ name: "First", type: "mutable" });
            const device = new Device({ token });
            await device.sendData({ variable: "temperature", value: 21.5, unit: "°C" });
            const [{ variable, value, unit, device: id }] = await device.getData({ variables: "temperature" });
            console.log(JSON.stringify({ variable, value, unit, same: id === device_id }));
          })();
        `;
        const env = { ...process.env, TAGOIO_API: server.url, TAGOIO_SSE: server.url };
        const said = execFileSync(process.execPath, ["-e", script], { cwd: __dirname, env, encoding: "utf8" });
        assert.deepEqual(JSON.parse(said), { variable: "temperature", value: 21.5, unit: "°C", same: true });
      });
    }
  });
}
