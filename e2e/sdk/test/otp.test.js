// The second factor through the official client, as its command line uses it: a refusal that is a JSON text, then the
// same call with the code.

"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

/** What an authenticator app shows for a key, a number of half minutes from now (RFC 6238). */
function code(secret, steps = 0) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const sum = crypto.createHmac("sha1", key).update(counter).digest();
  const at = sum[19] & 15;
  return String((sum.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`second factor, SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, region, ada, account;

      before(async () => {
        server = await start(engine);
        region = server.region;
        ada = server.first;
        account = new sdk.Resources({ token: ada.token, region }).account;
      });
      after(() => server?.stop());

      const credentials = (more = {}) => ({ email: ada.email, password: ada.password, ...more });
      let recovery;

      test("enable and confirm turn it on", async () => {
        await refused(() => account.enableOTP(credentials({ password: "wrong password" }), "authenticator"), /^Invalid password$/);
        await refused(() => account.enableOTP(credentials(), "sms"), /not offered here/);
        const setup = await account.enableOTP(credentials(), "authenticator");
        assert.match(setup.url, /^otpauth:\/\/totp\//);
        assert.equal((await account.info()).otp.authenticator, false);
        // The codes of three half minutes are good, each once: the earliest is used here and leaves two.
        const done = await account.confirmOTP(code(setup.secret, -1), "authenticator");
        assert.equal(done.recovery_codes.length, 10);
        recovery = done.recovery_codes;
        assert.equal((await account.info()).otp.authenticator, true);
        account.secret = setup.secret;
      });

      test("login and token creation say what they need, and take it", async () => {
        const said = await refused(() => sdk.Account.login(credentials(), region), /otp_enabled/);
        assert.deepEqual(JSON.parse(said), { otp_enabled: ["authenticator"], otp_autosend: "authenticator" });
        await refused(() => sdk.Account.requestLoginPINCode(credentials(), "authenticator", region), /the app shows the code/);
        await refused(() => sdk.Account.login(credentials({ pin_code: "000000" }), region), /^Invalid pin code$/);
        const used = code(account.secret);
        const { profiles } = await sdk.Account.login(credentials({ otp_type: "authenticator", pin_code: used }), region);
        assert.equal(profiles[0].id, ada.profile);
        await refused(() => sdk.Account.login(credentials({ pin_code: used }), region), /has been used/);

        const wanted = { profile_id: ada.profile, name: "made with a code" };
        await refused(() => sdk.Account.tokenCreate(credentials(wanted), region), /otp_autosend/);
        const made = await sdk.Account.tokenCreate(credentials({ ...wanted, pin_code: recovery[0] }), region);
        assert.match(made.token, /^p-/);
      });

      test("deleting a profile asks for it, disabling too", async () => {
        const resources = new sdk.Resources({ token: ada.token, region });
        const { id } = await resources.profiles.create({ name: "Short-lived" });
        await refused(() => resources.profiles.delete(id, { password: ada.password }), /otp_enabled/);
        await resources.profiles.delete(id, { password: ada.password, pin_code: recovery[1] });
        await refused(() => account.disableOTP(credentials(), "authenticator"), /otp_enabled/);
        await account.disableOTP(credentials({ pin_code: recovery[2] }), "authenticator");
        assert.equal((await account.info()).otp.authenticator, false);
        await sdk.Account.login(credentials(), region);
      });
    });
  }
}
