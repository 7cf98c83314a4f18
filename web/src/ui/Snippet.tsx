import { Group, Stack, Text } from "@mantine/core";
import { useId } from "react";
import { CopyButton } from "./CopyButton";

/** Lines to paste elsewhere: a heading, the lines, a button that copies `value` (which may hold what `shown` masks). */
export function Snippet(props: { title: string; hint?: string; shown: string; value: string; copyLabel: string }) {
  const id = useId();
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} size="sm" id={id}>
          {props.title}
        </Text>
        <CopyButton value={props.value} label={props.copyLabel} />
      </Group>
      <pre className="snippet" aria-labelledby={id}>
        {props.shown}
      </pre>
      {props.hint && (
        <Text size="xs" c="dimmed">
          {props.hint}
        </Text>
      )}
    </Stack>
  );
}
