import { Alert, Button, Group, Progress, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import type { LimitDetail } from "../api/types";
import { language, t } from "../texts";
import { CopyButton } from "./CopyButton";
import { amount, unlimited, useTime } from "./format";

interface Props {
  error: unknown;
  retry?: (() => void) | undefined;
  title?: string;
  /** Says the reason better than the server's sentence, which is copied all the same. */
  children?: ReactNode;
}

/** What went wrong: the reason, at a limit how much of it is used and when it starts again, and the request's id to report it by.
 *  Nothing when there is no error. */
export function ErrorNote({ error, retry, title = t.errors.heading, children }: Props) {
  if (!error) return null;
  const message = error instanceof Error ? error.message : String(error);
  const requestId = error instanceof ApiError ? error.requestId : "";
  const limit = error instanceof ApiError ? limitOf(error.detail) : undefined;
  const hint = error instanceof ApiError ? hintOf(error.detail) : undefined;
  return (
    <Alert color="red" variant="light" title={title} role="alert">
      {children ?? <Text size="sm">{message}</Text>}
      {limit && <Limit limit={limit} />}
      {hint && !message.includes(hint) && (
        <Text size="sm" mt="xs">
          {hint}
        </Text>
      )}
      {(requestId || retry) && (
        <Group gap="xs" mt="xs">
          {requestId && (
            <>
              <Text size="xs" className="mono">
                {t.errors.requestId} {requestId}
              </Text>
              <CopyButton value={`${message}\n${t.errors.requestId} ${requestId}`} label={t.frame.copyError} size="compact-xs" />
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

function Limit({ limit }: { limit: LimitDetail }) {
  const time = useTime();
  const bounded = !unlimited(limit.allowed);
  return (
    <div style={{ maxWidth: 360, marginTop: 8 }}>
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={600}>
          {t.usage.services[limit.limit] ?? `${t.frame.limit} ${limit.limit}`}
        </Text>
        {bounded && (
          <Text size="sm" style={{ fontVariantNumeric: "tabular-nums" }}>
            {t.frame.used(amount(limit.used), amount(limit.allowed))}
          </Text>
        )}
      </Group>
      {bounded && limit.allowed > 0 && (
        <Progress value={Math.min(100, (100 * limit.used) / limit.allowed)} color="red" size="sm" aria-hidden="true" />
      )}
      {limit.resets_at && (
        <Text size="sm" mt={4}>
          {t.frame.resets(until(limit.resets_at), time(limit.resets_at))}
        </Text>
      )}
    </div>
  );
}

function limitOf(detail: unknown): LimitDetail | undefined {
  const d = detail as Partial<LimitDetail> | null | undefined;
  if (typeof d !== "object" || d === null || typeof d.limit !== "string" || typeof d.used !== "number" || typeof d.allowed !== "number") return undefined;
  return { limit: d.limit, used: d.used, allowed: d.allowed, resets_at: typeof d.resets_at === "string" ? d.resets_at : null, hint: "" };
}

function hintOf(detail: unknown): string | undefined {
  const hint = (detail as { hint?: unknown } | null | undefined)?.hint;
  return typeof hint === "string" && hint !== "" ? hint : undefined;
}

/** How far an instant is away, in the largest unit that says enough: "in 9 days". */
function until(iso: string): string {
  const seconds = Math.max(0, (Date.parse(iso) - Date.now()) / 1000);
  const words = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  if (seconds < 90) return words.format(Math.ceil(seconds), "second");
  if (seconds < 90 * 60) return words.format(Math.round(seconds / 60), "minute");
  if (seconds < 48 * 3600) return words.format(Math.round(seconds / 3600), "hour");
  return words.format(Math.floor(seconds / 86_400), "day");
}
