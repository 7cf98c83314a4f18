import { Alert, Button, Card, Code, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import type { Outbox } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { discardMail, linkOf, outboxQuery, retryMail, useOutbox } from "./queries";

/** Mails that have not been delivered; for operators. */
export function OutboxPage() {
  const box = useQuery(outboxQuery);
  if (box.isPending) return <Loading />;
  if (!box.data) return <ErrorNote error={box.error} retry={() => void box.refetch()} />;
  return (
    <Page title={t.notify.outbox} text={t.notify.outboxText}>
      {box.data.mail_server === null && <Alert color="yellow">{t.notify.noMailServer}</Alert>}
      {box.data.mails.length === 0 ? (
        <Empty title={t.notify.outboxEmpty} />
      ) : (
        box.data.mails.map((mail) => <One key={mail.id} mail={mail} server={box.data.mail_server !== null} />)
      )}
    </Page>
  );
}

function One({ mail, server }: { mail: Outbox["mails"][number]; server: boolean }) {
  const time = useTime();
  const again = useOutbox(retryMail);
  const away = useOutbox(discardMail);
  const reveal = useMutation({ mutationFn: () => linkOf(mail.id) });
  const link = reveal.data;
  return (
    <Card withBorder padding="md" component="article" aria-label={`${mail.to}: ${mail.subject}`}>
      <Stack gap={4}>
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {mail.to}
        </Text>
        <Text size="sm">{mail.subject}</Text>
        <Text size="xs" c="dimmed">
          {time(mail.created_at)} · {t.notify.attempts}: {mail.attempts}
          {mail.reason && ` · ${mail.reason}`}
        </Text>
        <Group gap="xs">
          {mail.has_link && (
            // It stays where it is: what moved into its place would get a second press.
            <Button
              size="compact-sm"
              variant="default"
              loading={reveal.isPending}
              onClick={() => (link === undefined ? reveal.mutate() : reveal.reset())}
            >
              {link === undefined ? t.notify.showLink : t.notify.hideLink}
            </Button>
          )}
          {server && (
            <Button size="compact-sm" variant="default" loading={again.isPending} onClick={() => again.mutate(mail.id)}>
              {t.notify.sendNow}
            </Button>
          )}
          <Button size="compact-sm" variant="subtle" color="red" loading={away.isPending} onClick={() => away.mutate(mail.id)}>
            {t.notify.discard}
          </Button>
        </Group>
        {link && (
          <Group gap="xs">
            <Code style={{ overflowWrap: "anywhere" }}>{link}</Code>
            <CopyButton value={link} label={`${t.copy}: ${t.notify.link}`} size="compact-xs" />
          </Group>
        )}
        <ErrorNote error={reveal.error} />
        <ErrorNote error={again.error} />
        <ErrorNote error={away.error} />
      </Stack>
    </Card>
  );
}
