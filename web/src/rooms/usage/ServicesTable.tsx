import { Progress, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount, unlimited } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { summaryQuery } from "./queries";

/** Each service of a profile as used / limit. */
export function ServicesTable({ profile }: { profile: string }) {
  const summary = useQuery(summaryQuery(profile));
  if (summary.isPending) return <Loading />;
  if (!summary.data) return <ErrorNote error={summary.error} retry={() => void summary.refetch()} />;
  const { limit, limit_used: used } = summary.data;
  const services = Object.entries(t.usage.services).filter(([service]) => service in limit);
  const bars = services.some(([service]) => !unlimited(limit[service] ?? 0));
  return (
    <Table verticalSpacing="xs" horizontalSpacing={8}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t.usage.service}</Table.Th>
          <Table.Th ta="right">{t.usage.used}</Table.Th>
          <Table.Th ta="right">{t.usage.limit}</Table.Th>
          {bars && <Table.Td visibleFrom="sm" w="30%" />}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {services.map(([service, name]) => (
          <Row key={service} name={name} used={used[service] ?? 0} limit={limit[service] ?? 0} bars={bars} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Row({ name, used, limit, bars }: { name: string; used: number; limit: number; bars: boolean }) {
  const bounded = !unlimited(limit);
  const percent = limit > 0 ? Math.min(100, Math.floor((used / limit) * 100)) : used > 0 ? 100 : 0;
  const color = percent >= 100 ? "red" : percent >= 80 ? "yellow" : "paddock";
  return (
    <Table.Tr>
      <Table.Th fw={500}>{name}</Table.Th>
      <Table.Td ta="right">{amount(used)}</Table.Td>
      <Table.Td ta="right">
        {bounded ? (
          amount(limit)
        ) : (
          <Text span size="sm" c="dimmed">
            {t.usage.noLimit}
          </Text>
        )}
      </Table.Td>
      {bars && (
        <Table.Td visibleFrom="sm">
          {bounded && (
            <Progress.Root size="sm">
              <Progress.Section value={percent} color={color} aria-label={`${name}: ${t.usage.share(percent)}`} />
            </Progress.Root>
          )}
        </Table.Td>
      )}
    </Table.Tr>
  );
}
