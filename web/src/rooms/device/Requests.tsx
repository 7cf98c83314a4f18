import { Badge, Code, Group, Modal, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { DeviceRequest } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { When } from "../../ui/When";
import { requestsQuery } from "./queries";

/** What the device asked lately and what it was told: the place to see why nothing arrives. */
export function Requests({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const requests = useQuery(requestsQuery(profileId, deviceId));
  const time = useTime();
  const [opened, setOpened] = useState<DeviceRequest>();
  if (requests.isPending) return <Loading />;
  if (!requests.data) return <ErrorNote error={requests.error} retry={() => void requests.refetch()} />;
  if (requests.data.length === 0) return <Empty title={t.devices.requestsEmpty} text={t.devices.requestsEmptyText} />;
  return (
    <Section title={t.devices.tabRequests} text={t.devices.requestsText}>
      <ErrorNote error={requests.error} />
      <Table verticalSpacing="xs" horizontalSpacing={8} className="tabular" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.devices.requestTime}</Table.Th>
            <Table.Th>{t.devices.requestVerdict}</Table.Th>
            <Table.Th visibleFrom="xs">{t.devices.requestWhat}</Table.Th>
            <Table.Th visibleFrom="sm" ta="right">
              {t.fleet.size}
            </Table.Th>
            <Table.Th visibleFrom="md">{t.devices.requestAddress}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {requests.data.map((row, index) => (
            <Table.Tr key={`${row.time} ${index}`} pos="relative">
              <Table.Td>
                <UnstyledButton
                  fz="sm"
                  className="covering"
                  aria-label={t.fleet.detailOf(`${row.method} ${row.path}, ${time(row.time)}`)}
                  onClick={() => setOpened(row)}
                >
                  <When at={row.time} />
                </UnstyledButton>
              </Table.Td>
              <Table.Td>
                <Verdict row={row} />
              </Table.Td>
              <Table.Td visibleFrom="xs" className="mono" miw={105}>
                {row.method} {row.path}
              </Table.Td>
              <Table.Td visibleFrom="sm" ta="right" className="nowrap">
                {t.fleet.bytes(count(row.size))}
              </Table.Td>
              <Table.Td className="mono" visibleFrom="md" miw={150}>
                {row.address}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Modal opened={opened !== undefined} onClose={() => setOpened(undefined)} title={opened && `${opened.method} ${opened.path}`} centered size="lg">
        {opened && <Detail row={opened} />}
      </Modal>
    </Section>
  );
}

function Verdict({ row }: { row: DeviceRequest }) {
  return (
    <Stack gap={4} align="flex-start">
      <Badge miw="max-content" color={row.verdict === "accepted" ? "paddock" : "red"} variant="light">
        {row.verdict === "accepted" ? t.devices.requestAccepted : t.devices.requestRefused} {row.status}
      </Badge>
      {row.reason && <Text size="xs">{row.reason}</Text>}
    </Stack>
  );
}

function Detail({ row }: { row: DeviceRequest }) {
  const time = useTime();
  const facts: [string, string][] = [
    [t.devices.requestTime, time(row.time)],
    [t.devices.requestAddress, row.address],
    [t.fleet.tokenName, [row.token_name, row.token && `…${row.token}`].filter(Boolean).join(" ") || t.none],
    [t.fleet.size, t.fleet.bytes(count(row.size))],
  ];
  return (
    <Stack gap="sm">
      <Verdict row={row} />
      {facts.map(([name, value]) => (
        <Group key={name} gap="xs" wrap="nowrap" align="baseline">
          <Text size="sm" c="dimmed" w={80} flex="none">
            {name}
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {value}
          </Text>
        </Group>
      ))}
      {row.body ? (
        <div>
          <Text size="sm" c="dimmed" mb={4}>
            {t.fleet.bodyShort}
          </Text>
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere", maxHeight: 320, overflow: "auto" }}>
            {row.body}
          </Code>
        </div>
      ) : (
        <Text size="sm" c="dimmed">
          {t.fleet.noBody}
        </Text>
      )}
    </Stack>
  );
}
