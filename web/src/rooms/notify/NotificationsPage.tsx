import { Badge, Button, Card, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Notice } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { markAllRead, markRead, noticesPerPage, noticesQuery, press, remove, unreadQuery, useNotices } from "./queries";

const types = ["application", "sharing", "system", "run"] as const;

/** What this person was told. */
export function NotificationsPage() {
  const [read, setRead] = useState<string | null>(null);
  const [type, setType] = useState<string | null>(null);
  const [text, setText] = useState("");
  const [page, setPage] = useState(1);
  const [search] = useDebouncedValue(text.trim(), 250);
  const list = useQuery(
    noticesQuery({ read: read === null ? undefined : read === "read", type: type ?? undefined, search: search || undefined, page }),
  );
  const unread = useQuery(unreadQuery).data;
  const all = useNotices(markAllRead);
  const filtered = read !== null || type !== null || search !== "";
  return (
    <Page
      title={t.notify.title}
      text={t.notify.text}
      actions={
        <Button variant="default" loading={all.isPending} disabled={!unread || unread.unread + unread.lost === 0} onClick={() => all.mutate(undefined)}>
          {t.notify.allRead}
        </Button>
      }
    >
      {unread && unread.lost > 0 && <Text size="sm">{t.notify.lost(unread.lost)}</Text>}
      <Group align="end">
        <TextInput
          label={t.notify.search}
          type="search"
          value={text}
          maxLength={200}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setPage(1);
          }}
        />
        <Select
          label={t.notify.state}
          placeholder={t.notify.any}
          clearable
          data={[
            { value: "unread", label: t.notify.unread },
            { value: "read", label: t.notify.read },
          ]}
          value={read}
          onChange={(value) => {
            setRead(value);
            setPage(1);
          }}
        />
        <Select
          label={t.notify.type}
          placeholder={t.notify.any}
          clearable
          data={types.map((value) => ({ value, label: t.notify.types[value] }))}
          value={type}
          onChange={(value) => {
            setType(value);
            setPage(1);
          }}
        />
      </Group>
      <ErrorNote error={all.error} />
      {list.isPending ? (
        <Loading />
      ) : !list.data ? (
        <ErrorNote error={list.error} retry={() => void list.refetch()} />
      ) : list.data.length === 0 ? (
        <Empty title={filtered ? t.notify.nothingFound : t.notify.nothing} />
      ) : (
        <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }}>
          {list.data.map((notice) => (
            <li key={notice.id}>
              <One notice={notice} />
            </li>
          ))}
        </Stack>
      )}
      {(page > 1 || list.data?.length === noticesPerPage) && (
        <Group>
          <Button variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
            {t.notify.newer}
          </Button>
          <Button variant="default" disabled={(list.data?.length ?? 0) < noticesPerPage} onClick={() => setPage(page + 1)}>
            {t.notify.older}
          </Button>
        </Group>
      )}
    </Page>
  );
}

function One({ notice }: { notice: Notice }) {
  const time = useTime();
  const mark = useNotices(markRead);
  const gone = useNotices(remove);
  const push = useNotices(press);
  return (
    <Card withBorder padding="md" component="article" aria-label={notice.title}>
      <Group justify="space-between" align="flex-start" gap="xs">
        <Stack gap={4} miw={0} flex="1 1 240px">
          <Group gap="xs">
            <Text fw={notice.read ? 400 : 700} style={{ overflowWrap: "anywhere" }}>
              {notice.title}
            </Text>
            {!notice.read && <Badge size="sm">{t.notify.unread}</Badge>}
          </Group>
          <Text size="sm" style={{ whiteSpace: "pre-line", overflowWrap: "anywhere" }}>
            {notice.message}
          </Text>
          <Text size="xs" c="dimmed">
            {time(notice.created_at)}
          </Text>
        </Stack>
        <Group gap="xs" wrap="nowrap">
          <Button size="compact-sm" variant="subtle" loading={mark.isPending} onClick={() => mark.mutate({ id: notice.id, read: !notice.read })}>
            {notice.read ? t.notify.markUnread : t.notify.markRead}
          </Button>
          <Button size="compact-sm" variant="subtle" color="gray" loading={gone.isPending} onClick={() => gone.mutate(notice.id)}>
            {t.notify.remove}
          </Button>
        </Group>
      </Group>
      {notice.buttons.length > 0 && (
        <Group gap="xs" mt="sm">
          {notice.buttons.map((button) => {
            const link = button.triggers.find((trigger) => trigger.method === "REDIRECT")?.url;
            return link ? (
              <Button
                key={button.id}
                size="compact-sm"
                variant="default"
                component="a"
                href={link}
                rel="noreferrer"
                target={link.startsWith(`${window.location.origin}/`) ? undefined : "_blank"}
                data-disabled={!notice.buttons_enabled || undefined}
                aria-disabled={!notice.buttons_enabled || undefined}
                onClick={(event) => {
                  if (notice.buttons_enabled) push.mutate({ id: notice.id, button: button.id });
                  else event.preventDefault();
                }}
              >
                {button.label}
              </Button>
            ) : (
              <Button
                key={button.id}
                size="compact-sm"
                variant="default"
                disabled={!notice.buttons_enabled}
                loading={push.isPending}
                onClick={() => push.mutate({ id: notice.id, button: button.id })}
              >
                {button.label}
              </Button>
            );
          })}
        </Group>
      )}
      <ErrorNote error={mark.error} />
      <ErrorNote error={gone.error} />
      <ErrorNote error={push.error} />
    </Card>
  );
}
