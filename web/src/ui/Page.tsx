import { Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { t } from "../texts";

interface Props {
  title: string;
  /** Its name goes into the tab's title. */
  profile?: string;
  text?: string;
  /** Beside the heading: what one does here. */
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame of every page: heading, tab title, and what it can do. */
export function Page({ title, profile, text, actions, children }: Props) {
  useEffect(() => {
    document.title = t.title(title, profile);
  }, [title, profile]);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-start" gap="md">
        <Stack gap={4} maw={640}>
          <Title order={1} size="h2">
            {title}
          </Title>
          {text && <Text c="dimmed">{text}</Text>}
        </Stack>
        {actions}
      </Group>
      {children}
    </Stack>
  );
}
