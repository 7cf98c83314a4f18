import { Group, Stack, Text } from "@mantine/core";
import { t } from "../../texts";
import { numberText } from "../../ui/formats";
import type { Group as SumGroup } from "./sums";

const most = 7;
const radius = 40;
const around = 2 * Math.PI * radius;

/** How a sum is divided: the largest parts, and the others together. What is taken off has no part. */
export function Pie({ groups }: { groups: SumGroup[] }) {
  const parts = groups.filter(({ micro }) => micro > 0).sort((a, b) => b.micro - a.micro);
  const sum = parts.reduce((all, { micro }) => all + micro, 0);
  if (parts.length < 2) return null;
  const first = parts.length > most + 1 ? parts.slice(0, most) : parts;
  const rest = parts.slice(first.length);
  const slices = first.map(({ key, name, micro }) => ({ key, name, micro }));
  if (rest.length > 0) slices.push({ key: ":others", name: t.money.others(rest.length), micro: rest.reduce((all, { micro }) => all + micro, 0) });
  let before = 0;
  return (
    <Stack gap="md" align="center" component="figure" m={0}>
      <svg viewBox="0 0 100 100" width={180} height={180} role="img" aria-label={t.money.pie}>
        {slices.map(({ key, micro }, at) => {
          const share = micro / sum;
          const from = before;
          before += share;
          return (
            <circle
              key={key}
              className="slice"
              data-part={at}
              cx={50}
              cy={50}
              r={radius}
              // A hair of space between two slices tells them apart without their colours.
              strokeDasharray={`${Math.max(share * around - 0.8, 0.2)} ${around}`}
              strokeDashoffset={-from * around}
            />
          );
        })}
      </svg>
      <Stack component="ul" gap={4} p={0} m={0} w="100%" style={{ listStyle: "none" }}>
        {slices.map(({ key, name, micro }, at) => (
          <Group key={key} component="li" gap="xs" wrap="nowrap">
            <span className="part" data-part={at} aria-hidden="true" />
            <Text size="sm" truncate flex={1}>
              {name}
            </Text>
            <Text size="sm" c="dimmed" className="nowrap tabular">
              {numberText(micro / sum, { style: "percent", maximumFractionDigits: 1 })}
            </Text>
          </Group>
        ))}
      </Stack>
    </Stack>
  );
}
