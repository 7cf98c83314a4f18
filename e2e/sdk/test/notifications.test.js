// Notifications as the client knows them: listed, created, read, pressed, removed; push that is refused at once.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

const nowhere = "0123456789abcdef01234567";

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, notifications, neighbour, id;

      before(async () => {
        server = await start(engine, { plan: "free" });
        const region = server.region;
        ({ notifications } = new sdk.Resources({ token: server.first.token, region }));
        ({ notifications: neighbour } = new sdk.Resources({ token: server.account("Charles").token, region }));
      });
      after(() => server?.stop());

      test("an empty list", async () => {
        assert.deepEqual(await notifications.list(), []);
      });

      test("create and list", async () => {
        const made = await notifications.create({
          title: "Barn",
          message: "The door is open",
          buttons: [{ id: "look", label: "Look", triggers: [{ url: "https://example.com", method: "REDIRECT", body: {} }] }],
          buttons_enabled: true,
          buttons_autodisable: true,
        });
        assert.match(made.id, /^[0-9a-f]{24}$/);
        id = made.id;
        const [row, ...more] = await notifications.list({ filter: { read: false }, orderBy: ["created_at", "desc"], page: 1, amount: 20 });
        assert.equal(more.length, 0);
        assert.equal(row.id, id);
        assert.equal(row.title, "Barn");
        assert.equal(row.message, "The door is open");
        assert.equal(row.read, false);
        assert.equal(row.buttons_enabled, true);
        assert.equal(row.buttons_autodisable, true);
        assert.equal(row.buttons[0].id, "look");
        assert.ok(row.created_at instanceof Date);
        assert.deepEqual(await neighbour.list(), []);
      });

      test("read and unread", async () => {
        await notifications.markAsRead([id]);
        assert.equal((await notifications.list({ filter: { read: true } })).length, 1);
        await notifications.markAsUnread([id]);
        assert.equal((await notifications.list({ filter: { read: true } })).length, 0);
        assert.equal(await notifications.markAllAsRead(), "All TagoIO Notification Run Successfully Updated");
        assert.equal((await notifications.list({ filter: { read: true } })).length, 1);
      });

      test("a button is pressed once, and by nobody else", async () => {
        await refused(() => neighbour.notificationButton(id, "look"), /Notification Not Found/);
        await notifications.notificationButton(id, "look");
        await refused(() => notifications.notificationButton(id, "look"), /cannot be pressed any more/);
        assert.equal((await notifications.list())[0].buttons_enabled, false);
      });

      test("push is refused at once, with the reason", async () => {
        await refused(() => notifications.registerDevice({ device_token: "x", platform: "ios" }), /nothing was registered/);
        await notifications.unRegisterDevice("x");
      });

      test("remove", async () => {
        await refused(() => neighbour.remove(id), /Notification Not Found/);
        assert.equal(await notifications.remove(id), "Successfully Removed");
        await refused(() => notifications.remove(nowhere), /Notification Not Found/);
        assert.deepEqual(await notifications.list(), []);
      });
    });
  }
}
