/** The tabs of a device, as the address names them. */
export const deviceTabs = ["data", "connect", "requests", "settings"] as const;
export type DeviceTab = (typeof deviceTabs)[number];
