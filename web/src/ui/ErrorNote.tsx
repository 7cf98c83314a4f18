import { Alert, Button, Group, Text } from "@mantine/core";
import { ApiError } from "../api/client";
import { t } from "../texts";
import { CopyButton } from "./CopyButton";

/** What went wrong, with the request's id to report it by. Nothing when there is no error. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) return null;
  const message = error instanceof Error ? error.message : String(error);
  const requestId = error instanceof ApiError ? error.requestId : "";
  return (
    <Alert color="red" variant="light" title={t.errors.heading} role="alert">
      <Text size="sm">{message}</Text>
      {(requestId || retry) && (
        <Group gap="xs" mt="xs">
          {requestId && (
            <>
              <Text size="xs" className="mono">
                {t.errors.requestId} {requestId}
              </Text>
              <CopyButton value={requestId} label={t.errors.copyId} size="compact-xs" />
            </>
          )}
          {retry && (
            <Button size="compact-xs" variant="default" onClick={retry}>
              {t.retry}
            </Button>
          )}
        </Group>
      )}
    </Alert>
  );
}
