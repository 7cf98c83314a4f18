// Listening with the client's own SSE: what a device stores arrives as it is stored, to whoever may read it.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { versions } = require("../lib/client.js");
const { weather } = require("../lib/files.js");
const { engines, start } = require("../lib/server.js");

/** Collects what a connection says; `of(n)` waits for n messages. */
function collect(connection) {
  const payloads = [];
  let changed = () => {};
  connection.onmessage = ({ data }) => {
    const { channel, payload } = JSON.parse(data);
    payloads.push({ channel, payload });
    changed();
  };
  const opened = new Promise((resolve, reject) => {
    connection.onopen = resolve;
    connection.onerror = (error) => reject(new Error(`not connected: ${error.message ?? error.code ?? error.type}`));
  });
  return {
    opened,
    async of(n) {
      const late = setTimeout(() => changed(new Error(`${payloads.length} of ${n} messages after 15 seconds`)), 15e3);
      try {
        while (payloads.length < n) {
          await new Promise((resolve, reject) => (changed = (error) => (error ? reject(error) : resolve())));
        }
      } finally {
        clearTimeout(late);
      }
      return payloads.slice(0, n);
    },
  };
}

for (const engine of engines) {
  describe(`live on ${engine}`, { timeout: 120e3 }, () => {
    let server;
    before(async () => (server = await start(engine)));
    after(() => server?.stop());

    for (const { version, sdk } of versions) {
      describe(`SDK ${version}`, () => {
        let resources, device, client;
        const open = [];
        before(async () => {
          const { token } = server.first;
          resources = new sdk.Resources({ token, region: server.region });
          device = await resources.devices.create({ name: `live ${version}`, type: "mutable" });
          client = new sdk.Device({ token: device.token, region: server.region });
        });
        after(() => open.forEach((connection) => connection.close()));

        const listen = async (channels, token) => {
          const connection = await sdk.SSE.openSSEListening(channels, { token, region: server.region });
          open.push(connection);
          return connection;
        };
        const own = () => ({ channel: "device_data", resource_id: device.device_id });

        test("points arrive as getData shows them, in the order of sending", async () => {
          const said = collect(await listen(own(), server.first.token));
          const heard = collect(await listen([own(), { channel: "notification" }], server.first.token));
          await Promise.all([said.opened, heard.opened]);
          const batches = [0, 1, 2, 3, 4].map((n) => weather().slice(n * 50, n * 50 + 50));
          for (const batch of batches) await client.sendData(batch);
          for (const listener of [said, heard]) {
            const messages = await listener.of(batches.length);
            messages.forEach(({ channel, payload }, n) => {
              assert.equal(channel, `device_data.${device.device_id}`);
              assert.deepEqual(
                payload.map(({ variable, value, time }) => [variable, value, time]),
                batches[n].map(({ variable, value, time }) => [variable, value, time.toISOString()]),
              );
            });
            const stored = await client.getData({ qty: 1000 });
            const told = messages.flatMap(({ payload }) => payload);
            const byId = (a, b) => (a.id < b.id ? -1 : 1);
            const plain = stored.map((row) => JSON.parse(JSON.stringify(row)));
            assert.deepEqual(told.sort(byId), plain.sort(byId));
          }
        });

        test("a device listens to itself with its own token", async () => {
          const said = collect(await listen(own(), device.token));
          await said.opened;
          await client.sendData({ variable: "state", value: "on" });
          const [{ payload }] = await said.of(1);
          assert.equal(payload[0].value, "on");
        });

        test("a refusal ends the connection for good", async () => {
          const connection = await listen(own(), "p-11111111-2222-4333-8444-555555555555");
          await assert.rejects(collect(connection).opened, /not connected/);
          assert.equal(connection.readyState, 2);
        });
      });
    }

    test("listeners do not hold up the end of the server", async () => {
      const [{ sdk }] = versions;
      const resources = new sdk.Resources({ token: server.first.token, region: server.region });
      const { device_id } = await resources.devices.create({ name: "to the end", type: "mutable" });
      const listening = { channel: "device_data", resource_id: device_id };
      const connection = await sdk.SSE.openSSEListening(listening, { token: server.first.token, region: server.region });
      await collect(connection).opened;
      const dropped = new Promise((resolve) => (connection.onerror = resolve));
      const took = await server.stop();
      server = null;
      await dropped;
      connection.close();
      // Requests under way may take 25 seconds; a connection that has asked nothing yet is given 5.
      assert.ok(took < 10e3, `the server took ${took} ms to end`);
    });
  });
}
