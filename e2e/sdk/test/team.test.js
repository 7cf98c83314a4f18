// The team of a profile through the official client: invitation, acceptance, what a member may do, removal.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { open } = require("../lib/mailbox.js");
const { engines, start } = require("../lib/server.js");

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`team, SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let mailbox, server, region, ada, bob, carol, hers, his;

      before(async () => {
        mailbox = await open();
        server = await start(engine, { flags: mailbox.flags });
        region = server.region;
        ada = server.first;
        bob = server.account("Bob");
        carol = server.account("Carol");
        hers = new sdk.Resources({ token: ada.token, region });
        his = new sdk.Resources({ token: bob.token, region });
      });
      after(async () => {
        mailbox?.close();
        await server?.stop();
      });

      test("addTeamMember answers the same for everybody and shows the typed address alone", async () => {
        assert.deepEqual(await hers.profiles.teamList(ada.profile), []);
        for (const email of [bob.email, "nobody@example.test"])
          assert.equal(await hers.profiles.addTeamMember(ada.profile, email), "User invited");
        const rows = await hers.profiles.teamList(ada.profile);
        assert.deepEqual(
          rows.map(({ name, email, active }) => ({ name, email, active })),
          [bob.email, "nobody@example.test"].map((email) => ({ name: "", email, active: false })),
        );
        assert.ok(!rows.some((row) => row.id === bob.account));
        assert.ok(rows[0].created_at);
        assert.equal(await hers.profiles.deleteTeamMember(ada.profile, rows[1].id), "Account Successfully Removed");
        assert.equal((await hers.profiles.teamList(ada.profile)).length, 1);
        await refused(() => hers.profiles.addTeamMember(ada.profile, "not an address"), /email/);
      });

      test("acceptTeamInvitation needs no token and works once; the profile is listed as shared", async () => {
        assert.equal((await his.profiles.list()).length, 1);
        const secret = await mailbox.secret(bob.email, "team/accept");
        assert.equal(await sdk.Account.acceptTeamInvitation(secret, region), "Invitation accepted");
        await refused(() => sdk.Account.acceptTeamInvitation(secret, region), /accepted already/);
        await mailbox.letter(ada.email, ["accepted", bob.email]);

        const [member] = await hers.profiles.teamList(ada.profile);
        assert.equal(member.id, bob.account);
        assert.equal(member.name, "Bob");
        assert.equal(member.active, true);

        const shared = (await his.profiles.list()).find((row) => row.id === ada.profile);
        assert.equal(shared.from_share, true);
        assert.equal(shared.account, ada.account);
        const { profiles } = await sdk.Account.login({ email: bob.email, password: bob.password }, region);
        assert.deepEqual(
          profiles.map((row) => [row.id, row.from_share]),
          [
            [bob.profile, false],
            [ada.profile, true],
          ],
        );
      });

      test("a member makes a token in the shared profile, uses everything, and loses it all when removed", async () => {
        const { token } = await sdk.Account.tokenCreate(
          { profile_id: ada.profile, email: bob.email, password: bob.password, name: "bob in ada's" },
          region,
        );
        const inside = new sdk.Resources({ token, region });
        const { device_id: device } = await inside.devices.create({ name: "D", type: "mutable" });
        assert.equal((await hers.devices.info(device)).name, "D");
        await refused(() => inside.profiles.addTeamMember("current", "x@example.test"), /admin/);
        await refused(() => inside.billing.getAllocation(), /Authorization Denied/);
        await refused(() => inside.account.info(), /Authorization Denied/);

        assert.equal(await hers.profiles.deleteTeamMember(ada.profile, bob.account), "Account Successfully Removed");
        await refused(() => inside.devices.list(), /Authorization Denied/);
        assert.equal((await his.profiles.list()).length, 1);
        await refused(() => hers.profiles.deleteTeamMember(ada.profile, bob.account), /Not Found/);
      });

      test("declineTeamInvitation, a link that was replaced, and one that does not exist", async () => {
        await hers.profiles.addTeamMember(ada.profile, carol.email);
        const first = await mailbox.secret(carol.email, "team/accept");
        await hers.profiles.addTeamMember(ada.profile, carol.email);
        const second = await mailbox.secret(carol.email, "team/accept");
        await refused(() => sdk.Account.acceptTeamInvitation(first, region), /newer one/);
        assert.equal(await sdk.Account.declineTeamInvitation(second, region), "Invitation declined");
        await mailbox.letter(ada.email, ["declined", carol.email]);
        await refused(() => sdk.Account.acceptTeamInvitation(second, region), /declined/);
        await refused(() => sdk.Account.acceptTeamInvitation("nothing-of-the-kind", region), /Not Found/);
        assert.deepEqual(await hers.profiles.teamList(ada.profile), []);
      });
    });
  }
}
