export const data = {
  time: "Time",
  variable: "Variable",
  value: "Value",
  location: "Location",
  chartLabel: (variable: string, n: number, last: string, min: string, max: string) =>
    `${variable}: ${n} ${n === 1 ? "point" : "points"}. Newest ${last}, least ${min}, greatest ${max}.`,
  chartLoading: "Loading the chart",
  range: (min: string, max: string) => `${min} to ${max}`,
  noNumbers: "None of these points is a number, so there is nothing to draw.",
  moreCharts: (n: number) => `Show ${n} more`,
};
