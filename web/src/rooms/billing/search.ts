// What the addresses of the pages about cost say. A member that says nothing is left out.
import type { Basis, Spread } from "../../api/types";
import { isDay, isMonth } from "./range";

type Search = Record<string, unknown>;

export interface CostSearch {
  /** "last" for the last cycle, a month or a day; the running cycle without it. */
  range?: string | undefined;
  group?: "service" | "day" | "prices" | undefined;
  basis?: Basis | undefined;
  spread?: Spread | undefined;
  currency?: string | undefined;
}

function oneOf<T extends string>(value: unknown, ...words: T[]): T | undefined {
  return words.find((word) => word === value);
}

const text = (value: unknown): string | undefined => (value === undefined || value === "" ? undefined : String(value));

const range = (value: unknown): string | undefined => (value === "last" || isMonth(value) || isDay(value) ? value : undefined);

export const costSearch = (search: Search): CostSearch => ({
  range: range(search.range),
  group: oneOf(search.group, "service", "day", "prices"),
  basis: oneOf(search.basis, "allocation", "use"),
  spread: oneOf(search.spread, "none", "even", "cost"),
  currency: text(search.currency),
});

/** A line of the cost, and the day whose hours are shown. */
export interface LineSearch {
  kind: string;
  profile?: string | undefined;
  service?: string | undefined;
  item?: string | undefined;
  range?: string | undefined;
  basis?: Basis | undefined;
  currency?: string | undefined;
  day?: string | undefined;
}

export const lineSearch = (search: Search): LineSearch => ({
  kind: text(search.kind) ?? "service",
  profile: text(search.profile),
  service: text(search.service),
  item: text(search.item),
  range: range(search.range),
  basis: oneOf(search.basis, "allocation", "use"),
  currency: text(search.currency),
  day: isDay(search.day) ? search.day : undefined,
});

/** How many profiles the server lets a question name. */
export const mostNamed = 200;

/** The month of statements, and the profiles it is about: ids with commas between them; all without. */
export const statementsSearch = (search: Search): { month?: string | undefined; profiles?: string | undefined } => ({
  month: isMonth(search.month) ? search.month : undefined,
  profiles: text(search.profiles),
});
