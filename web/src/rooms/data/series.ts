import type { Point } from "../../api/types";

/** The numbers of one variable, oldest first, as uPlot takes them: seconds beside values. */
export interface Series {
  variable: string;
  unit?: string;
  times: number[];
  values: number[];
}

/** One series for each variable that has numbers, by name. */
export function seriesOf(points: readonly Point[]): Series[] {
  const byName = new Map<string, Series>();
  const oldestFirst = points.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  for (const point of oldestFirst) {
    if (typeof point.value !== "number") continue;
    let series = byName.get(point.variable);
    if (!series) {
      series = { variable: point.variable, times: [], values: [] };
      byName.set(point.variable, series);
    }
    series.unit = point.unit ?? series.unit;
    series.times.push(Date.parse(point.time) / 1000);
    series.values.push(point.value);
  }
  return [...byName.values()].toSorted((a, b) => a.variable.localeCompare(b.variable));
}
