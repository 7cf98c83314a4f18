import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import type { Tag } from "../api/types";
import { t } from "../texts";

interface Props {
  /** What the tags are for: the name of the group. */
  label: string;
  description?: string;
  /** Where a heading says it already. */
  hideLabel?: boolean;
  rows: Tag[];
  onChange: (rows: Tag[]) => void;
}

/** Word pairs, one in each row. Rows without a key are no tags yet; see filled. */
export function TagRows({ label, description, hideLabel, rows, onChange }: Props) {
  const set = (at: number, part: Partial<Tag>) => onChange(rows.map((row, i) => (i === at ? { ...row, ...part } : row)));
  return (
    <Stack gap="xs" role="group" aria-label={label}>
      {!hideLabel && (
        <div>
          <Text size="sm" fw={500}>
            {label}
          </Text>
          {description && (
            <Text size="xs" c="dimmed">
              {description}
            </Text>
          )}
        </div>
      )}
      {rows.map((row, at) => (
        // Rows have no names of their own, and hold nothing but what is passed to them.
        // eslint-disable-next-line react/no-array-index-key
        <Group key={at} gap={6} wrap="nowrap">
          <TextInput
            aria-label={t.tags.keyOf(at + 1)}
            placeholder={t.tags.key}
            flex={1}
            miw={0}
            maxLength={100}
            value={row.key}
            onChange={(event) => set(at, { key: event.currentTarget.value })}
          />
          <TextInput
            aria-label={t.tags.valueOf(at + 1)}
            placeholder={t.tags.value}
            flex={1}
            miw={0}
            maxLength={1000}
            value={row.value}
            onChange={(event) => set(at, { value: event.currentTarget.value })}
          />
          <Button
            variant="subtle"
            color="gray"
            px="xs"
            flex="none"
            aria-label={t.tags.removeOf(at + 1)}
            onClick={() => onChange(rows.filter((_, i) => i !== at))}
          >
            {t.tags.remove}
          </Button>
        </Group>
      ))}
      {rows.length < 30 && (
        <Group>
          <Button size="compact-sm" variant="default" onClick={() => onChange([...rows, { key: "", value: "" }])}>
            {t.tags.add}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

/** The tags among the rows. */
export const filled = (rows: Tag[]): Tag[] =>
  rows.map((row) => ({ key: row.key.trim(), value: row.value.trim() })).filter((row) => row.key !== "");

/** A tag as people write it. */
export const tagText = (tag: Tag): string => `${tag.key} = ${tag.value}`;
