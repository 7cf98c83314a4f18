// Loaded only where a chart is shown: uPlot and its style sheet are no part of the first page.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale, t } from "../../texts";
import { useZone, valueText } from "../../ui/format";
import { timeFormat } from "../../ui/formats";
import { plotLooks } from "../../ui/plot";
import type { Series } from "./series";

const height = 190;

interface Props {
  series: Series;
  /** The values are averages of many. */
  averaged: boolean;
  /** Told when a part was dragged over, in UTC milliseconds. */
  onZoom: (from: number, to: number) => void;
}

/** One variable over time. New points are put into the drawn chart; only a change of looks builds it anew. */
export default function Chart({ series, averaged, onZoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const scheme = useComputedColorScheme("light");
  const zone = useZone();
  const { variable, unit } = series;
  const latest = useRef<uPlot.AlignedData>([[], []]);
  const zoom = useRef(onZoom);
  useEffect(() => {
    zoom.current = onZoom;
  }, [onZoom]);

  useEffect(() => {
    latest.current = [series.times, series.values];
    plot.current?.setData(latest.current);
  }, [series]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const { line, axis } = plotLooks(scheme);
    const options: uPlot.Options = {
      width: element.clientWidth,
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false, dist: 8 } },
      scales: { x: { range: around }, y: { range: padded } },
      axes: [{ ...axis, space: 80, size: 42, values: timeLabels(zone) }, { ...axis, size: 56 }],
      series: [
        {},
        {
          label: variable,
          stroke: line,
          width: 2,
          fill: `${line}1f`,
          points: { show: (_plot, _series, first, last) => last - first < 60, size: 5, fill: line },
        },
      ],
      hooks: {
        setCursor: [showAtCursor(unit, zone)],
        setSelect: [
          ({ select, posToVal, setSelect }) => {
            if (select.width < 8) return;
            const [from, to] = [posToVal(select.left, "x"), posToVal(select.left + select.width, "x")];
            setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            zoom.current(Math.round(from * 1000), Math.round(to * 1000));
          },
        ],
      },
    };
    const made = new uPlot(options, latest.current, element);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, zone, variable, unit]);

  const last = series.values.at(-1);
  const label = (averaged ? t.fleet.chartLabel : t.data.chartLabel)(
    variable,
    series.values.length,
    valueText(last, unit),
    valueText(Math.min(...series.values), unit),
    valueText(Math.max(...series.values), unit),
  );
  return <div ref={box} role="img" aria-label={label} style={{ height, minWidth: 0, position: "relative" }} />;
}

/** Words under the time axis in the reader's language: the time of day, and the date where it is a new one. */
function timeLabels(zone: string): uPlot.Axis.DynamicValues {
  const month = new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: zone });
  const { short, clock, second } = timeFormat(zone);
  return (_plot, splits, _axis, _space, step) => {
    let before = "";
    return splits.map((split) => {
      const at = new Date(split * 1000);
      if (step >= 28 * 86_400) return month.format(at);
      const day = short(at);
      if (step >= 86_400) return day;
      const time = (step < 60 ? second : clock)(at);
      const label = day === before ? time : `${time}\n${day}`;
      before = day;
      return label;
    });
  };
}

/** From the first point to the last; half an hour to each side of a single one, for which uPlot itself proposes years. */
function around(plot: uPlot, min: number, max: number): uPlot.Range.MinMax {
  return min === max || plot.data[0].length === 1 ? [min - 1800, min + 1800] : [min, max];
}

/** Room above and below, and some height for a value that never changes. */
function padded(_plot: uPlot, min: number, max: number): uPlot.Range.MinMax {
  if (min === max) {
    const room = Math.abs(min) * 0.1 || 1;
    return [min - room, max + room];
  }
  const room = (max - min) * 0.12;
  return [min - room, max + room];
}

/** Writes value and time of the point under the cursor into the chart. */
function showAtCursor(unit: string | undefined, zone: string) {
  const { day, second } = timeFormat(zone);
  let note: HTMLDivElement | undefined;
  return (plot: uPlot): void => {
    if (!note?.isConnected) {
      note = document.createElement("div");
      note.className = "chart-note";
      plot.over.append(note);
    }
    const index = plot.cursor.idx;
    const time = index == null ? undefined : plot.data[0][index];
    const value = index == null ? undefined : plot.data[1]?.[index];
    note.hidden = time === undefined || value == null;
    if (time !== undefined && value != null)
      note.textContent = `${valueText(value, unit)} · ${day(time * 1000)}, ${second(time * 1000)}`;
  };
}
