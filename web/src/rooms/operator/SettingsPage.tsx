import { Badge, Card, Checkbox, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { Empty } from "../../ui/Empty";
import { Page } from "../../ui/Page";
import { Answered } from "./Frame";
import { type Setting, settingsQuery } from "./queries";

/** Every setting that the server runs with, where it comes from, and the line that sets it. */
export function SettingsPage() {
  const settings = useQuery(settingsQuery);
  return <Answered query={settings}>{(rows) => <Settings rows={rows} />}</Answered>;
}

function Settings({ rows }: { rows: Setting[] }) {
  const [find, setFind] = useState("");
  const [changed, setChanged] = useState(false);
  const words = find.trim().toLowerCase();
  const shown = rows.filter(
    (row) => (!changed || row.source !== "default") && `${row.name} ${row.env} ${row.meaning}`.toLowerCase().includes(words),
  );
  return (
    <Page title={t.operator.settings.title} text={t.operator.settings.text}>
      <Group align="end" gap="md">
        <TextInput
          label={t.operator.settings.search}
          placeholder={t.operator.settings.searchHint}
          type="search"
          w={280}
          maw="100%"
          value={find}
          onChange={(event) => setFind(event.currentTarget.value)}
        />
        <Checkbox
          pb={8}
          label={t.operator.settings.changed}
          checked={changed}
          onChange={(event) => setChanged(event.currentTarget.checked)}
        />
      </Group>
      {shown.length === 0 ? (
        <Empty title={t.operator.settings.none} />
      ) : (
        <Card withBorder padding={0} component="ul" m={0} style={{ listStyle: "none" }} aria-label={t.operator.settings.title}>
          {shown.map((row, at) => (
            <One key={row.name} row={row} first={at === 0} />
          ))}
        </Card>
      )}
    </Page>
  );
}

function One({ row, first }: { row: Setting; first: boolean }) {
  const words = t.operator.settings;
  const masked = /:xxxxx@|=xxxxx/.test(row.value);
  return (
    <Stack
      component="li"
      gap={6}
      px="lg"
      py="md"
      aria-label={row.name}
      style={first ? undefined : { borderTop: "1px solid var(--mantine-color-default-border)" }}
    >
      <Group justify="space-between" gap="xs" align="flex-start">
        <Group gap="xs" miw={0}>
          <Text fw={600} className="mono" size="sm">
            --{row.name}
          </Text>
          <Badge variant="light" tt="none" color={row.source === "default" ? "gray" : "paddock"}>
            {words.sources[row.source] ?? row.source}
          </Badge>
        </Group>
        {row.secret && row.set ? (
          <Text size="sm" c="dimmed">
            {words.secret}
          </Text>
        ) : row.value === "" ? (
          <Text size="sm" c="dimmed">
            {words.unset}
          </Text>
        ) : (
          <Text size="sm" className="mono" ta="right">
            {row.value}
          </Text>
        )}
      </Group>
      <Text size="sm" c="dimmed" maw={760}>
        {row.meaning}
        {row.default !== "" && row.source !== "default" && ` ${words.byDefault(row.default)}.`}
      </Text>
      {row.line !== "" && (
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Code style={{ overflowWrap: "anywhere", minWidth: 0 }}>{row.line}</Code>
          <CopyButton value={row.line} label={`${t.copy}: ${words.line(row.name)}`} size="compact-xs" />
        </Group>
      )}
      {masked && (
        <Text size="xs" c="dimmed">
          {words.masked}
        </Text>
      )}
    </Stack>
  );
}
