// Money as people read it. Sums are exact: what is less than a cent stands behind, smaller, so that lines can be added up by hand.
import { Text } from "@mantine/core";
import type { Sum } from "../../api/types";
import { t } from "../../texts";
import { numberParts, numberText } from "../../ui/formats";

const microPerCent = 10_000;

const two = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

const inMoney = (currency: string): Intl.NumberFormatOptions => ({ style: "currency", currency, ...two });

/** Whole cents in a currency; without one, as a number. */
export function centsText(cents: number, currency: string): string {
  return numberText(cents / 100, currency ? inMoney(currency) : two);
}

/** Ten thousandths of a cent, rounded to whole cents. */
export const microText = (micro: number, currency: string): string => centsText(Math.round(micro / microPerCent), currency);

/** Ten thousandths of a cent, to the last of them. */
export function Money({ micro, currency }: { micro: number; currency: string }) {
  if (!currency) return <>{t.none}</>;
  const rest = Math.abs(micro) % microPerCent;
  const parts = numberParts(Math.trunc(micro / microPerCent) / 100, inMoney(currency));
  return (
    <span className="nowrap" style={{ fontVariantNumeric: "tabular-nums" }}>
      {parts.map((part, at) =>
        part.type === "fraction" && rest > 0 ? (
          // The parts of a number have no names of their own, and their order is all they have.
          // eslint-disable-next-line react/no-array-index-key
          <span key={at}>
            {part.value}
            <Text span fz="0.8em" c="dimmed">
              {String(rest).padStart(4, "0")}
            </Text>
          </span>
        ) : (
          part.value
        ),
      )}
    </span>
  );
}

/** Amounts of several currencies, which nobody adds up: "$49.00 + €66.33". */
export const sumsText = (sums: Sum[]): string => sums.map(({ amount, currency }) => centsText(amount, currency)).join(" + ");
