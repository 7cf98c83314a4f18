/** The time zone of this browser. */
export const ownZone: string = new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Those to choose from: the likely ones first. */
export const zones: string[] = [...new Set(["UTC", ownZone, ...Intl.supportedValuesOf("timeZone")])];
