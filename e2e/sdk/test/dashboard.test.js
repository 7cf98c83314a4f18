// Dashboards and widgets as things: made, listed, edited, copied, fenced. What is drawn in them comes later.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

const nowhere = "0123456789abcdef01234567";

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, region, resources, dashboards, widgets, neighbour, device, main, chart;
      const chartInfo = () => ({
        label: "Temperature",
        type: "line_chart",
        display: { title: { text: "Temperature <°C>" }, series: [{ color: "#f00" }] },
        data: [{ origin: device, bucket: device, query: "last_value", variables: ["temperature"], qty: 1 }],
        realtime: true,
        analysis_run: nowhere,
      });

      before(async () => {
        server = await start(engine, { plan: "free" });
        region = server.region;
        resources = new sdk.Resources({ token: server.first.token, region });
        ({ dashboards } = resources);
        ({ widgets } = dashboards);
        neighbour = new sdk.Resources({ token: server.account("Charles").token, region });
        device = (await resources.devices.create({ name: "Barn", type: "mutable", tags: [{ key: "site", value: "north" }] })).device_id;
      });
      after(() => server?.stop());

      const labels = async (query) => (await dashboards.list(query)).map(({ label }) => label);

      test("an empty profile lists nothing", async () => {
        assert.deepEqual(await dashboards.list(), []);
      });

      test("create, and info with every field", async () => {
        const made = await dashboards.create({ label: "Main", type: "dashboard", tags: [{ key: "kind", value: "overview" }] });
        assert.deepEqual(Object.keys(made), ["dashboard"]);
        main = made.dashboard;
        const info = await dashboards.info(main);
        assert.deepEqual(Object.keys(info).sort(), [
          "arrangement", "background", "blueprint_device_behavior", "blueprint_devices", "blueprint_selector_behavior",
          "created_at", "group_by", "icon", "id", "label", "last_access", "profile", "setup", "tabs", "tags", "theme",
          "type", "updated_at", "visible",
        ]);
        assert.equal(info.id, main);
        assert.equal(info.profile, server.first.profile);
        assert.equal(info.label, "Main");
        assert.equal(info.type, "dashboard");
        assert.equal(info.visible, true);
        assert.deepEqual(info.tags, [{ key: "kind", value: "overview" }]);
        assert.deepEqual([info.arrangement, info.tabs, info.group_by, info.blueprint_devices], [[], [], [], []]);
        assert.equal(info.last_access, null);
        assert.ok(info.created_at instanceof Date && info.updated_at instanceof Date);
        assert.ok((await dashboards.info(main)).last_access instanceof Date, "it was asked for a moment ago");
      });

      test("widgets are made, read, replaced member by member and deleted", async () => {
        const made = await widgets.create(main, chartInfo());
        chart = made.widget;
        assert.deepEqual((await dashboards.info(main)).arrangement, [], "a new widget stands nowhere");
        const info = await widgets.info(main, chart);
        for (const [name, value] of Object.entries(chartInfo())) assert.deepEqual(info[name], value, name);
        assert.equal(info.id, chart);
        assert.equal(info.dashboard, main);

        assert.equal(await widgets.edit(main, chart, { display: { theme: 1 } }), "Successfully Updated");
        const edited = await widgets.info(main, chart);
        assert.deepEqual(edited.display, { theme: 1 }, "whole, not merged");
        assert.deepEqual(edited.data, chartInfo().data);
        assert.equal(edited.analysis_run, null, "an edit that does not name the analysis lets it go");

        const { widget: other } = await widgets.create(main, { label: "Gone soon", type: "dial", display: {} });
        const place = { x: 0, y: 0, width: 2, height: 2 };
        await dashboards.edit(main, {
          arrangement: [
            { widget_id: chart, ...place, tab: "t1" },
            { widget_id: other, ...place, x: 2, tab: null },
          ],
        });
        assert.equal(await widgets.delete(main, other), "Successfully Removed");
        assert.equal((await dashboards.info(main)).arrangement.length, 2, "a deleted widget leaves its place");
        await refused(() => widgets.info(main, other), /not found/i);
        await refused(() => widgets.delete(main, other), /not found/i);
      });

      test("edit changes what it names, and takes back what info gave", async () => {
        const tabs = [{ key: "t1", value: "First" }];
        assert.equal(await dashboards.edit(main, { label: "Renamed", tabs, icon: { url: "https://example.test/i.svg" }, theme: { color: {} } }), "Successfully Updated");
        const info = await dashboards.info(main);
        assert.equal(info.label, "Renamed");
        assert.deepEqual(info.tabs, tabs);
        assert.deepEqual(info.tags, [{ key: "kind", value: "overview" }]);
        await dashboards.edit(main, info);
        const { updated_at, last_access, ...again } = await dashboards.info(main);
        const { updated_at: _1, last_access: _2, ...want } = info;
        assert.deepEqual(again, want);
      });

      test("related: the devices that widgets name, and no analysis", async () => {
        assert.deepEqual(await dashboards.listDevicesRelated(main), [{ id: device, name: "Barn", bucket: device }]);
        assert.deepEqual(await dashboards.listAnalysisRelated(main), []);
      });

      test("a duplicate has widgets of its own, in the same places", async () => {
        const { dashboard_id, message } = await dashboards.duplicate(main);
        assert.equal(typeof message, "string");
        const copy = await dashboards.info(dashboard_id);
        assert.equal(copy.label, "Copy of Renamed");
        assert.equal(copy.arrangement.length, 1, "the place of the deleted widget is not copied");
        const [{ widget_id, ...place }] = copy.arrangement;
        assert.notEqual(widget_id, chart);
        assert.deepEqual(place, { x: 0, y: 0, width: 2, height: 2, tab: "t1" });
        assert.deepEqual((await widgets.info(dashboard_id, widget_id)).data, chartInfo().data);
        await widgets.delete(dashboard_id, widget_id);
        assert.equal((await widgets.info(main, chart)).id, chart);

        const { dashboard_id: named } = await dashboards.duplicate(main, { new_label: "Second", setup: { config: [] } });
        const { label, setup } = await dashboards.info(named);
        assert.deepEqual({ label, setup }, { label: "Second", setup: { config: [] } });
      });

      test("lists are paged, ordered and filtered", async () => {
        await dashboards.create({ label: "alpha", type: "blueprint", visible: false, tags: [{ key: "kind", value: "detail" }] });
        assert.deepEqual(await labels(), ["alpha", "Copy of Renamed", "Renamed", "Second"]);
        assert.deepEqual(Object.keys((await dashboards.list())[0]).sort(), ["id", "label", "tags"]);
        assert.deepEqual(await labels({ orderBy: ["label", "desc"], amount: 2 }), ["Second", "Renamed"]);
        assert.deepEqual(await labels({ amount: 3, page: 2 }), ["Second"]);
        assert.deepEqual(await labels({ filter: { label: "*RENAMED" } }), ["Copy of Renamed", "Renamed"]);
        assert.deepEqual(await labels({ filter: { name: "alpha" } }), ["alpha"]);
        assert.deepEqual(await labels({ filter: { type: "blueprint" } }), ["alpha"]);
        assert.deepEqual(await labels({ filter: { visible: false } }), ["alpha"]);
        assert.deepEqual(await labels({ filter: { tags: [{ key: "kind", value: "detail" }] } }), ["alpha"]);
        assert.deepEqual(await labels({ filter: { id: main } }), ["Renamed"]);
        const [row] = await dashboards.list({ fields: ["label", "created_at", "arrangement"], filter: { id: main } });
        assert.ok(row.created_at instanceof Date && Array.isArray(row.arrangement));
      });

      test("tag keys of dashboards and of devices", async () => {
        assert.deepEqual(await resources.tags.getTagKeys("dashboard"), ["kind"]);
        assert.deepEqual(await resources.tags.getTagKeys("device"), ["site"]);
      });

      test("the plan's cap is exact, and deleting frees it", async () => {
        const { dashboard } = await dashboards.create({ label: "Fifth" });
        const cap = /^You have exceeded the maximum limit of dashboards \(5\)/;
        await refused(() => dashboards.create({ label: "Sixth" }), cap);
        await refused(() => dashboards.duplicate(main), cap);
        assert.equal((await resources.profiles.summary(server.first.profile)).amount.dashboard, 5);
        assert.equal(await dashboards.delete(dashboard), "Successfully Removed");
        await dashboards.create({ label: "Fifth again" });
        await refused(() => dashboards.create({ label: "Sixth" }), cap);
      });

      test("a dashboard tagged as protected is not deleted", async () => {
        await dashboards.edit(main, { tags: [{ key: "_delete_protection_", value: "Ask Ada first" }] });
        await refused(() => dashboards.delete(main), /^Ask Ada first$/);
        await dashboards.edit(main, { tags: [{ key: "_deletion_protection", value: "" }] });
        await refused(() => dashboards.delete(main), /_deletion_protection/);
        await dashboards.edit(main, { tags: [] });
      });

      test("another account sees and changes nothing", async () => {
        const theirs = neighbour.dashboards;
        const missing = /not found/i;
        assert.deepEqual(await theirs.list(), []);
        assert.deepEqual(await theirs.list({ filter: { id: main } }), []);
        for (const call of [
          () => theirs.info(main),
          () => theirs.edit(main, { label: "mine" }),
          () => theirs.delete(main),
          () => theirs.duplicate(main),
          () => theirs.listDevicesRelated(main),
          () => theirs.listAnalysisRelated(main),
          () => theirs.widgets.create(main, { label: "x", type: "dial", display: {} }),
          () => theirs.widgets.info(main, chart),
          () => theirs.widgets.edit(main, chart, { label: "mine" }),
          () => theirs.widgets.delete(main, chart),
        ]) {
          await refused(call, missing);
        }
        const { dashboard } = await theirs.create({ label: "Own" });
        await theirs.widgets.create(dashboard, chartInfo());
        assert.deepEqual(await theirs.listDevicesRelated(dashboard), [], "a device of another profile is not named");
        assert.equal((await dashboards.info(main)).label, "Renamed");
        assert.equal((await widgets.info(main, chart)).label, "Temperature");
      });

      test("bad descriptions name the field", async () => {
        const place = { widget_id: nowhere, x: 0, y: 0, width: 1, height: 1 };
        for (const [bad, says] of [
          [{ label: "" }, /^label/],
          [{ label: "x".repeat(101) }, /^label/],
          [{ type: "page" }, /^type/],
          [{ visible: "yes" }, /^visible/],
          [{ tags: "kind" }, /^tags/],
          [{ arrangement: [{ ...place, x: -1 }] }, /^arrangement\[0\]\.x/],
          [{ arrangement: [place, { ...place, widget_id: "x" }] }, /^arrangement\[1\]\.widget_id/],
          [{ tabs: {} }, /^tabs/],
        ]) {
          await refused(() => dashboards.edit(main, bad), says, JSON.stringify(bad).slice(0, 80));
        }
        for (const [bad, says] of [
          [{ label: "" }, /^label/],
          [{ type: 7 }, /^type/],
          [{ display: [] }, /^display/],
          [{ data: {} }, /^data/],
          [{ realtime: "yes" }, /^realtime/],
          [{ html: "x".repeat(70_000) }, /64000 bytes/],
        ]) {
          await refused(() => widgets.create(main, { ...chartInfo(), ...bad }), says, JSON.stringify(bad).slice(0, 80));
          await refused(() => widgets.edit(main, chart, bad), says, JSON.stringify(bad).slice(0, 80));
        }
        await refused(() => dashboards.info("not-an-id"), /not found/i);
      });

      test("what is drawn in widgets is not available yet, and says so", async () => {
        await refused(() => widgets.getData(main, chart, {}), /Not available yet/);
        await refused(() => dashboards.getPublicKey(main), /Not available yet/);
        await refused(() => widgets.tokenGenerate(main, chart), /Not available yet/);
      });
    });
  }
}
