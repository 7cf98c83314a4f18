/** The colours of a chart, and of an axis of it, in light and dark. */
export function plotLooks(scheme: "light" | "dark") {
  const dark = scheme === "dark";
  const grid = dark ? "#3c4847" : "#e6ebe7";
  return {
    line: dark ? "#69bb88" : "#2a7a4b",
    axis: { stroke: dark ? "#b8c0c2" : "#5b6466", grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } },
  };
}
