import { Badge, Code, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { DeviceRequest } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { requestsQuery } from "./queries";

/** What the device asked lately and what it was told: the place to see why nothing arrives. */
export function Requests({ profileId, deviceId }: { profileId: string; deviceId: string }) {
  const requests = useQuery(requestsQuery(profileId, deviceId));
  const time = useTime();
  if (requests.isPending) return <Loading />;
  if (!requests.data) return <ErrorNote error={requests.error} retry={() => void requests.refetch()} />;
  if (requests.data.length === 0) return <Empty title={t.devices.requestsEmpty} text={t.devices.requestsEmptyText} />;
  return (
    <Section title={t.devices.tabRequests} text={t.devices.requestsText}>
      <ErrorNote error={requests.error} />
      <Table.ScrollContainer minWidth={290}>
        <Table verticalSpacing="xs" horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.devices.requestTime}</Table.Th>
              <Table.Th>{t.devices.requestVerdict}</Table.Th>
              <Table.Th>{t.devices.requestWhat}</Table.Th>
              <Table.Th visibleFrom="sm">{t.devices.requestAddress}</Table.Th>
              <Table.Th visibleFrom="sm">{t.devices.requestToken}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {requests.data.map((row, index) => (
              <Table.Tr key={`${row.time} ${index}`}>
                <Table.Td>{time(row.time)}</Table.Td>
                <Table.Td>
                  <Stack gap={4} align="flex-start">
                    <Badge miw="max-content" color={row.verdict === "accepted" ? "paddock" : "red"} variant="light">
                      {row.verdict === "accepted" ? t.devices.requestAccepted : t.devices.requestRefused} {row.status}
                    </Badge>
                    {row.reason && <Text size="xs">{row.reason}</Text>}
                  </Stack>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" className="mono">
                    {row.method} {row.path}
                  </Text>
                  <Text size="xs" className="mono" hiddenFrom="sm">
                    {row.address} {token(row)}
                  </Text>
                  {row.body && (
                    <details>
                      <summary>
                        <Text span size="xs">
                          {t.devices.requestBody}
                        </Text>
                      </summary>
                      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                        {row.body}
                      </Code>
                    </details>
                  )}
                </Table.Td>
                <Table.Td className="mono" visibleFrom="sm">
                  {row.address}
                </Table.Td>
                <Table.Td className="mono" visibleFrom="sm">
                  {token(row)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}

/** The last four characters of the token that came with a request. */
function token(row: DeviceRequest): string {
  return row.token ? `…${row.token}` : t.none;
}
