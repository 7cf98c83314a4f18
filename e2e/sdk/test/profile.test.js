// Accounts, profiles, their tokens and what they may use, through the official client.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { weather } = require("../lib/files.js");
const { engines, start } = require("../lib/server.js");

const services = [
  "input",
  "output",
  "analysis",
  "data_records",
  "sms",
  "email",
  "run_users",
  "push_notification",
  "file_storage",
];

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, region, ada, resources;

      before(async () => {
        server = await start(engine);
        region = server.region;
        ada = server.first;
        resources = new sdk.Resources({ token: ada.token, region });
      });
      after(() => server?.stop());

      const credentials = () => ({ email: ada.email, password: ada.password });

      test("the server says its version to anybody", async () => {
        const answer = await sdk.Utils.getAPIVersion(region);
        assert.ok(typeof answer === "string" && answer.length > 0);
      });

      test("account: info and edit", async () => {
        const info = await resources.account.info();
        assert.equal(info.id, ada.account);
        assert.equal(info.email, ada.email);
        assert.equal(info.active, true);
        assert.equal(info.blocked, false);
        assert.ok(["free", "starter", "scale"].includes(info.plan), "a plan that the client knows");
        assert.ok(info.created_at instanceof Date);
        const changes = { name: "Ada L.", company: "Analytical Engines", timezone: "Europe/London", language: "en" };
        assert.equal(await resources.account.edit(changes), "Account Successfully Updated");
        const { name, company, timezone, language } = await resources.account.info();
        assert.deepEqual({ name, company, timezone, language }, changes);
        await refused(() => resources.account.edit({ timezone: "Mars/Olympus" }), /timezone/);
      });

      test("login lists the profiles, and says the same to a wrong password and an unknown address", async () => {
        const { id, profiles, token } = await sdk.Account.login(credentials(), region);
        assert.equal(id, ada.account);
        assert.ok(profiles.some((profile) => profile.id === ada.profile));
        assert.equal(token, undefined);
        const wrong = await refused(() => sdk.Account.login({ ...credentials(), password: "wrong" }, region), /Invalid credentials/);
        const unknown = await refused(() => sdk.Account.login({ email: "no@example.test", password: "wrong" }, region), /./);
        assert.equal(unknown, wrong);
      });

      test("a server that invites lets nobody sign up by themselves", async () => {
        const person = {
          name: "Mallory",
          email: "mallory@example.test",
          password: "a long password 1!",
          cpassword: "a long password 1!",
          timezone: "UTC",
        };
        await refused(() => sdk.Account.create(person, region), /./);
        await refused(() => sdk.Account.login(person, region), /Invalid credentials/);
      });

      test("recovery answers the same whether the address is known or not", async () => {
        const known = await sdk.Account.passwordRecover(ada.email, region);
        assert.equal(await sdk.Account.passwordRecover("no+body@example.test", region), known);
      });

      test("profiles: create, list, info, edit, delete", async () => {
        const { id } = await resources.profiles.create({ name: "Customer" });
        assert.match(id, /^[0-9a-f]{24}$/);
        const { id: twin } = await resources.profiles.create({ name: "Customer" });
        assert.notEqual(twin, id, "names may repeat");
        const listed = (await resources.profiles.list()).map((profile) => profile.id);
        assert.deepEqual(new Set(listed), new Set([ada.profile, id, twin]));

        const { info, allocation, addons, account_plan } = await resources.profiles.info(id);
        assert.equal(info.id, id);
        assert.equal(info.account, ada.account);
        assert.equal(info.name, "Customer");
        assert.ok(info.created_at instanceof Date);
        for (const service of services) assert.equal(typeof allocation[service], "number", service);
        assert.equal(addons.custom_dns, false);
        assert.ok(["free", "starter", "scale"].includes(account_plan));
        assert.equal((await resources.profiles.info("current")).info.id, ada.profile);

        assert.equal(await resources.profiles.edit(id, { name: "Customer One" }), "Successfully Updated");
        const after = await resources.profiles.info(id);
        assert.equal(after.info.name, "Customer One");
        assert.ok(after.info.updated_at >= info.updated_at);
        await refused(() => resources.profiles.edit(id, { name: "" }), /name/);

        await refused(() => resources.profiles.delete(twin, { password: "wrong" }), /Invalid password/);
        assert.equal((await resources.profiles.info(twin)).info.id, twin, "a wrong password deletes nothing");
        assert.equal(await resources.profiles.delete(twin, { password: ada.password }), "Successfully Removed");
        await refused(() => resources.profiles.info(twin), /not found/i);
        assert.ok(!(await resources.profiles.list()).some((profile) => profile.id === twin));
        await resources.profiles.delete(id, { password: ada.password });
        await refused(() => resources.profiles.delete(ada.profile, { password: ada.password }), /./, "the last profile stays");
      });

      test("a deleted profile's tokens and devices are gone at once, its siblings are not", async () => {
        const { id } = await resources.profiles.create({ name: "Short-lived" });
        const { token } = await sdk.Account.tokenCreate({ ...credentials(), profile_id: id, name: "key" }, region);
        const mine = new sdk.Resources({ token, region });
        const gone = await mine.devices.create({ name: "gone", type: "mutable" });
        const kept = await resources.devices.create({ name: "kept", type: "mutable" });
        await resources.profiles.delete(id, { password: ada.password });
        await refused(() => mine.devices.list(), /Authorization Denied/);
        await refused(() => new sdk.Device({ token: gone.token, region }).getData(), /Authorization Denied/);
        assert.equal(await new sdk.Device({ token: kept.token, region }).sendData({ variable: "x", value: 1 }), "1 Data Added");
        await resources.devices.delete(kept.device_id);
      });

      test("summary: what may be used, what is used, what there is", async () => {
        const whole = await resources.profiles.summary(ada.profile);
        for (const service of services) {
          assert.equal(typeof whole.limit[service], "number", `limit of ${service}`);
          assert.equal(typeof whole.limit_used[service], "number", `use of ${service}`);
        }
        assert.equal(whole.amount.device, 0);
        const { device_id } = await resources.devices.create({ name: "counted", type: "mutable" });
        const { amount } = await resources.profiles.summary(ada.profile, { onlyAmount: true });
        assert.equal(amount.device, 1);
        await resources.devices.delete(device_id);
        assert.equal((await resources.profiles.summary(ada.profile)).amount.device, 0);
      });

      test("tokens: made with a password, shown once, listed, deleted", async () => {
        const { profiles } = resources;
        const wish = { name: "ci", permission: "full", expire_time: "never", ...credentials() };
        await refused(() => profiles.tokenCreate(ada.profile, { ...wish, password: "wrong" }), /Invalid (password|credentials)/);
        const made = await profiles.tokenCreate(ada.profile, wish);
        assert.match(made.token, /^p-/);
        assert.equal(made.permission, "full");
        assert.equal(made.expire_date, "never");

        const fields = ["name", "token", "permission", "created_at", "created_by", "expire_time", "last_authorization"];
        const [row, ...more] = await profiles.tokenList(ada.profile, { fields, filter: { name: "ci" } });
        assert.equal(more.length, 0);
        assert.equal(row.name, "ci");
        assert.equal(row.created_by, ada.account);
        assert.ok(row.created_at instanceof Date);
        assert.equal(row.expire_time, null);
        assert.notEqual(row.token, made.token, "a list shows a handle");
        await refused(() => new sdk.Resources({ token: row.token, region }).devices.list(), /Authorization Denied/);
        assert.equal((await profiles.tokenList(ada.profile, { filter: { token: made.token } })).length, 1, "found by its text");

        const other = new sdk.Resources({ token: made.token, region });
        assert.equal((await other.profiles.info("current")).info.id, ada.profile);
        const bare = new sdk.Resources({ token: made.token.replace(/^p-/, ""), region });
        assert.equal((await bare.profiles.info("current")).info.id, ada.profile, "the prefix may be left out");
        const info = await new sdk.Authorization({ token: made.token, region }).info();
        assert.equal(info.name, "ci");
        assert.equal(info.type, "profile");

        assert.equal(await profiles.tokenDelete(ada.profile, row.token), "Token Successfully Removed");
        await refused(() => other.profiles.info("current"), /Authorization Denied/);
        assert.equal((await resources.profiles.info("current")).info.id, ada.profile, "the others go on");
      });

      test("permissions: read reads, write creates and changes, neither does the other's work", async () => {
        const tokenFor = async (permission) => {
          const { token } = await resources.profiles.tokenCreate(ada.profile, {
            name: permission,
            permission,
            expire_time: "1 hour",
            ...credentials(),
          });
          return new sdk.Resources({ token, region }).devices;
        };
        const { device_id } = await resources.devices.create({ name: "watched", type: "mutable" });
        const [reader, writer] = [await tokenFor("read"), await tokenFor("write")];
        assert.equal((await reader.info(device_id)).name, "watched");
        await refused(() => reader.edit(device_id, { name: "x" }), /Authorization Denied/);
        await refused(() => reader.create({ name: "x", type: "mutable" }), /Authorization Denied/);
        await refused(() => reader.delete(device_id), /Authorization Denied/);
        assert.equal(await writer.edit(device_id, { name: "renamed" }), "Successfully Updated");
        await refused(() => writer.info(device_id), /Authorization Denied/);
        await refused(() => writer.delete(device_id), /Authorization Denied/);
        await refused(() => writer.emptyDeviceData(device_id), /Authorization Denied/);
        assert.equal((await resources.devices.info(device_id)).name, "renamed");
        await resources.devices.delete(device_id);
      });

      test("a token lives as long as it was given", async () => {
        const soon = new Date(Date.now() + 1500);
        const { token } = await resources.profiles.tokenCreate(ada.profile, {
          name: "brief",
          permission: "full",
          expire_time: soon,
          ...credentials(),
        });
        const brief = new sdk.Resources({ token, region });
        assert.ok(Array.isArray(await brief.devices.list()));
        await new Promise((resolve) => setTimeout(resolve, soon - Date.now() + 50));
        await refused(() => brief.devices.list(), /Authorization Denied|expired/i);
        const past = { name: "x", permission: "full", expire_time: new Date(0), ...credentials() };
        await refused(() => resources.profiles.tokenCreate(ada.profile, past), /expire_time/);
        await refused(() => resources.profiles.tokenCreate(ada.profile, { ...past, expire_time: "whenever" }), /expire_time/);
      });

      test("what is not built yet says so at once", async () => {
        const asked = Date.now();
        await refused(() => resources.analysis.list(), /^Not available yet/);
        await refused(() => resources.actions.list(), /^Not available yet/);
        assert.ok(Date.now() - asked < 2000, "without the client's retries");
      });

      describe("an account that shares a pool", () => {
        let owner, mine, second, token;
        const row = async (id) => (await mine.billing.getAllocation()).find(({ profile }) => profile === id);

        before(() => {
          owner = server.account("Grace", { plan: "starter" });
          mine = new sdk.Resources({ token: owner.token, region });
        });

        test("its only profile has the whole pool and cannot be allocated", async () => {
          const { limit } = await mine.profiles.summary(owner.profile);
          assert.deepEqual([limit.input, limit.output, limit.data_records], [1000000, 3000000, 800000]);
          await refused(() => mine.billing.editAllocation([{ profile: owner.profile, input: 5 }]), /./);
          await refused(() => mine.profiles.serviceEdit(owner.profile, { input: 5 }), /./);
        });

        test("a second profile gets its share, a third is over the plan's cap", async () => {
          ({ id: second } = await mine.profiles.create({ name: "Second" }));
          const { email, password } = owner;
          ({ token } = await sdk.Account.tokenCreate({ email, password, profile_id: second, name: "key" }, region));
          const rows = await mine.billing.getAllocation();
          assert.equal(rows.length, 2);
          for (const [service, pool] of [["input", 1000000], ["output", 3000000], ["data_records", 800000]]) {
            const total = rows.reduce((sum, each) => sum + each[service], 0);
            assert.ok(total <= pool, `${service}: ${total} of ${pool}`);
          }
          assert.ok((await row(second)).input > 0, "a new profile accepts a first point");
          await refused(() => mine.profiles.create({ name: "Third" }), /^You have exceeded the maximum limit/);
          assert.equal((await mine.profiles.list()).length, 2);
        });

        test("an allocation must fit the pool, and one that does not changes nothing", async () => {
          const before = await mine.billing.getAllocation();
          const update = (rows) => mine.billing.editAllocation(rows);
          await refused(() => update([{ profile: owner.profile, input: 900000 }, { profile: second, input: 100001 }]), /input/);
          await refused(() => update([{ profile: ada.profile, input: 1 }]), /./, "somebody else's profile");
          await refused(() => update({ profile: second, input: 1 }), /./, "not a list");
          await refused(() => update([{ profile: second, input: -1 }]), /input/);
          assert.deepEqual(await mine.billing.getAllocation(), before);

          const text = "Profile resource allocation Successfully Updated";
          assert.equal(await update([{ profile: second, input: 100, data_records: 60, output: 50 }]), text);
          const after = await row(second);
          assert.deepEqual([after.input, after.data_records, after.output], [100, 60, 50]);
          assert.deepEqual(await row(owner.profile), before.find(({ profile }) => profile === owner.profile));
          assert.equal(await mine.profiles.serviceEdit(second, { input: 110 }), text);
          assert.equal((await row(second)).input, 110);
        });

        test("at a limit the profile is refused whole requests, and only that profile", async () => {
          const points = weather();
          const limited = new sdk.Resources({ token, region });
          const used = async () => (await limited.profiles.summary(second)).limit_used;
          const small = await limited.devices.create({ name: "small", type: "mutable" });
          const device = new sdk.Device({ token: small.token, region });

          assert.equal(await device.sendData(points.slice(0, 60)), "60 Data Added", "exactly the limit fits");
          await refused(() => device.sendData(points[60]), /^You have exceeded the maximum limit.*data_records|^You have exceeded the maximum limit/);
          assert.deepEqual([(await used()).input, (await used()).data_records], [60, 60], "a refusal costs nothing");

          assert.equal(await device.deleteData({ variables: "wind", qty: 10 }), "10 Data Removed");
          await refused(() => device.sendData(points.slice(60, 71)), /^You have exceeded the maximum limit/, "eleven into ten");
          assert.equal(await device.sendData(points.slice(60, 70)), "10 Data Added", "removing makes room");

          await mine.billing.editAllocation([{ profile: second, data_records: 1000 }]);
          await refused(() => device.sendData(points.slice(70, 111)), /^You have exceeded the maximum limit/, "41 into 40 of input");
          assert.equal(await device.sendData(points.slice(70, 110)), "40 Data Added", "raising unblocks at once");
          assert.equal((await used()).input, 110);

          assert.equal((await device.getData({ qty: 50 })).length, 50);
          await refused(() => device.getData({ qty: 1 }), /^You have exceeded the maximum limit/);
          assert.equal((await used()).output, 50);

          const big = await mine.devices.create({ name: "big", type: "mutable" });
          const other = new sdk.Device({ token: big.token, region });
          assert.equal(await other.sendData(points.slice(0, 500)), "500 Data Added", "its sibling goes on");
          assert.equal((await other.getData({ qty: 100 })).length, 100);
        });
      });
    });
  }
}
