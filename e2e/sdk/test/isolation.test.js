// Whoever asks, and whatever is asked: a profile's token sees nothing of another profile. Tried between two
// profiles of one owner and between two owners, each way, with every call of the client that takes an id.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { earthquakes, weather } = require("../lib/files.js");
const { engines, start } = require("../lib/server.js");

// What is not yours and what does not exist are the same answer; what your kind of token may never do is another.
const hidden = /not found|has no data with the id|Authorization Denied|Invalid|Not available yet/i;

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, region, ada, other;
      const fenced = {}; // A and B of one owner, C of another

      /** A profile with a token that reaches it alone, one device, its token, a parameter and data. */
      async function furnish(label, owner, profile, points) {
        const resources = new sdk.Resources({ token: owner.token, region });
        const { token } = await resources.profiles.tokenCreate(profile, {
          name: `token of ${label}`,
          permission: "full",
          expire_time: "never",
          email: owner.email,
          password: owner.password,
        });
        assert.match(token, /^p-/);
        const mine = new sdk.Resources({ token, region });
        const device = await mine.devices.create({
          name: `device of ${label}`,
          type: "mutable",
          serie_number: `serial-${label}`,
          tags: [{ key: `key_${label}`, value: `value ${label}` }],
          configuration_params: [{ key: "secret", value: label, sent: false }],
        });
        const client = new sdk.Device({ token: device.token, region });
        await client.sendData(points);
        const [param] = await mine.devices.paramList(device.device_id);
        const [row] = await client.getData({ qty: 1 });
        fenced[label] = { label, id: profile, token, mine, device: device.device_id, deviceToken: device.token, client, param, row, points };
      }

      /** Everything of a profile that its owner can see: to prove that nothing was changed. */
      async function seen({ mine, id, device, client, points }) {
        const rows = [];
        for (let skip = 0; skip < points.length; skip += 5000) {
          rows.push(...(await client.getData({ qty: 5000, skip, ordination: "ascending" })));
        }
        const { updated_at, last_input, ...info } = await mine.devices.info(device);
        const { limit_used, amount } = await mine.profiles.summary(id);
        const { output, ...used } = limit_used;
        return {
          info,
          rows,
          used,
          amount,
          profile: await mine.profiles.info(id),
          params: await mine.devices.paramList(device),
          tokens: (await mine.profiles.tokenList(id)).map(({ name, permission }) => [name, permission]),
          deviceTokens: (await mine.devices.tokenList(device)).map(({ token }) => token),
          devices: await mine.devices.list({ amount: 100 }),
          tagKeys: await mine.tags.getTagKeys("device"),
        };
      }

      before(async () => {
        server = await start(engine);
        region = server.region;
        ada = server.first;
        other = server.account("Charles");
        const { id } = await new sdk.Resources({ token: ada.token, region }).profiles.create({ name: "B" });
        await furnish("A", ada, ada.profile, weather().slice(0, 2000));
        await furnish("B", ada, id, earthquakes().slice(0, 1000));
        await furnish("C", other, other.profile, weather().slice(2000, 3000));
      });
      after(() => server?.stop());

      /** Every call of the client that names something of the other profile. */
      function attempts({ mine, client, label }, victim) {
        const { id, device, deviceToken, param, row, token } = victim;
        const { devices, profiles, files } = mine;
        const owner = victim.label === "C" ? other : ada;
        const credentials = { email: owner.email, password: owner.password };
        return {
          "devices.info": () => devices.info(device),
          "devices.edit": () => devices.edit(device, { name: "stolen" }),
          "devices.delete": () => devices.delete(device),
          "devices.paramList": () => devices.paramList(device),
          "devices.paramSet": () => devices.paramSet(device, { key: "planted", value: label, sent: false }),
          "devices.paramSet of a known parameter": () => devices.paramSet(device, { key: "secret", value: label }, param.id),
          "devices.paramRemove": () => devices.paramRemove(device, param.id),
          "devices.tokenList": () => devices.tokenList(device),
          "devices.tokenCreate": () => devices.tokenCreate(device, { name: "spare key", permission: "full" }),
          "devices.tokenDelete": () => devices.tokenDelete(deviceToken),
          "devices.amount": () => devices.amount(device),
          "devices.getDeviceData": () => devices.getDeviceData(device, { qty: 1 }),
          "devices.getDeviceData, count": () => devices.getDeviceData(device, { query: "count" }),
          "devices.getDeviceData by id": () => devices.getDeviceData(device, { ids: row.id }),
          "devices.sendDeviceData": () => devices.sendDeviceData(device, { variable: "planted", value: 1 }),
          "devices.editDeviceData": () => devices.editDeviceData(device, { id: row.id, value: -1 }),
          "devices.deleteDeviceData": () => devices.deleteDeviceData(device, { ids: [row.id] }),
          "devices.emptyDeviceData": () => devices.emptyDeviceData(device),
          "devices.getChunk": () => devices.getChunk(device),
          "devices.deleteChunk": () => devices.deleteChunk(device, "1262304000_1264982400"),
          "devices.dataBackup": () => devices.dataBackup({ deviceID: device, file_address: "/stolen.csv" }),
          "buckets.info": () => mine.buckets.info(device),
          "buckets.amount": () => mine.buckets.amount(device),
          "profiles.info": () => profiles.info(id),
          "profiles.summary": () => profiles.summary(id),
          "profiles.summary, amounts": () => profiles.summary(id, { onlyAmount: true }),
          "profiles.edit": () => profiles.edit(id, { name: "stolen" }),
          "profiles.delete": () => profiles.delete(id, { password: owner.password }),
          "profiles.tokenList": () => profiles.tokenList(id),
          "profiles.tokenCreate": () => profiles.tokenCreate(id, { name: "key", permission: "full", ...credentials }),
          "profiles.tokenDelete": () => profiles.tokenDelete(id, token),
          "profiles.tokenDelete through its own": () => profiles.tokenDelete(fenced[label].id, token),
          "profiles.serviceEdit": () => profiles.serviceEdit(id, { input: 1 }),
          "profiles.usageStatisticList": () => profiles.usageStatisticList(id, { date: "2026-01-01" }),
          "profiles.auditLog": () => profiles.auditLog(id),
          "profiles.teamList": () => profiles.teamList(id),
          "profiles.addTeamMember": () => profiles.addTeamMember(id, other.email),
          "profiles.transferTokenToAnotherProfile": () => profiles.transferTokenToAnotherProfile(id),
          "files.getFileMD5": () => files.getFileMD5(`${server.url}/file/${id}/report.pdf`),
          "files.getFileURLSigned": () => files.getFileURLSigned(`${server.url}/file/${id}/report.pdf`),
          "device.editData": () => client.editData({ id: row.id, value: -1 }),
          "device.setParameterAsRead": () => client.setParameterAsRead(param.id),
        };
      }

      for (const [from, to] of [
        ["B", "A"],
        ["A", "B"],
        ["C", "A"],
        ["A", "C"],
      ]) {
        test(`${from} reaches nothing of ${to} by id`, async () => {
          const victim = fenced[to];
          const before = await seen(victim);
          for (const [name, call] of Object.entries(attempts(fenced[from], victim))) {
            await refused(call, hidden, `${name} from ${from} at ${to}`);
          }
          assert.deepEqual(await seen(victim), before, `${to} is as it was`);
        });

        test(`${from}'s lists show nothing of ${to}`, async () => {
          const { mine, client } = fenced[from];
          const victim = fenced[to];
          const own = [fenced[from].device];
          const ids = (rows) => rows.map(({ id }) => id);
          assert.deepEqual(ids(await mine.devices.list({ amount: 1000 })), own);
          assert.deepEqual(ids(await mine.buckets.list({ amount: 1000 })), own);
          for (const filter of [
            { id: victim.device },
            { name: `device of ${to}` },
            { tags: [{ key: `key_${to}` }] },
            { tags: [{ key: `key_${to}`, value: `value ${to}` }] },
          ]) {
            assert.deepEqual(await mine.devices.list({ filter }), [], JSON.stringify(filter));
          }
          assert.deepEqual(await mine.devices.list({ serial: `serial-${to}` }), []);
          assert.deepEqual(await mine.tags.getTagKeys("device"), [`key_${from}`]);
          assert.deepEqual(ids(await mine.profiles.list()), [fenced[from].id], "one profile: its own");
          const tokens = await mine.profiles.tokenList(fenced[from].id, { amount: 100, filter: { token: victim.token } });
          assert.deepEqual(tokens, [], "another profile's token is not found by its text");
          assert.deepEqual(await client.getData({ ids: victim.row.id }), [], "another device's row is not found by its id");
          assert.equal(await client.deleteData({ ids: victim.row.id }).catch(() => "0 Data Removed"), "0 Data Removed");
        });
      }

      test("a token that reaches its profile alone has no say about the account", async () => {
        const { mine } = fenced.B;
        assert.equal((await mine.account.info()).email, ada.email);
        for (const call of [
          () => mine.account.edit({ name: "Eve" }),
          () => mine.account.passwordChange("a new password 1!"),
          () => mine.account.delete(),
          () => mine.profiles.create({ name: "one more" }),
          () => mine.billing.getAllocation(),
          () => mine.billing.editAllocation([{ profile: fenced.B.id, input: 1 }]),
          () => mine.profiles.transferTokenToAnotherProfile(fenced.A.id),
        ]) {
          await refused(call, /Authorization Denied/);
        }
        assert.equal((await new sdk.Resources({ token: ada.token, region }).account.info()).name, ada.name);
      });

      test("a device's token reaches its own device and nothing else", async () => {
        const { deviceToken } = fenced.A;
        const { devices, profiles, account } = new sdk.Resources({ token: deviceToken, region });
        for (const call of [
          () => devices.list(),
          () => devices.info(fenced.A.device),
          () => devices.getDeviceData(fenced.A.device),
          () => devices.tokenCreate(fenced.A.device, { name: "spare key", permission: "full" }),
          () => profiles.info("current"),
          () => profiles.list(),
          () => account.info(),
        ]) {
          await refused(call, /Authorization Denied/);
        }
        assert.equal((await fenced.A.client.info()).id, fenced.A.device);
      });

      test("a profile's token is not a device's, and rubbish is nobody's", async () => {
        for (const token of [fenced.A.token, "", "p-", "6e5b5c2e-0000-4000-8000-000000000000", `${fenced.A.deviceToken}x`]) {
          if (token) await refused(() => new sdk.Device({ token, region }).getData(), /Authorization Denied/);
        }
        const nobody = new sdk.Resources({ token: "p-6e5b5c2e-0000-4000-8000-000000000000", region });
        await refused(() => nobody.devices.list(), /Authorization Denied/);
      });

      test("credentials open the profiles of their own account alone", async () => {
        const tokenOf = ({ email, password }, profile_id) =>
          sdk.Account.tokenCreate({ email, password, profile_id, name: "key" }, region);
        await refused(() => tokenOf(other, fenced.A.id), hidden);
        await refused(() => tokenOf(ada, fenced.C.id), hidden);
        await refused(() => tokenOf({ email: ada.email, password: other.password }, fenced.A.id), /Invalid credentials/);
        await refused(() => tokenOf({ email: "nobody@example.test", password: "x" }, fenced.A.id), /Invalid credentials/);
      });

      test("a token of the account moves from A to B, and then A is out of its reach", async () => {
        const { token } = await sdk.Account.tokenCreate(
          { email: ada.email, password: ada.password, profile_id: fenced.A.id, name: "roving" },
          region,
        );
        const roving = new sdk.Resources({ token, region });
        const here = async () => (await roving.devices.list()).map(({ id }) => id);
        assert.deepEqual(await here(), [fenced.A.device]);
        assert.equal(await roving.profiles.transferTokenToAnotherProfile(fenced.B.id), "Token Successfully Transferred");
        assert.deepEqual(await here(), [fenced.B.device]);
        assert.equal((await roving.profiles.info("current")).info.id, fenced.B.id);
        await refused(() => roving.devices.info(fenced.A.device), hidden);
        await refused(() => roving.profiles.transferTokenToAnotherProfile(fenced.C.id), hidden);
        assert.deepEqual(await here(), [fenced.B.device], "a refused move moves nothing");
      });
    });
  }
}
