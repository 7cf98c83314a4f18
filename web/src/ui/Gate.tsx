import { Card, Center, Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { language, setLanguage, t } from "../texts";
import { LanguageChoice } from "./LanguageChoice";
import { Mark } from "./Mark";

/** The frame of pages for people who are not signed in: one card in the middle. */
export function Gate({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  useEffect(() => {
    document.title = t.title(title);
  }, [title]);
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack w="100%" maw={420} gap="lg">
        <Group gap="sm" justify="center">
          <Mark />
          <Text fw={700} size="lg">
            {t.product}
          </Text>
        </Group>
        <Card withBorder padding="xl" shadow="sm">
          <Stack gap="md">
            <div>
              <Title order={1} size="h3">
                {title}
              </Title>
              {text && (
                <Text size="sm" c="dimmed" mt={4}>
                  {text}
                </Text>
              )}
            </div>
            {children}
          </Stack>
        </Card>
        <LanguageChoice value={language} onChange={setLanguage} />
      </Stack>
    </Center>
  );
}
