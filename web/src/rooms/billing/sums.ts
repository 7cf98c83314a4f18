// Puts the lines of a cost together as a sum reads: who has what, then what nobody has, the plan, add-ons and discounts.
import type { CostLine } from "../../api/types";
import { t } from "../../texts";

export interface Group {
  key: string;
  name: string;
  /** Why it is there, where the name does not say it. */
  hint?: string | undefined;
  micro: number;
  lines: (CostLine & { label: string })[];
}

const order = ["service", "unallocated", "plan", "addon", "discount"];

export type Grouping = "profile" | "service";

export const serviceName = (service: string): string => t.usage.services[service] ?? service;

/** The lines by profile or by service, the dearest first. Lines that have neither come after, by their kind. */
export function grouped(lines: CostLine[], by: Grouping): Group[] {
  const groups = new Map<string, Group & { rank: number }>();
  for (const line of lines) {
    const shared = line.kind === "service" || line.kind === "unallocated";
    const own = by === "profile" ? line.kind !== "addon" && line.profile : shared && line.service;
    const key = own || `:${line.kind}`;
    const group = groups.get(key) ?? {
      key,
      name: own ? (by === "profile" ? line.name || t.billing.goneProfile : serviceName(own)) : (t.billing.kinds[line.kind] ?? line.kind),
      hint: own ? undefined : t.billing.kindHints[line.kind],
      micro: 0,
      lines: [],
      rank: own ? 0 : order.indexOf(line.kind),
    };
    groups.set(key, group);
    group.micro += line.micro;
    group.lines.push({ ...line, label: labelOf(line, own ? by : undefined) });
  }
  for (const group of groups.values()) group.lines.sort((a, b) => b.micro - a.micro);
  return [...groups.values()].sort((a, b) => a.rank - b.rank || b.micro - a.micro || a.name.localeCompare(b.name));
}

/** What a line is called below its group. */
export function labelOf(line: CostLine, by?: Grouping): string {
  switch (line.kind) {
    case "service":
      if (by === "service") return line.name || t.billing.goneProfile;
      return serviceName(line.service ?? "");
    case "unallocated":
      if (by === "service") return t.billing.kinds.unallocated ?? line.kind;
      return by === "profile" ? t.billing.spreadPart(serviceName(line.service ?? "")) : serviceName(line.service ?? "");
    case "addon":
      return line.name ? t.billing.addonOf(line.item ?? "", line.name) : (line.item ?? "");
    default:
      return line.item ?? "";
  }
}

export interface Day {
  day: string;
  micro: number;
}

/** The sum of each day. */
export function byDay(lines: CostLine[]): Day[] {
  const days = new Map<string, number>();
  for (const line of lines) days.set(line.day ?? "", (days.get(line.day ?? "") ?? 0) + line.micro);
  return [...days].map(([day, micro]) => ({ day, micro })).sort((a, b) => a.day.localeCompare(b.day));
}
