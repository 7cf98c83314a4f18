// Devices: the list with its filters, tags, parameters, tokens, switches and protections.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, region, resources, devices;
      const made = []; // ids, in the order of their names

      before(async () => {
        server = await start(engine);
        region = server.region;
        resources = new sdk.Resources({ token: server.first.token, region });
        devices = resources.devices;
        for (let n = 1; n <= 25; n++) {
          const { device_id } = await devices.create({
            name: `Sensor ${String(n).padStart(2, "0")}`,
            type: n % 5 === 0 ? "immutable" : "mutable",
            ...(n % 5 === 0 && { chunk_period: "month", chunk_retention: 12 }),
            active: n !== 7,
            visible: n !== 8,
            description: `number ${n}`,
            serie_number: `SN-${n}`,
            connector: "62333bd36977fc001a2990c8",
            network: "62336c32ab6e0d0012e06c04",
            tags: [
              { key: "floor", value: String(n % 3) },
              ...(n <= 4 ? [{ key: "kind", value: n % 2 ? "Temperature" : "Wind" }] : []),
            ],
          });
          made.push(device_id);
        }
      });
      after(() => server?.stop());

      const names = async (query) => (await devices.list({ amount: 100, ...query })).map(({ name }) => name);
      const sensor = (...numbers) => numbers.map((n) => `Sensor ${String(n).padStart(2, "0")}`);

      test("info has every field", async () => {
        const info = await devices.info(made[4]);
        assert.equal(info.id, made[4]);
        assert.equal(info.profile, server.first.profile);
        assert.equal(info.name, "Sensor 05");
        assert.equal(info.description, "number 5");
        assert.equal(info.type, "immutable");
        assert.equal(info.chunk_period, "month");
        assert.equal(info.chunk_retention, 12);
        assert.deepEqual(info.tags, [{ key: "floor", value: "2" }]);
        assert.equal(info.connector, "62333bd36977fc001a2990c8");
        assert.equal(info.network, "62336c32ab6e0d0012e06c04");
        assert.equal(info.bucket.id, made[4]);
        assert.deepEqual([info.active, info.visible], [true, true]);
        assert.equal(info.last_input, null);
        assert.ok(info.created_at instanceof Date && info.updated_at instanceof Date);
      });

      test("a device knows itself by its token", async () => {
        const [{ token }] = await devices.tokenList(made[0]);
        const device = new sdk.Device({ token, region });
        const info = await device.info();
        assert.equal(info.id, made[0]);
        assert.equal(info.name, "Sensor 01");
        assert.equal(info.profile, server.first.profile);
        await device.sendData({ variable: "x", value: 1 });
        const account = new sdk.Account({ token: server.first.token, region });
        assert.equal(await sdk.Utils.getTokenByName(account, made[0]), token);
      });

      test("lists are paged, ordered and show the fields asked for", async () => {
        const first = await devices.list();
        assert.equal(first.length, 20);
        assert.deepEqual(first.map(({ name }) => name), sensor(...Array.from({ length: 20 }, (_, i) => i + 1)));
        assert.deepEqual(Object.keys(first[0]).sort(), ["id", "name", "tags"]);
        assert.deepEqual(await names({ page: 2, amount: 20 }), sensor(21, 22, 23, 24, 25));
        assert.deepEqual(await names({ page: 9, amount: 20 }), []);
        assert.deepEqual(await names({ amount: 3, orderBy: ["name", "desc"] }), sensor(25, 24, 23));
        const [row] = await devices.list({ amount: 1, fields: ["name", "active", "type", "created_at"] });
        assert.deepEqual(Object.keys(row).sort(), ["active", "created_at", "id", "name", "tags", "type"]);
        assert.ok(row.created_at instanceof Date);
      });

      test("filters: name with wildcards, id, active, type, tags, serial number", async () => {
        assert.deepEqual(await names({ filter: { name: "sensor 03" } }), sensor(3), "letters of either case");
        assert.deepEqual(await names({ filter: { name: "*0*" } }), sensor(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20));
        assert.deepEqual(await names({ filter: { name: "Sensor" } }), [], "without a star: the whole name");
        assert.deepEqual(await names({ filter: { name: "%" } }), [], "only the star is special");
        assert.deepEqual(await names({ filter: { id: made[2] } }), sensor(3));
        assert.deepEqual(await names({ filter: { id: [made[2], made[11]] } }), sensor(3, 12));
        assert.deepEqual(await names({ filter: { active: false } }), sensor(7));
        assert.deepEqual(await names({ filter: { visible: false } }), sensor(8));
        assert.deepEqual(await names({ filter: { type: "immutable" } }), sensor(5, 10, 15, 20, 25));
        assert.deepEqual(await names({ filter: { tags: [{ key: "kind" }] } }), sensor(1, 2, 3, 4));
        assert.deepEqual(await names({ filter: { tags: [{ key: "kind", value: "wind" }] } }), sensor(2, 4));
        assert.deepEqual(await names({ filter: { tags: [{ key: "kind" }, { key: "floor", value: "1" }] } }), sensor(1, 4));
        assert.deepEqual(await names({ filter: { tags: [{ value: "Temp*" }] } }), sensor(1, 3));
        assert.deepEqual(await names({ serial: "SN-9" }), sensor(9));
        assert.deepEqual(await names({ filter: { created_at: "1 day" } }).then((all) => all.length), 25);
      });

      test("the streaming list shows every device", async () => {
        const ids = new Set();
        for await (const page of devices.listStreaming({}, { poolingTime: 1 })) for (const { id } of page) ids.add(id);
        assert.deepEqual(ids, new Set(made));
      });

      test("edit changes what it names", async () => {
        const id = made[20];
        assert.equal(await devices.edit(id, { name: "Renamed", tags: [{ key: "room", value: "12" }] }), "Successfully Updated");
        const info = await devices.info(id);
        assert.equal(info.name, "Renamed");
        assert.deepEqual(info.tags, [{ key: "room", value: "12" }]);
        assert.equal(info.description, "number 21");
        await devices.edit(id, { name: "Sensor 21" });
        await refused(() => devices.edit(id, { name: "" }), /name/);
        await refused(() => devices.info("0123456789abcdef01234567"), /not found/i);
        await refused(() => devices.info("not-an-id"), /./);
      });

      test("buckets are devices by another name", async () => {
        assert.equal((await resources.buckets.list({ amount: 100 })).length, 25);
        assert.equal((await resources.buckets.info(made[1])).id, made[1]);
        assert.equal(await resources.buckets.amount(made[1]), 0);
      });

      test("parameters: set, list, mark as read by the device, remove", async () => {
        const id = made[1];
        assert.equal(await devices.paramSet(id, { key: "interval", value: "60", sent: false }), "Params Successfully Updated");
        await devices.paramSet(id, [
          { key: "unit", value: "C", sent: true },
          { key: "alarm", value: "30", sent: false },
        ]);
        const all = await devices.paramList(id);
        assert.deepEqual(
          all.map(({ key, value, sent }) => `${key}=${value} ${sent}`).sort(),
          ["alarm=30 false", "interval=60 false", "unit=C true"],
        );
        assert.deepEqual((await devices.paramList(id, true)).map(({ key }) => key), ["unit"]);
        const interval = all.find(({ key }) => key === "interval");
        await devices.paramSet(id, { key: "interval", value: "90", sent: false }, interval.id);

        const [{ token }] = await devices.tokenList(id);
        const device = new sdk.Device({ token, region });
        assert.deepEqual((await device.getParameters("onlyRead")).map(({ key }) => key), ["unit"]);
        assert.equal((await device.getParameters("onlyUnRead")).length, 2);
        assert.equal(await device.setParameterAsRead(interval.id), "Params Successfully Updated");
        const read = (await device.getParameters("all")).find(({ id }) => id === interval.id);
        assert.deepEqual([read.value, read.sent], ["90", true]);

        assert.equal(await devices.paramRemove(id, interval.id), "Successfully Removed");
        assert.equal((await devices.paramList(id)).length, 2);
        await refused(() => devices.paramRemove(id, interval.id), /not found/i);
      });

      test("device tokens: made, listed, limited, deleted", async () => {
        const id = made[2];
        const [original] = await devices.tokenList(id);
        const reading = await devices.tokenCreate(id, { name: "reader", permission: "read", expire_time: "never" });
        assert.equal(reading.permission, "read");
        assert.equal(reading.token.length, 36, "no prefix");
        const rows = await devices.tokenList(id);
        assert.deepEqual(new Set(rows.map(({ token }) => token)), new Set([original.token, reading.token]), "readable again");

        const reader = new sdk.Device({ token: reading.token, region });
        assert.deepEqual(await reader.getData(), []);
        await refused(() => reader.sendData({ variable: "x", value: 1 }), /Authorization Denied/);
        assert.equal((await reader.info()).id, id, "every live token may say who it is");

        assert.equal(await devices.tokenDelete(reading.token), "Token Successfully Removed");
        await refused(() => reader.getData(), /Authorization Denied/);
        assert.deepEqual(await new sdk.Device({ token: original.token, region }).getData(), []);
      });

      test("a device that is switched off refuses, until it is switched on", async () => {
        const id = made[3];
        const [{ token }] = await devices.tokenList(id);
        const device = new sdk.Device({ token, region });
        await devices.edit(id, { active: false });
        await refused(() => device.sendData({ variable: "x", value: 1 }), /deactivated|inactive|Authorization Denied/i);
        await refused(() => device.getData(), /deactivated|inactive|Authorization Denied/i);
        await devices.edit(id, { active: true });
        assert.equal(await device.sendData({ variable: "x", value: 1 }), "1 Data Added");
      });

      test("a device tagged as protected is not deleted", async () => {
        const { device_id } = await devices.create({
          name: "Protected",
          type: "mutable",
          tags: [{ key: "_delete_protection_", value: "Ask the building manager first" }],
        });
        await refused(() => devices.delete(device_id), /Ask the building manager first/);
        await devices.edit(device_id, { tags: [{ key: "_deletion_protection", value: "1" }] });
        await refused(() => devices.delete(device_id), /./);
        await devices.edit(device_id, { tags: [] });
        assert.equal(await devices.delete(device_id), "Successfully Removed");
        await refused(() => devices.info(device_id), /not found/i);
      });

      test("a serial number is unique in its profile and free in the next", async () => {
        await refused(() => devices.create({ name: "copy", type: "mutable", serie_number: "SN-1" }), /serie_number|serial/i);
        const { email, password } = server.first;
        const { id } = await resources.profiles.create({ name: "Next door" });
        const { token } = await sdk.Account.tokenCreate({ email, password, profile_id: id, name: "key" }, region);
        const next = new sdk.Resources({ token, region });
        assert.ok((await next.devices.create({ name: "same serial", type: "mutable", serie_number: "SN-1" })).device_id);
      });

      test("a device that is deleted takes its tokens with it", async () => {
        const { device_id, token } = await devices.create({ name: "Gone soon", type: "mutable" });
        const device = new sdk.Device({ token, region });
        await device.sendData({ variable: "x", value: 1 });
        assert.equal(await devices.delete(device_id), "Successfully Removed");
        await refused(() => device.getData(), /Authorization Denied/);
        await refused(() => devices.amount(device_id), /not found/i);
        await refused(() => devices.delete(device_id), /not found/i);
      });

      test("bad descriptions of a device name the field", async () => {
        for (const [bad, says] of [
          [{ type: "mutable" }, /name/],
          [{ name: "x".repeat(1000), type: "mutable" }, /name/],
          [{ name: "x", type: "eternal" }, /type/],
          [{ name: "x", type: "immutable", chunk_period: "fortnight", chunk_retention: 1 }, /chunk_period/],
          [{ name: "x", type: "immutable", chunk_period: "month", chunk_retention: 37 }, /chunk_retention/],
          [{ name: "x", type: "mutable", tags: [{ key: 7, value: "x" }] }, /tags/],
          [{ name: "x", type: "mutable", tags: "floor" }, /tags/],
        ]) {
          await refused(() => devices.create(bad), says, JSON.stringify(bad).slice(0, 80));
        }
      });
    });
  }
}
