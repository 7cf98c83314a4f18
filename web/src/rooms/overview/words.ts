// How profiles are, in words.
import { useMemo } from "react";
import { t } from "../../texts";
import { count, useTimeFormat } from "../../ui/format";
import { dayText, shortDay } from "../../ui/formats";
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
}

/** A year that is left out must be plain from the day. */
const aYear = 300 * 86_400_000;

const isNear = (at: number): boolean => Math.abs(at - Date.now()) < aYear;

/** Instants in the account's zone, as short as the sentence about a profile has them. */
export function useWhen(): When {
  const format = useTimeFormat();
  return useMemo(() => {
    const day = (iso: string) => (isNear(Date.parse(iso)) ? format.short : format.day)(new Date(iso));
    return {
      day,
      at: (iso) => {
        const today = format.day(new Date(iso)) === format.day(Date.now());
        const hour = format.clock(new Date(iso));
        return today ? hour : `${day(iso)}, ${hour}`;
      },
    };
  }, [format]);
}

/** A day of the calendar, YYYY-MM-DD, as short as that. */
export const nearDay = (day: string): string => (isNear(Date.parse(day)) ? shortDay : dayText)(day);

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
        ? w.nearSentence(serviceName(near.service), Math.floor((near.share ?? 0) * 100), near.runs_out_on ? nearDay(near.runs_out_on) : "")
        : w.okSentence(points, health.points_today, silent);
    case "new":
      return w.newSentence;
    default:
      if (health.points_today > 0) return w.okSentence(points, health.points_today, silent);
      return health.last_input ? w.quietSentence(when.at(health.last_input), silent) : w.emptySentence;
  }
}
