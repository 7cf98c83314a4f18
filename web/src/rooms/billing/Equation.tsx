import { Group, Paper, Text } from "@mantine/core";
import type { Cost } from "../../api/types";
import { t } from "../../texts";
import { Money } from "./money";

/** Profiles + unallocated + add-ons + plan − discounts = total. Parts that are nothing are left out, but for the first. */
export function Equation({ cost }: { cost: Cost }) {
  const parts = [
    { name: t.money.parts.profiles, micro: cost.profiles_micro, sign: "" },
    { name: t.money.parts.unallocated, micro: cost.unallocated_micro, sign: "+" },
    { name: t.money.parts.addons, micro: cost.addons_micro, sign: "+" },
    { name: t.money.parts.plan, micro: cost.plan_micro, sign: "+" },
    { name: t.money.parts.discounts, micro: -cost.discounts_micro, sign: "−" },
  ].filter(({ micro, sign }) => sign === "" || micro !== 0);
  return (
    <Paper className="equation" component="dl" aria-label={t.money.equation} m={0}>
      {[...parts, { name: t.money.parts.total, micro: cost.total_micro, sign: "=" }].map(({ name, micro, sign }) => (
        <div key={name} className={sign === "=" ? "equals" : undefined}>
          <Text component="dt" size="sm" c="dimmed">
            {name}
          </Text>
          <Group component="dd" m={0} gap={8} wrap="nowrap" fw={sign === "=" ? 700 : 500} fz="lg">
            {sign && (
              <Text span c="dimmed" fz="lg" aria-hidden="true">
                {sign}
              </Text>
            )}
            <Money micro={micro} currency={cost.currency} />
          </Group>
        </div>
      ))}
    </Paper>
  );
}
