// The audit log of a profile through the official client.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, ada, resources;

      before(async () => {
        server = await start(engine);
        ada = server.first;
        resources = new sdk.Resources({ token: ada.token, region: server.region });
      });
      after(() => server?.stop());

      test("auditLog finds what was done, auditLogQuery gives the same answer again", async () => {
        const { device_id: id } = await resources.devices.create({ name: "Barn", type: "mutable" });
        await resources.devices.edit(id, { name: "Shed" });
        const filter = {
          resourceID: id,
          resourceName: "device",
          find: "device*",
          start_date: new Date(Date.now() - 60e3),
          end_date: new Date(Date.now() + 60e3),
          limit: 10,
        };
        const log = await resources.profiles.auditLog(ada.profile, filter);
        assert.equal(log.status, "Complete");
        assert.deepEqual(log.events.map((event) => event.message), ['Device "Barn" created', 'Device "Shed" edited']);
        const [event] = log.events;
        assert.equal(event.resourceName, "device");
        assert.equal(event.resourceID, id);
        assert.equal(event.who, ada.account);
        assert.ok(new Date(event.date) <= new Date());
        assert.equal(log.statistics.recordsMatched, 2);
        assert.ok(log.statistics.recordsScanned >= 2 && log.statistics.bytesScanned > 0);

        const again = await resources.profiles.auditLogQuery(ada.profile, log.queryId);
        assert.deepEqual(again, log);
        await refused(() => resources.profiles.auditLogQuery(ada.profile, "0123456789abcdef01234567"), /Query Not Found/);
      });

      test("nothing found is an empty list", async () => {
        const log = await resources.profiles.auditLog(ada.profile, { find: "*", resourceName: "network" });
        assert.deepEqual(log.events, []);
      });
    });
  }
}
