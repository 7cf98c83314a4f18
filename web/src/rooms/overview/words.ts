// How profiles are, in words.
import { useMemo } from "react";
import { locale, t } from "../../texts";
import { count, useTimeFormat, useZone } from "../../ui/format";
import type { Health } from "./queries";
import type { Status } from "./search";

export const serviceName = (service: string): string => t.usage.services[service] ?? t.overview.services[service] ?? service;

/** What a limit that refused is called: a service, a reason, or the route of a rate. */
export const limitName = (limit: string): string => t.overview.reasons[limit] ?? serviceName(limit);

export const statusColor: Record<Status, string> = { blocked: "red", paused: "gray", near: "yellow", silent: "orange", new: "blue", ok: "green" };

/** "a, b and c". */
export function list(words: string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : t.overview.joinLast(words.slice(0, -1).join(", "), last);
}

export interface When {
  /** An instant as short as it is clear: of today the time alone. */
  at: (iso: string) => string;
  /** The day of an instant. */
  day: (iso: string) => string;
  hour: (iso: string) => string;
}

/** Instants in the account's zone, as short as a sentence has them. */
export function useWhen(): When {
  const zone = useZone();
  const format = useTimeFormat();
  return useMemo(() => {
    const days = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: zone });
    const day = (iso: string) => days.format(new Date(iso));
    const hour = (iso: string) => format.clock(new Date(iso));
    return {
      day,
      hour,
      at: (iso) => {
        const recent = day(iso) === days.format(new Date()) && Date.now() - Date.parse(iso) < 86_400_000;
        return recent ? hour(iso) : `${day(iso)}, ${hour(iso)}`;
      },
    };
  }, [zone, format]);
}

/** A day of the calendar, YYYY-MM-DD, as people write it. */
export const dayText = (day: string): string =>
  new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(`${day}T12:00:00Z`));

/** The one sentence about a profile. */
export function sentence(health: Health, when: When): string {
  const w = t.overview;
  const points = count(health.points_today);
  const silent = health.silent.count;
  const blocked = health.services.filter((use) => use.state === "blocked");
  const near = health.services.find((use) => use.state === "near");
  switch (health.state) {
    case "paused":
      return w.pausedSentence(health.paused?.reason ?? "");
    case "blocked": {
      const since = blocked.map((use) => use.since).filter((at) => at !== null).toSorted()[0];
      const resets = blocked.map((use) => use.resets_at).filter((at) => at !== null).toSorted()[0];
      return w.blockedSentence(
        list(blocked.map((use) => serviceName(use.service))),
        blocked.length > 1,
        since ? when.at(since) : "",
        resets ? when.day(resets) : "",
      );
    }
    case "near":
      return near
        ? w.nearSentence(serviceName(near.service), Math.floor((near.share ?? 0) * 100), near.runs_out_on ? dayText(near.runs_out_on) : "")
        : w.okSentence(points, health.points_today, silent);
    case "new":
      return w.newSentence;
    default:
      if (health.points_today > 0) return w.okSentence(points, health.points_today, silent);
      return health.last_input ? w.quietSentence(when.at(health.last_input), silent) : w.emptySentence;
  }
}
