/** The parts of the page about oneself, as its address names them. */
export const accountTabs = ["you", "display", "security", "alerts"] as const;

export type AccountTab = (typeof accountTabs)[number];
