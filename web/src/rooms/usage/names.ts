import { t } from "../../texts";

/** A service as people call it. Dashboard output is none that is allocated, and has its name here. */
export const nameOf = (service: string): string => (service === "dashboard_output" ? t.statistics.dashboardOutput : (t.usage.services[service] ?? service));

/** The colour of a share of a limit. */
export const shareColor = (percent: number): string => (percent >= 100 ? "red" : percent >= 80 ? "yellow" : "paddock");

/** Per cent used of a limit, whole. */
export const shareOf = (used: number, limit: number): number => (limit > 0 ? Math.min(100, Math.floor((used / limit) * 100)) : used > 0 ? 100 : 0);
