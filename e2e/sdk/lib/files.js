// The two files of real measurements, as points to send and as figures to compare with.
//
// Nothing here knows Paddock: the figures are worked out from the files alone, so that a mistake in the
// server cannot hide in the expectation.

"use strict";

const fs = require("node:fs");
const path = require("node:path");

const folder = path.join(__dirname, "../node_modules/vega-datasets/data");
const read = (name) => fs.readFileSync(path.join(folder, name), "utf8");

/**
 * The normal weather of Seattle, hour by hour through a year: three variables. The file names no zone; the
 * hours are taken as UTC.
 */
function weather() {
  const [head, ...lines] = read("seattle-weather-hourly-normals.csv").trim().split("\n");
  const columns = head.split(",");
  const units = { temperature: "°C", wind: "m/s", pressure: "hPa" };
  const points = [];
  for (const line of lines) {
    const cells = line.split(",");
    const time = new Date(`${cells[columns.indexOf("date")]}Z`);
    for (const variable of ["temperature", "wind", "pressure"]) {
      points.push({ variable, value: Number(cells[columns.indexOf(variable)]), unit: units[variable], time });
    }
  }
  return points;
}

/**
 * All earthquakes of a week: for each its magnitude (number, with place and depth as metadata), its network
 * (text), whether it could raise a tsunami (boolean) and its epicentre (a location without value), held
 * together by the quake's own id as group.
 */
function earthquakes() {
  const points = [];
  for (const { id, properties, geometry } of JSON.parse(read("earthquakes.json")).features) {
    const [lng, lat, depth] = geometry.coordinates;
    const common = { group: id, time: new Date(properties.time) };
    const location = { lat, lng };
    points.push(
      {
        ...common,
        variable: "magnitude",
        value: properties.mag,
        unit: properties.magType,
        location,
        metadata: { place: properties.place, depth, code: properties.code },
      },
      { ...common, variable: "network", value: properties.net },
      { ...common, variable: "tsunami", value: properties.tsunami === 1 },
      { ...common, variable: "epicentre", location: { type: "Point", coordinates: [lng, lat] } },
    );
  }
  return points;
}

// ---- figures ----

const byTime = (a, b) => a.time - b.time;
const values = (points) => points.map((point) => point.value);

const figures = {
  sum: (points) => values(points).reduce((total, value) => total + value, 0),
  avg: (points) => figures.sum(points) / points.length,
  min: (points) => values(points).reduce((least, value) => Math.min(least, value), Infinity),
  max: (points) => values(points).reduce((most, value) => Math.max(most, value), -Infinity),
};

const compare = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
};

const clocks = new Map(); // making a formatter takes longer than using it a hundred times

/** What a clock on the wall of that zone shows: year, month, day, hour, minute. */
function wallClock(time, zone) {
  if (!clocks.has(zone)) {
    const twoDigits = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
    clocks.set(
      zone,
      new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", ...twoDigits }),
    );
  }
  const parts = clocks.get(zone).formatToParts(time);
  return Object.fromEntries(parts.map(({ type, value }) => [type, value]));
}

/** The label of the bucket that a time falls into, in the zone's own calendar. */
function bucket(time, interval, zone = "UTC") {
  const { year, month, day, hour, minute } = wallClock(time, zone);
  switch (interval) {
    case "minute":
      return `${year}-${month}-${day} ${hour}:${minute}`;
    case "hour":
      return `${year}-${month}-${day} ${hour}`;
    case "day":
      return `${year}-${month}-${day}`;
    case "month":
      return `${year}-${month}`;
    case "quarter":
      return `${year} quarter ${Math.ceil(Number(month) / 3)}`;
    case "year":
      return year;
    default:
      throw new Error(`no interval ${interval}`);
  }
}

/** One figure for each bucket that has points, oldest first: [[label, figure]…]. */
function aggregate(points, interval, name, zone) {
  const buckets = new Map();
  for (const point of [...points].sort(byTime)) {
    const label = bucket(point.time, interval, zone);
    if (!buckets.has(label)) buckets.set(label, []);
    buckets.get(label).push(point);
  }
  return [...buckets].map(([label, members]) => [label, figures[name](members)]);
}

module.exports = { weather, earthquakes, figures, compare, bucket, aggregate, byTime };
