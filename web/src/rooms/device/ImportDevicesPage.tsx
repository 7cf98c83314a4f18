import { Badge, Button, Card, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type DragEvent, useRef, useState } from "react";
import type { DeviceTable } from "../../api/types";
import { t } from "../../texts";
import { csvLine, download } from "../../ui/csv";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, unlimited } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { tagText } from "../../ui/TagRows";
import { Allowed } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { sendTable, useListChanged } from "./queries";

const route = getRouteApi("/_in/p/$profileId/devices/import");

const sample = [
  ["name", "serial", "tags", "tag:site", "param:interval"],
  ["Greenhouse 1", "SN-0001", "kind=climate", "north", "600"],
  ["Greenhouse 2", "SN-0002", "kind=climate; door=red", "south", "600"],
];

/** Many devices out of a file: chosen, looked at by the server, made all together. */
export function ImportDevicesPage() {
  const { profileId } = route.useParams();
  const profileName = useProfileName(profileId);
  const changed = useListChanged(profileId);
  const [file, setFile] = useState<File>();
  const look = useMutation({ mutationFn: (chosen: File) => sendTable(profileId, chosen, true) });
  const make = useMutation({ mutationFn: (chosen: File) => sendTable(profileId, chosen, false), onSuccess: changed });
  const choose = (chosen: File) => {
    setFile(chosen);
    make.reset();
    look.mutate(chosen);
  };
  const made = make.data?.devices;
  const table = look.data;
  const good = table?.error_count === 0 && table.rows > 0;
  return (
    <Page title={t.fleet.importTitle} profile={profileName} text={made ? undefined : t.fleet.importText}>
      {made ? (
        <Made profileId={profileId} devices={made} />
      ) : (
        <Allowed profileId={profileId} least="developer">
          <DropZone file={file} choose={choose} />
          {look.isPending && <Loading />}
          <ErrorNote error={look.error} retry={file && (() => look.mutate(file))} />
          {table && table.error_count > 0 && <Wrong table={table} />}
          {table && good && file && (
            <>
              <Preview table={table} />
              <ErrorNote error={make.error} />
              <Group>
                <Button loading={make.isPending} onClick={() => make.mutate(file)}>
                  {t.fleet.create(table.rows, count(table.rows))}
                </Button>
                {!unlimited(table.allowed) && (
                  <Text size="sm" c="dimmed">
                    {t.fleet.room(count(table.used), count(table.allowed))}
                  </Text>
                )}
              </Group>
            </>
          )}
        </Allowed>
      )}
    </Page>
  );
}

function DropZone({ file, choose }: { file: File | undefined; choose: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const drag = (on: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(on);
  };
  return (
    <Card
      withBorder
      padding="xl"
      bg={over ? "var(--mantine-color-paddock-light)" : undefined}
      style={{ borderStyle: "dashed" }}
      onDragOver={drag(true)}
      onDragLeave={drag(false)}
      onDrop={(event) => {
        drag(false)(event);
        const dropped = event.dataTransfer.files[0];
        if (dropped) choose(dropped);
      }}
    >
      <Stack align="center" gap="sm" ta="center">
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {file?.name ?? t.fleet.drop}
        </Text>
        {!file && (
          <Text size="sm" c="dimmed" maw={520}>
            {t.fleet.importColumns}
          </Text>
        )}
        <Group gap="xs" justify="center">
          <Button variant={file ? "default" : "filled"} onClick={() => input.current?.click()}>
            {file ? t.fleet.another : t.fleet.choose}
          </Button>
          {!file && (
            <Button variant="default" onClick={() => download("devices.csv", sample.map(csvLine))}>
              {t.fleet.importSample}
            </Button>
          )}
        </Group>
        <input
          ref={input}
          type="file"
          hidden
          accept=".csv,.tsv,.txt,text/csv,text/plain"
          aria-label={t.fleet.choose}
          onChange={(event) => {
            const chosen = event.currentTarget.files?.[0];
            event.currentTarget.value = ""; // the same file, mended, is chosen again
            if (chosen) choose(chosen);
          }}
        />
      </Stack>
    </Card>
  );
}

function Wrong({ table }: { table: DeviceTable }) {
  return (
    <Card withBorder padding="lg" role="alert" style={{ borderColor: "var(--mantine-color-red-outline)" }}>
      <Stack gap="sm">
        <div>
          <Title order={2} size="h4">
            {t.fleet.rowsBad(table.error_count, count(table.error_count))}
          </Title>
          <Text size="sm" c="dimmed">
            {t.fleet.rowsBadHint}
          </Text>
        </div>
        <Table verticalSpacing={6} horizontalSpacing="xs" className="tabular">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={60}>{t.fleet.row}</Table.Th>
              <Table.Th>{t.fleet.column}</Table.Th>
              <Table.Th>{t.fleet.reason}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {table.errors.map((wrong) => (
              <Table.Tr key={`${wrong.row} ${wrong.column} ${wrong.reason}`}>
                <Table.Td>{wrong.row || t.none}</Table.Td>
                <Table.Td className="mono">{wrong.column || t.none}</Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{wrong.reason}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        {table.errors.length < table.error_count && <Text size="sm">{t.fleet.more(table.error_count - table.errors.length)}</Text>}
      </Stack>
    </Card>
  );
}

function Preview({ table }: { table: DeviceTable }) {
  const shown = table.preview.length;
  return (
    <Section
      title={t.fleet.rowsGood(table.rows, count(table.rows))}
      text={shown < table.rows ? t.fleet.previewOf(count(shown), count(table.rows)) : undefined}
    >
      <Table verticalSpacing={6} horizontalSpacing="xs" className="tabular" aria-label={t.fleet.preview}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={50} visibleFrom="sm">
              {t.fleet.row}
            </Table.Th>
            <Table.Th>{t.devices.name}</Table.Th>
            <Table.Th>{t.fleet.serial}</Table.Th>
            <Table.Th visibleFrom="sm">{t.devices.type}</Table.Th>
            <Table.Th visibleFrom="sm">{t.fleet.tags}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {table.preview.map((row) => (
            <Table.Tr key={row.row}>
              <Table.Td c="dimmed" visibleFrom="sm">
                {row.row}
              </Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                {row.name}{" "}
                {!row.active && (
                  <Badge color="gray" variant="light" size="sm">
                    {t.devices.inactive}
                  </Badge>
                )}
              </Table.Td>
              <Table.Td className="mono">{row.serial || t.none}</Table.Td>
              <Table.Td visibleFrom="sm">{t.devices.types[row.type] ?? row.type}</Table.Td>
              <Table.Td visibleFrom="sm">{row.tags.map(tagText).join(", ") || t.none}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Made({ profileId, devices }: { profileId: string; devices: DeviceTable["devices"] }) {
  const head = ["id", "name", "serial", "token"];
  return (
    <Section title={t.fleet.made(devices.length, count(devices.length))} text={t.fleet.madeText}>
      <Group>
        <Button
          onClick={() =>
            download("device-tokens.csv", [csvLine(head), ...devices.map((row) => csvLine([row.id, row.name, row.serial, row.token]))])
          }
        >
          {t.fleet.tokens}
        </Button>
        <ButtonLink variant="default" to="/p/$profileId/devices" params={{ profileId }}>
          {t.fleet.toList}
        </ButtonLink>
      </Group>
    </Section>
  );
}
