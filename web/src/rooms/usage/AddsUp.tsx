import { Badge } from "@mantine/core";
import { t } from "../../texts";
import { amount } from "../../ui/format";

/** Whether the parts of a sum are all of it, and how much is in none of them. */
export function AddsUp({ sum, whole }: { sum: number; whole: number }) {
  const ok = Math.abs(sum - whole) < 1e-6;
  return (
    <Badge variant="light" tt="none" color={ok ? "green" : "yellow"}>
      {ok ? t.billing.addsUp : t.statistics.apart(amount(whole - sum))}
    </Badge>
  );
}
