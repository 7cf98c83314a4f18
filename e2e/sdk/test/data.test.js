// The main job: two profiles, real measurements sent and read back by the official client, every query mode
// compared with figures worked out from the files, and every unit of use accounted for.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { aggregate, bucket, byTime, compare, earthquakes, figures, weather } = require("../lib/files.js");
const { engines, start } = require("../lib/server.js");

const hour = 3600e3;
const close = (got, want, why) =>
  assert.ok(Math.abs(got - want) <= 1e-9 * Math.max(1, Math.abs(want)), `${why}: got ${got}, the file says ${want}`);

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      const sky = weather();
      const quakes = earthquakes();
      const of = (points, ...names) => points.filter((point) => names.includes(point.variable));
      const within = (points, from, to) => points.filter(({ time }) => time >= from && time <= to);

      let server, region;
      let A, B; // { id, token, resources }: two profiles of one account
      let station, seismometer, archive; // { id, token, device }: A's weather, B's quakes, A's immutable copy

      // What each profile must have been charged, counted here as the calls are made.
      const spent = {};
      const charge = (profile, service, n) => {
        spent[profile.id] ??= { input: 0, output: 0, data_records: 0 };
        spent[profile.id][service] += n;
      };
      const sent = (profile, n) => {
        charge(profile, "input", n);
        charge(profile, "data_records", n);
      };
      /** Reads through the device's own token; every row, or the one number, is a unit of output. */
      const read = async (profile, { device }, query) => {
        const rows = await device.getData(query);
        charge(profile, "output", rows.length);
        return rows;
      };
      const makeDevice = async (profile, options) => {
        const made = await profile.resources.devices.create({ type: "mutable", ...options });
        assert.match(made.device_id, /^[0-9a-f]{24}$/);
        assert.match(made.token, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        return { id: made.device_id, token: made.token, device: new sdk.Device({ token: made.token, region }) };
      };

      before(async () => {
        server = await start(engine);
        region = server.region;
        const { first } = server;
        A = { id: first.profile, token: first.token, resources: new sdk.Resources({ token: first.token, region }) };
        const { id } = await A.resources.profiles.create({ name: "Earthquakes" });
        const credentials = { email: first.email, password: first.password };
        const { token } = await sdk.Account.tokenCreate({ ...credentials, profile_id: id, name: "B" }, region);
        B = { id, token, resources: new sdk.Resources({ token, region }) };
      });
      after(() => server?.stop());

      test("profile A takes a year of weather, in pieces and as a stream", async () => {
        station = await makeDevice(A, { name: "Weather station", tags: [{ key: "city", value: "Seattle" }] });
        const { device } = station;
        assert.equal(await device.sendData(sky[0]), "1 Data Added");
        assert.equal(await device.sendData(sky.slice(1, 4)), "3 Data Added");
        assert.equal(await device.sendData(sky.slice(4, 2004)), "2000 Data Added");
        assert.equal(
          await A.resources.devices.sendDeviceData(station.id, sky.slice(2004, 2100)),
          "96 Data Added",
          "a profile token sends too",
        );
        const rest = sky.slice(2100);
        assert.equal(await device.sendDataStreaming(rest, { poolingTime: 1 }), `${rest.length} Data added.`);
        sent(A, sky.length);
        assert.equal(await A.resources.devices.amount(station.id), sky.length);
      });

      test("profile B takes a week of earthquakes with their places", async () => {
        seismometer = await makeDevice(B, { name: "Seismometers" });
        const half = quakes.slice(0, 3000);
        await seismometer.device.sendDataStreaming(half, { poolingRecordQty: 750, poolingTime: 1 });
        await B.resources.devices.sendDeviceDataStreaming(seismometer.id, quakes.slice(3000), { poolingTime: 1 });
        sent(B, quakes.length);
        assert.equal(await B.resources.devices.amount(seismometer.id), quakes.length);
      });

      test("A's immutable device takes the same temperatures as the year up to now", async () => {
        archive = await makeDevice(A, { name: "Archive", type: "immutable", chunk_period: "month", chunk_retention: 13 });
        const temperatures = of(sky, "temperature");
        const last = Math.floor(Date.now() / hour) * hour;
        archive.points = temperatures.map((point, i) => ({
          ...point,
          time: new Date(last - (temperatures.length - 1 - i) * hour),
        }));
        await archive.device.sendDataStreaming(archive.points, { poolingTime: 1 });
        sent(A, archive.points.length);
        assert.equal(await A.resources.devices.amount(archive.id), archive.points.length);
      });

      // ---- rows ----

      test("a read without arguments gives the newest 15 rows, newest first", async () => {
        const rows = await read(A, archive);
        const want = [...archive.points].sort(byTime).reverse().slice(0, 15);
        assert.deepEqual(
          rows.map(({ value, time }) => [value, time.getTime()]),
          want.map(({ value, time }) => [value, time.getTime()]),
        );
      });

      test("a row has all that was sent", async () => {
        const quake = of(quakes, "magnitude")[7];
        const [row, ...others] = await read(B, seismometer, { variables: "magnitude", groups: quake.group });
        assert.equal(others.length, 0);
        assert.match(row.id, /^[0-9a-f]{24}$/);
        assert.equal(row.device, seismometer.id);
        assert.equal(row.value, quake.value);
        assert.equal(row.unit, quake.unit);
        assert.equal(row.group, quake.group);
        assert.deepEqual(row.time, quake.time);
        assert.deepEqual(row.metadata, quake.metadata);
        assert.deepEqual(row.location, { type: "Point", coordinates: [quake.location.lng, quake.location.lat] });
      });

      test("values keep their kind: number, text, boolean, and a location needs none", async () => {
        const { group } = quakes[0];
        const rows = await read(B, seismometer, { groups: [group], qty: 10 });
        const kinds = Object.fromEntries(rows.map(({ variable, value }) => [variable, typeof value]));
        assert.deepEqual(kinds, { magnitude: "number", network: "string", tsunami: "boolean", epicentre: "undefined" });
      });

      test("qty, skip and ordination walk the year without a gap", async () => {
        const want = of(sky, "wind").sort(byTime);
        const walked = [];
        for (let skip = 0; skip < want.length; skip += 4000) {
          const page = { variables: ["wind"], qty: 4000, skip, ordination: "ascending" };
          walked.push(...(await read(A, station, page)));
        }
        assert.deepEqual(
          walked.map(({ value, time }) => [value, time.getTime()]),
          want.map(({ value, time }) => [value, time.getTime()]),
        );
        const [newest] = await read(A, station, { variables: "wind", qty: 1, ordination: "descending" });
        assert.deepEqual(newest.time, want.at(-1).time);
      });

      test("qty counts for each of several variables", async () => {
        const rows = await read(A, station, { variables: ["temperature", "wind", "pressure"], qty: 7 });
        const count = {};
        for (const { variable } of rows) count[variable] = (count[variable] || 0) + 1;
        assert.deepEqual(count, { temperature: 7, wind: 7, pressure: 7 });
      });

      test("the variables, groups, ids and values asked for, and no others", async () => {
        const strong = of(quakes, "magnitude").filter(({ value }) => value === 4.4 || value === 4.5);
        const found = await read(B, seismometer, { variables: "magnitude", values: [4.4, 4.5], qty: 1000 });
        assert.equal(found.length, strong.length);
        assert.ok(found.every(({ value }) => value === 4.4 || value === 4.5));

        const hawaiian = await read(B, seismometer, { values: "hv", qty: 1000 });
        assert.equal(hawaiian.length, quakes.filter(({ value }) => value === "hv").length);

        const waves = await read(B, seismometer, { variables: ["tsunami"], values: true, qty: 1000 });
        assert.equal(waves.length, quakes.filter(({ value }) => value === true).length);

        const groups = [quakes[0].group, quakes[400].group];
        const together = await read(B, seismometer, { groups, qty: 100 });
        assert.equal(together.length, 8);
        assert.deepEqual(new Set(together.map(({ group }) => group)), new Set(groups));

        const ids = found.slice(0, 3).map(({ id }) => id);
        const again = await read(B, seismometer, { ids });
        assert.deepEqual(new Set(again.map(({ id }) => id)), new Set(ids));
        assert.equal((await read(B, seismometer, { variables: "no such thing".replaceAll(" ", "_") })).length, 0);
      });

      test("dates: Date, ISO text and a day written YYYY-MM-DD bound a read, both ends included", async () => {
        const from = new Date("2010-07-04T06:00:00Z");
        const to = new Date("2010-07-05T18:00:00Z");
        const want = within(of(sky, "pressure"), from, to);
        for (const [start_date, end_date] of [
          [from, to],
          [from.toISOString(), to.toISOString()],
        ]) {
          const rows = await read(A, station, { variables: "pressure", start_date, end_date, qty: 1000 });
          assert.equal(rows.length, want.length);
          close(figures.sum(rows), figures.sum(want), "sum of the rows");
        }
        const day = { variables: "pressure", start_date: "2010-07-04", end_date: "2010-07-04", qty: 1000 };
        const rows = await read(A, station, day);
        assert.equal(rows.length, 24);
        assert.ok(rows.every(({ time }) => time.toISOString().startsWith("2010-07-04T")));
      });

      test("a day written YYYY-MM-DD is the day of the time zone asked for", async () => {
        const zone = "America/Los_Angeles";
        const day = { start_date: "2010-07-04", end_date: "2010-07-04", timezone: zone, qty: 1000 };
        const rows = await read(A, station, { ...day, variables: "temperature", ordination: "ascending" });
        const want = of(sky, "temperature").filter(({ time }) => bucket(time, "day", zone) === "2010-07-04");
        assert.deepEqual(
          rows.map(({ time }) => time.getTime()),
          want.map(({ time }) => time.getTime()),
        );
      });

      test("a date may be an age: the last two days", async () => {
        const before = Date.now();
        const rows = await read(A, archive, { start_date: "2 days", qty: 1000 });
        const after = Date.now();
        const count = (now) => archive.points.filter(({ time }) => time >= now - 48 * hour).length;
        assert.ok(
          rows.length === count(before) || rows.length === count(after),
          `got ${rows.length} rows, the file has ${count(before)}`,
        );
      });

      test("details adds when a row was stored", async () => {
        const [row] = await read(A, station, { qty: 1, details: true });
        assert.ok(row.created_at instanceof Date && Math.abs(Date.now() - row.created_at) < 10 * 60e3);
      });

      test("streaming reads give every row once, oldest first", async () => {
        const all = [];
        for await (const rows of station.device.getDataStreaming({}, { poolingRecordQty: 9000, poolingTime: 1 })) {
          all.push(...rows);
        }
        charge(A, "output", all.length);
        assert.equal(all.length, sky.length);
        assert.equal(new Set(all.map(({ id }) => id)).size, sky.length);
        assert.ok(all.every((row, i) => i === 0 || all[i - 1].time <= row.time));
        for (const variable of ["temperature", "wind", "pressure"]) {
          close(figures.sum(of(all, variable)), figures.sum(of(sky, variable)), `sum of ${variable}`);
        }

        const winds = [];
        const stream = A.resources.devices.getDeviceDataStreaming(
          station.id,
          { variables: ["wind"] },
          { poolingRecordQty: 3000, poolingTime: 1 },
        );
        for await (const rows of stream) winds.push(...rows);
        charge(A, "output", winds.length);
        assert.equal(winds.length, of(sky, "wind").length);
      });

      // ---- one row per variable ----

      for (const [query, pick] of [
        ["last_item", (points) => points.at(-1)],
        ["first_item", (points) => points[0]],
        ["last_value", (points) => points.filter(({ value }) => value !== undefined).at(-1)],
        ["first_value", (points) => points.find(({ value }) => value !== undefined)],
        ["last_location", (points) => points.filter(({ location }) => location).at(-1)],
        ["first_location", (points) => points.find(({ location }) => location)],
      ]) {
        test(`${query} gives one row per variable`, async () => {
          for (const names of [["magnitude", "network", "tsunami", "epicentre"], ["epicentre"], ["network"]]) {
            const want = new Map();
            for (const name of names) {
              const point = pick(of(quakes, name).sort(byTime));
              if (point) want.set(name, point.group);
            }
            const rows = await read(B, seismometer, { query, variables: names });
            assert.deepEqual(new Map(rows.map(({ variable, group }) => [variable, group]).sort()), new Map([...want].sort()));
          }
          const all = await read(B, seismometer, { query });
          const named = await read(B, seismometer, { query, variables: ["magnitude", "network", "tsunami", "epicentre"] });
          assert.deepEqual(new Set(all.map(({ id }) => id)), new Set(named.map(({ id }) => id)), "none named means all");
        });
      }

      test("last_insert and first_insert go by when a row was stored, not by its time", async () => {
        const { id, device } = await makeDevice(A, { name: "Late mail" });
        const late = { id, device };
        const old = new Date("2001-01-01T00:00:00Z");
        await device.sendData({ variable: "note", value: "first stored, newest time", time: new Date() });
        await new Promise((resolve) => setTimeout(resolve, 5));
        await device.sendData({ variable: "note", value: "last stored, oldest time", time: old });
        sent(A, 2);
        const [last] = await read(A, late, { query: "last_insert", variables: "note" });
        const [first] = await read(A, late, { query: "first_insert", variables: "note" });
        assert.equal(last.value, "last stored, oldest time");
        assert.equal(first.value, "first stored, newest time");
        const [newest] = await read(A, late, { query: "last_item", variables: "note" });
        assert.equal(newest.value, "first stored, newest time");
      });

      // ---- figures ----

      test("count is exact, whole and filtered", async () => {
        const ask = async (query) => (await read(A, station, { query: "count", ...query }))[0].value;
        assert.equal(await ask({}), sky.length);
        assert.equal(await ask({ variables: ["wind", "pressure"] }), of(sky, "wind", "pressure").length);
        const june = [new Date("2010-06-01T00:00:00Z"), new Date("2010-06-30T23:59:59Z")];
        assert.equal(
          await ask({ variables: "wind", start_date: june[0], end_date: june[1] }),
          within(of(sky, "wind"), ...june).length,
        );
      });

      test("min and max of every variable over the year", async () => {
        for (const variable of ["temperature", "wind", "pressure"]) {
          for (const query of ["min", "max"]) {
            const rows = await read(A, station, { query, variables: variable, start_date: "2010-01-01", end_date: "2010-12-31" });
            assert.equal(rows.length, 1);
            assert.equal(rows[0].value, figures[query](of(sky, variable)), `${query} of ${variable}`);
          }
        }
      });

      test("sum and avg of every month", async () => {
        for (let month = 0; month < 12; month++) {
          const start_date = new Date(Date.UTC(2010, month, 1));
          const end_date = new Date(Date.UTC(2010, month + 1, 1) - 1);
          for (const query of ["sum", "avg"]) {
            const [{ value }] = await read(A, station, { query, variables: "temperature", start_date, end_date });
            const want = figures[query](within(of(sky, "temperature"), start_date, end_date));
            close(value, want, `${query} of temperature in month ${month + 1}`);
          }
        }
      });

      test("sum and avg need a start and at most a month", async () => {
        for (const query of ["sum", "avg"]) {
          await refused(() => station.device.getData({ query, variables: "wind" }), /start_date/, `${query} without start_date`);
          const year = { query, variables: "wind", start_date: "2010-01-01", end_date: "2010-12-31" };
          await refused(() => station.device.getData(year), /1 month/, `${query} of a year`);
        }
      });

      for (const interval of ["hour", "day", "month", "quarter", "year"]) {
        test(`aggregate by ${interval}: avg, sum, min and max`, async () => {
          // Hours over a week, everything else over the whole year.
          const span = interval === "hour" ? ["2010-03-01", "2010-03-07"] : ["2010-01-01", "2010-12-31"];
          const [from, to] = [new Date(`${span[0]}T00:00:00Z`), new Date(`${span[1]}T23:59:59.999Z`)];
          for (const name of ["avg", "sum", "min", "max"]) {
            const rows = await read(A, station, {
              query: "aggregate",
              interval,
              function: name,
              variables: "temperature",
              start_date: span[0],
              end_date: span[1],
            });
            const want = aggregate(within(of(sky, "temperature"), from, to), interval, name);
            const got = rows.sort(byTime).map(({ time, value }) => [bucket(time, interval), value]);
            assert.deepEqual(got.map(([label]) => label), want.map(([label]) => label));
            got.forEach(([label, value], i) => close(value, want[i][1], `${name} of ${interval} ${label}`));
          }
        });
      }

      test("aggregate by minute", async () => {
        const { time } = quakes[0];
        const from = new Date(time - 6 * hour);
        const rows = await read(B, seismometer, {
          query: "aggregate",
          interval: "minute",
          function: "max",
          variables: "magnitude",
          start_date: from,
          end_date: time,
        });
        const want = aggregate(within(of(quakes, "magnitude"), from, time), "minute", "max");
        assert.deepEqual(rows.sort(byTime).map(({ time, value }) => [bucket(time, "minute"), value]), want);
      });

      test("aggregate by day in a time zone with summer time", async () => {
        const timezone = "America/Los_Angeles";
        const rows = await read(A, station, {
          query: "aggregate",
          interval: "day",
          function: "avg",
          variables: "temperature",
          start_date: "2010-01-01",
          end_date: "2010-12-31",
          timezone,
        });
        // The first hours of the file are still the last evening of 2009 there, and not in the range.
        const inside = of(sky, "temperature").filter(({ time }) => bucket(time, "year", timezone) === "2010");
        const want = aggregate(inside, "day", "avg", timezone);
        const got = rows.sort(byTime).map(({ time, value }) => [bucket(time, "day", timezone), value]);
        assert.deepEqual(got.map(([label]) => label), want.map(([label]) => label));
        got.forEach(([label, value], i) => close(value, want[i][1], `average of ${label}`));
      });

      test("conditional finds the rows that satisfy each comparison", async () => {
        const span = { start_date: "2010-08-01", end_date: "2010-08-14" };
        const fortnight = within(of(sky, "temperature"), new Date("2010-08-01T00:00:00Z"), new Date("2010-08-14T23:59:59.999Z"));
        const value = fortnight[100].value;
        for (const [name, holds] of Object.entries(compare)) {
          const rows = await read(A, station, {
            ...span,
            query: "conditional",
            variables: "temperature",
            function: name,
            value,
            qty: 1000,
          });
          const want = fortnight.filter((point) => holds(point.value, value));
          assert.deepEqual(
            rows.map(({ time }) => time.getTime()).sort(),
            want.map(({ time }) => time.getTime()).sort(),
            `${name} ${value}`,
          );
        }
        await refused(
          () => station.device.getData({ query: "conditional", variables: "wind", value: 1, function: "gt" }),
          /start_date/,
        );
      });

      test("an immutable device answers the same questions", async () => {
        const from = new Date(archive.points.at(-1).time - 20 * 24 * hour);
        const to = archive.points.at(-1).time;
        const span = { variables: "temperature", start_date: from, end_date: to };
        const want = within(archive.points, from, to);
        for (const query of ["count", "sum", "avg", "min", "max"]) {
          const [{ value }] = await read(A, archive, { ...span, query });
          close(value, query === "count" ? want.length : figures[query](want), `${query} of the archive`);
        }
        const days = await read(A, archive, { ...span, query: "aggregate", interval: "day", function: "max" });
        assert.deepEqual(
          days.sort(byTime).map(({ time, value }) => [bucket(time, "day"), value]),
          aggregate(want, "day", "max"),
        );
        const [last] = await read(A, archive, { query: "last_item" });
        assert.deepEqual(last.time, to);
        const chunks = await A.resources.devices.getChunk(archive.id);
        assert.equal(chunks.reduce((total, { amount }) => total + amount, 0), archive.points.length);
        assert.ok(chunks.length >= 12 && chunks.length <= 14, `a year in months: ${chunks.length} chunks`);
      });

      test("an immutable device refuses changes and times outside its window", async () => {
        const [row] = await read(A, archive, { qty: 1 });
        await refused(() => archive.device.editData({ id: row.id, value: 1 }), /immutable/i);
        await refused(() => archive.device.deleteData({ variables: "temperature" }), /immutable/i);
        await refused(() => archive.device.sendData({ variable: "x", value: 1, time: "1999-01-01T00:00:00Z" }), /Time must be between/);
        const future = new Date(Date.now() + 72 * hour);
        await refused(() => archive.device.sendData({ variable: "x", value: 1, time: future }), /Time must be between/);
      });

      // ---- changes ----

      test("edit changes the rows named and no others", async () => {
        const [one, two, untouched] = await read(A, station, { variables: "temperature", qty: 3 });
        assert.equal(await station.device.editData({ id: one.id, value: 99.5 }), "1 item(s) updated");
        assert.equal(
          await A.resources.devices.editDeviceData(station.id, [
            { id: one.id, unit: "°F" },
            { id: two.id, value: "frost", metadata: { checked: true } },
          ]),
          "2 item(s) updated",
        );
        const rows = await read(A, station, { ids: [one.id, two.id, untouched.id] });
        const byId = Object.fromEntries(rows.map((row) => [row.id, row]));
        assert.equal(byId[one.id].value, 99.5);
        assert.equal(byId[one.id].unit, "°F");
        assert.deepEqual(byId[one.id].time, one.time);
        assert.equal(byId[two.id].value, "frost");
        assert.deepEqual(byId[two.id].metadata, { checked: true });
        assert.deepEqual(byId[untouched.id], untouched);
        assert.equal(await A.resources.devices.amount(station.id), sky.length, "an edit stores nothing more");
      });

      test("delete removes what was asked for: ids, one variable, the last item", async () => {
        const [oldest] = await read(A, station, { variables: "pressure", qty: 1, ordination: "ascending" });
        assert.equal(await station.device.deleteData({ ids: [oldest.id] }), "1 Data Removed");
        assert.equal((await read(A, station, { ids: oldest.id })).length, 0);
        assert.equal(await station.device.deleteData({ variables: "wind", qty: 100 }), "100 Data Removed");
        assert.equal(
          await A.resources.devices.deleteDeviceData(station.id, { variables: ["pressure"], qty: 9 }),
          "9 Data Removed",
        );
        const last = await read(A, station, { query: "last_item" });
        const said = await station.device.deleteData();
        assert.match(said, /^[1-3] Data Removed$/, "without arguments: the last item");
        const gone = 110 + Number.parseInt(said, 10);
        const [{ value: count }] = await read(A, station, { query: "count" });
        assert.equal(count, sky.length - gone);
        assert.equal(await A.resources.devices.amount(station.id), count);
        const left = await read(A, station, { ids: last.map(({ id }) => id) });
        assert.equal(left.length, last.length - Number.parseInt(said, 10));
        charge(A, "data_records", -gone);
      });

      test("empty removes everything of one device alone", async () => {
        const spare = await makeDevice(A, { name: "Spare" });
        await spare.device.sendData(sky.slice(0, 500));
        sent(A, 500);
        assert.equal(await A.resources.devices.emptyDeviceData(spare.id), "Data Successfully Removed");
        charge(A, "data_records", -500);
        assert.equal(await A.resources.devices.amount(spare.id), 0);
        assert.equal((await read(A, spare, { qty: 100 })).length, 0);
        assert.equal(await spare.device.sendData(sky.slice(0, 2)), "2 Data Added", "and takes new data");
        sent(A, 2);
        assert.equal(await A.resources.devices.amount(spare.id), 2);
        assert.equal(await A.resources.devices.delete(spare.id), "Successfully Removed");
        charge(A, "data_records", -2);
        await refused(() => spare.device.sendData(sky[0]), /./);
      });

      test("a refused request stores nothing and costs nothing", async () => {
        const good = { variable: "temperature", value: 1, time: new Date() };
        for (const [why, bad, says] of [
          ["no variable", { value: 1 }, /variable/],
          ["a blank in the name", { variable: "a b", value: 1 }, /variable/],
          ["a latitude of 91", { variable: "x", location: { lat: 91, lng: 0 } }, /lat/],
          ["a time that is none", { variable: "x", value: 1, time: "yesterday evening" }, /time/],
          ["a unit of 26 letters", { variable: "x", value: 1, unit: "u".repeat(26) }, /unit/],
          ["metadata that is text", { variable: "x", value: 1, metadata: "text" }, /metadata/],
          ["a value that is an object", { variable: "x", value: { a: 1 } }, /value/],
        ]) {
          await refused(() => station.device.sendData([good, bad]), says, why);
        }
      });

      // ---- the bill ----

      test("every unit is accounted for in both profiles, and only there", async () => {
        for (const profile of [A, B]) {
          const { limit, limit_used: used, amount } = await profile.resources.profiles.summary(profile.id);
          for (const service of ["input", "output", "data_records"]) {
            assert.equal(used[service], spent[profile.id][service], `${service} of ${profile === A ? "A" : "B"}`);
            assert.ok(limit[service] >= used[service]);
          }
          for (const service of ["analysis", "sms", "email", "run_users", "push_notification", "file_storage"]) {
            assert.equal(used[service], 0, service);
          }
          const devices = await profile.resources.devices.list({ amount: 100 });
          assert.equal(amount.device, devices.length);
        }
      });
    });
  }
}
