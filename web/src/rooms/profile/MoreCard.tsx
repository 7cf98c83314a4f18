import { Card, Group, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: string;
  /** What it does, in a line or two. */
  text: ReactNode;
  /** Why it cannot be done, instead of what it does. */
  lacks?: ReactNode;
  /** One button. */
  children: ReactNode;
}

/** One of the things that can be done with a profile: two lines and a button. */
export function MoreCard({ title, text, lacks, children }: Props) {
  return (
    <Card withBorder padding="lg" component="section" aria-label={title}>
      <Stack gap="md" h="100%" justify="space-between">
        <Stack gap={4}>
          <Title order={2} size="h5">
            {title}
          </Title>
          <Text size="sm" c="dimmed" component="div">
            {text}
          </Text>
        </Stack>
        <Stack gap={6}>
          <Group>{children}</Group>
          {lacks && (
            <Text size="xs" c="dimmed" component="div">
              {lacks}
            </Text>
          )}
        </Stack>
      </Stack>
    </Card>
  );
}
