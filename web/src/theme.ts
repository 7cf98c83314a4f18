import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";
import { t } from "./texts";
import { formats } from "./ui/formats";

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

// Greys of the dark scheme, with a little of the grass in them. The eighth is the colour of cards.
const dark: MantineColorsTuple = [
  "#d7dddc",
  "#bcc5c3",
  "#9ba6a4",
  "#717d7b",
  "#465150",
  "#343e3d",
  "#293231",
  "#1b2121",
  "#151a1a",
  "#101414",
];

// The library's red with a deeper eighth, on which white is readable.
const red: MantineColorsTuple = [
  "#fff5f5",
  "#ffe3e3",
  "#ffc9c9",
  "#ffa8a8",
  "#ff8787",
  "#ff6b6b",
  "#e03131",
  "#c92a2a",
  "#b02525",
  "#962020",
];

export const theme = createTheme({
  primaryColor: "paddock",
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  colors: { paddock, dark, red },
  components: {
    Modal: { defaultProps: { closeButtonProps: { "aria-label": t.close } } },
    // Asked for each time: the formats are known once somebody has signed in.
    NumberInput: { defaultProps: () => ({ decimalSeparator: formats().decimal_separator, allowedDecimalSeparators: [".", ","] }) },
  },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "650" },
});

// Colours of text that the library makes too pale for small print.
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5b6663",
    "--mantine-color-disabled-color": "#6f7a77",
    "--mantine-color-placeholder": "#6b7673",
    "--mantine-color-error": "#c92a2a",
    "--mantine-color-red-outline": "#c92a2a",
    "--mantine-color-red-light-color": "#b02525",
    "--mantine-color-gray-light-color": "#4d5754",
    "--mantine-color-green-light-color": "#1d5c37",
    "--mantine-color-yellow-light-color": "#7a4700",
    "--mantine-color-paddock-light-color": "#1d5c37",
  },
  dark: {
    "--mantine-color-dimmed": "#a1acaa",
    "--mantine-color-disabled": "#3a4544",
    "--mantine-color-disabled-color": "#8b9694",
    "--mantine-color-gray-light": "#343e3d",
    "--mantine-color-placeholder": "#96a19f",
    "--mantine-color-error": "#ff8787",
    "--mantine-color-red-outline": "#ff8787",
    "--mantine-color-red-light-color": "#ffa8a8",
    "--mantine-color-gray-light-color": "#c3cbc9",
    "--mantine-color-paddock-light-color": "#8fcda5",
  },
});
