import { Text, type TextProps } from "@mantine/core";
import { useEffect, useState } from "react";
import { language } from "../texts";
import { useTime } from "./format";

const units = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** How long ago something was, in words: "2 minutes ago". */
export function agoText(iso: string, now: number): string {
  const format = new Intl.RelativeTimeFormat(language === "pt" ? "pt-BR" : language, { numeric: "auto" });
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= one) ?? units[units.length - 1]!;
  return format.format(Math.trunc(seconds / size), unit);
}

/** How long something takes, in the largest unit that is whole: "10 minutes". */
export function spanText(seconds: number): string {
  const [unit, size] = units.slice(3).find(([, one]) => seconds % one === 0) ?? units[units.length - 1]!;
  return new Intl.NumberFormat(language === "pt" ? "pt-BR" : language, { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}

/** The present time, anew every so often. */
export function useNow(every = 10_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** A time as how long ago it was; the exact time on hover. */
export function Ago({ iso, now, ...rest }: { iso: string; now: number } & TextProps) {
  const time = useTime();
  return (
    <Text span component="time" dateTime={iso} title={time(iso)} {...rest}>
      {agoText(iso, Math.max(now, Date.parse(iso)))}
    </Text>
  );
}
