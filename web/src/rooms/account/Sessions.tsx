import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { SessionRow } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { sessionsKey } from "./session";

/** The signed-in browsers of the account. */
export function Sessions() {
  const client = useQueryClient();
  const time = useTime();
  const list = useQuery({
    queryKey: sessionsKey,
    queryFn: ({ signal }) => call<SessionRow[]>("GET", "/session/list", { signal }),
  });
  const end = useMutation({
    mutationFn: (id: string) => call<string>("DELETE", `/session/${id}`),
    onSettled: () => client.invalidateQueries({ queryKey: sessionsKey }),
  });
  const rows = list.data ?? [];
  return (
    <Section title={t.sessions.title} text={t.sessions.text}>
      {list.isPending && <Loading />}
      <ErrorNote error={list.error} retry={() => void list.refetch()} />
      <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }}>
        {rows.map((row) => (
          <Group key={row.id} component="li" justify="space-between" wrap="nowrap" align="flex-start">
            <div style={{ minWidth: 0 }}>
              <Group gap="xs">
                <Text size="sm" fw={600}>
                  {browserName(row.agent)}
                </Text>
                {row.current && (
                  <Badge size="sm" variant="light">
                    {t.sessions.current}
                  </Badge>
                )}
              </Group>
              <Text size="sm" c="dimmed">
                {t.sessions.where(row.address || t.none, time(row.last_used_at), time(row.expires_at))}
              </Text>
            </div>
            {!row.current && (
              <Button
                size="compact-sm"
                variant="default"
                aria-label={t.sessions.endOne(browserName(row.agent), row.address)}
                loading={end.isPending && end.variables === row.id}
                onClick={() => end.mutate(row.id)}
              >
                {t.sessions.end}
              </Button>
            )}
          </Group>
        ))}
      </Stack>
      <ErrorNote error={end.error} />
      {rows.length > 1 && (
        <Group>
          <Button
            variant="outline"
            color="red"
            loading={end.isPending && end.variables === "others"}
            onClick={() => end.mutate("others")}
          >
            {t.sessions.endOthers}
          </Button>
        </Group>
      )}
    </Section>
  );
}

/** "Firefox on Linux" of what a browser calls itself; the order matters, since most of them also name the others. */
function browserName(agent: string): string {
  const find = (names: [RegExp, string][]): string | undefined => names.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = find([
    [/Edg\//, "Edge"],
    [/OPR\//, "Opera"],
    [/Firefox\//, "Firefox"],
    [/Chrom(e|ium)\//, "Chrome"],
    [/Safari\//, "Safari"],
    [/curl\//, "curl"],
  ]);
  const system = find([
    [/Windows/, "Windows"],
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Mac OS X/, "macOS"],
    [/Linux/, "Linux"],
  ]);
  if (!browser) return agent.slice(0, 60) || t.sessions.unknown;
  return system ? t.sessions.browser(browser, system) : browser;
}
