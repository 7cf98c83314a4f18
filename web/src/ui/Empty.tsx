import { Card, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** Where a list would be: why there is nothing, and what to do about it. */
export function Empty({ title, text, children }: { title?: string; text?: string; children?: ReactNode }) {
  return (
    <Card withBorder padding="xl">
      <Stack align="center" gap="sm" py="md" ta="center">
        {title && (
          <Title order={2} size="h4">
            {title}
          </Title>
        )}
        {text && (
          <Text c="dimmed" maw={460}>
            {text}
          </Text>
        )}
        {children}
      </Stack>
    </Card>
  );
}
