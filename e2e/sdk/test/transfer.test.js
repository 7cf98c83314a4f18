// A profile changes hands while the official client uses it: the device goes on with its token, the former owner's token does not.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`transfer, SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, ada, bob, hers, his, profile, inside, meter;

      before(async () => {
        server = await start(engine, {});
        ada = server.first;
        bob = server.account("Bob");
        const region = server.region;
        hers = new sdk.Resources({ token: ada.token, region });
        his = new sdk.Resources({ token: bob.token, region });
        profile = (await hers.profiles.create({ name: "Harbour" })).id;
        const made = await sdk.Account.tokenCreate({ profile_id: profile, email: ada.email, password: ada.password, pin_code: "", name: "t" }, region);
        inside = new sdk.Resources({ token: made.token, region });
        const device = await inside.devices.create({ name: "Meter", type: "mutable" });
        meter = new sdk.Device({ token: device.token, region });
        await meter.sendData({ variable: "v", value: 1 });
      });
      after(() => server?.stop());

      const post = async (token, path, body) => {
        const answer = await fetch(server.url + path, { method: "POST", headers: { token, "content-type": "application/json" }, body: JSON.stringify(body) });
        const said = await answer.json();
        assert.ok(said.status, said.message);
        return said.result;
      };

      test("the device's token works before, during and after; the profile's token ends; the new owner has it all", async () => {
        const asked = await post(ada.token, `/profile/${profile}/transfer`, { email: bob.email, password: ada.password });
        assert.equal((await inside.devices.list()).length, 1);
        await meter.sendData({ variable: "v", value: 2 });
        await post(bob.token, `/transfer/${asked.id}/accept`, { password: bob.password });
        await meter.sendData({ variable: "v", value: 3 });
        const points = await meter.getData({ query: "last_item", variable: "v" });
        assert.equal(points[0].value, 3);
        await refused(() => inside.devices.list(), /Authorization Denied|Invalid [Tt]oken/);
        assert.ok(!(await hers.profiles.list()).some((row) => row.id === profile));
        const row = (await his.profiles.list()).find((one) => one.id === profile);
        assert.equal(row.name, "Harbour");
        assert.ok(!row.from_share);
        const info = await his.profiles.info(profile);
        assert.equal(info.info.account, bob.account);
      });
    });
  }
}
