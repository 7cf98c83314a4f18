import { Button, Group, Modal, Paper, Stack, Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { t } from "../texts";

interface Props {
  /** How many things are changed and not saved; 0 shows nothing. */
  changes: number;
  saving: boolean;
  /** Whether what was changed last is saved. */
  saved: boolean;
  disabled?: boolean;
  save: () => void;
  discard: () => void;
  /** What was refused. */
  children?: ReactNode;
}

/** Stays in view while something is not saved: what to do about it, and a question before one leaves without. */
export function Unsaved({ changes, saving, saved, disabled, save, discard, children }: Props) {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => changes > 0 && !saving && current.pathname !== next.pathname,
    enableBeforeUnload: changes > 0,
    withResolver: true,
  });
  return (
    <>
      {changes > 0 && (
        <Paper withBorder p="sm" radius="md" className="unsaved" role="region" aria-label={t.settings.unsaved}>
          <Stack gap="xs">
            {children}
            <Group justify="space-between" gap="sm">
              <Text size="sm" role="status">
                {t.settings.unsavedMany(changes)}
              </Text>
              <Group gap="xs">
                <Button variant="default" size="sm" disabled={saving} onClick={discard}>
                  {t.settings.discard}
                </Button>
                <Button size="sm" loading={saving} disabled={disabled} onClick={save}>
                  {t.save}
                </Button>
              </Group>
            </Group>
          </Stack>
        </Paper>
      )}
      <Text size="sm" ta="right" role="status">
        {changes === 0 && saved ? t.saved : ""}
      </Text>
      <Modal opened={blocker.status === "blocked"} onClose={() => blocker.reset?.()} title={t.settings.leaveTitle} centered>
        <Stack>
          <Text size="sm">{t.settings.leaveText}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => blocker.reset?.()}>
              {t.settings.stay}
            </Button>
            <Button color="red" onClick={() => blocker.proceed?.()}>
              {t.settings.leaveAnyway}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
