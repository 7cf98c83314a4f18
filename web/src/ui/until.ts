// How long it is until something, in the words of the language in use.
import { language } from "../texts";

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** "8 days", "3 hours": the largest unit that fits twice, or minutes; what is over takes none. */
export function untilText(iso: string, now = Date.now()): string {
  const left = Math.max(0, Date.parse(iso) - now);
  const [unit, ms] = steps.find(([, size]) => left >= 2 * size) ?? ["minute", 60_000];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(Math.max(1, Math.round(left / ms)));
}
