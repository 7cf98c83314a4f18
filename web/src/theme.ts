import { createTheme, type MantineColorsTuple } from "@mantine/core";

// Grass green. Shade 7 on white, and white on shade 7, have a contrast above 4.5.
const paddock: MantineColorsTuple = [
  "#eef8f1",
  "#dcefe2",
  "#b8dfc5",
  "#8fcda5",
  "#69bb88",
  "#46a66c",
  "#358f59",
  "#2a7a4b",
  "#22653d",
  "#174a2c",
];

export const theme = createTheme({
  primaryColor: "paddock",
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  colors: { paddock },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "650" },
});
