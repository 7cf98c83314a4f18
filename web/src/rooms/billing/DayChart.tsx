// Loaded only where days are drawn: uPlot and its style sheet are no part of the first page.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { t } from "../../texts";
import { plotLooks } from "../../ui/plot";
import { microText } from "./money";
import { dayText, shortDay } from "./range";
import type { Day } from "./sums";

const height = 180;

/** A bar for what each day costs. */
export default function DayChart({ days, currency }: { days: Day[]; currency: string }) {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const { line: bar, axis } = plotLooks(scheme);
    const options: uPlot.Options = {
      width: element.clientWidth,
      height,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: (_plot, min, max) => [min - 0.7, max + 0.7] },
        y: { range: (_plot, min, max) => [Math.min(0, min * 1.1), Math.max(max * 1.1, min < 0 ? 0 : 0.01)] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 90, incrs: [1, 2, 5, 10, 20, 50, 100, 200], values: (_plot, at) => at.map((n) => (days[n] ? shortDay(days[n].day) : "")) },
        { ...axis, size: 72, values: (_plot, at) => at.map((n) => microText(n * 1e6, currency)) },
      ],
      series: [{}, { stroke: bar, fill: `${bar}66`, width: 1, paths: uPlot.paths.bars?.({ size: [0.7, 48] }), points: { show: false } }],
      hooks: { setCursor: [showDay(days, currency)] },
    };
    const made = new uPlot(options, [days.map((_, at) => at), days.map(({ micro }) => micro / 1e6)], element);
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
    };
  }, [scheme, days, currency]);
  return <div ref={box} role="img" aria-label={t.billing.chart(days.length)} style={{ height, minWidth: 0, position: "relative" }} />;
}

/** Writes the day under the cursor and what it costs into the chart. */
function showDay(days: Day[], currency: string) {
  let note: HTMLDivElement | undefined;
  return (plot: uPlot): void => {
    if (!note?.isConnected) {
      note = document.createElement("div");
      note.className = "chart-note";
      plot.over.append(note);
    }
    const day = plot.cursor.idx == null ? undefined : days[plot.cursor.idx];
    note.hidden = day === undefined;
    if (day) note.textContent = `${microText(day.micro, currency)} · ${dayText(day.day)}`;
  };
}
