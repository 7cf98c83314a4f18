import { SimpleGrid, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { useOwnRole } from "../profile/Allowed";
import { Money, microText } from "./money";
import { profileCostQuery } from "./queries";
import { serviceName } from "./sums";

/** What a profile costs its owner, whom alone that concerns. */
export function ProfileCost({ profileId }: { profileId: string }) {
  return useOwnRole(profileId) === "owner" ? <Own profileId={profileId} /> : null;
}

function Own({ profileId }: { profileId: string }) {
  const dates = useDates();
  const cost = useQuery(profileCostQuery(profileId));
  const it = cost.data;
  return (
    <Section title={t.billing.title} text={it && it.lines.length > 0 ? t.billing.ofProfile(dates.range(it.cycle.from, it.cycle.to)) : undefined}>
      {cost.isPending && <Loading />}
      <ErrorNote error={cost.error} retry={() => void cost.refetch()} />
      {it && it.lines.length === 0 && (
        <>
          <Text size="sm" c="dimmed">
            {t.billing.ofProfileNone}
          </Text>
          <TextLink size="sm" to="/cost">
            {t.billing.toCost}
          </TextLink>
        </>
      )}
      {it && it.lines.length > 0 && (
        <>
          <SimpleGrid cols={{ base: 2, sm: 4 }} component="dl" m={0}>
            {(
              [
                [t.billing.toDate, it.to_date_micro],
                [t.billing.aDay, it.average_day_micro],
                [t.billing.forecast, it.forecast_micro],
                [t.billing.lastCycle, it.last_cycle_micro],
              ] as const
            ).map(([name, micro]) => (
              <div key={name}>
                <Text component="dt" size="xs" c="dimmed">
                  {name}
                </Text>
                <Text component="dd" m={0} size="lg" fw={600}>
                  {microText(micro, it.currency)}
                </Text>
              </div>
            ))}
          </SimpleGrid>
          <Table verticalSpacing={6} horizontalSpacing={8}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.usage.service}</Table.Th>
                <Table.Th ta="right">{t.billing.toDate}</Table.Th>
                <Table.Th ta="right">{t.billing.forecast}</Table.Th>
                <Table.Th ta="right" visibleFrom="sm">
                  {t.billing.lastCycle}
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {it.lines.map((line) => (
                <Table.Tr key={`${line.kind} ${line.item}`}>
                  <Table.Th scope="row" fw={500}>
                    {line.kind === "service" ? serviceName(line.item) : line.item}
                  </Table.Th>
                  <Table.Td ta="right">
                    <Money micro={line.to_date_micro} currency={it.currency} />
                  </Table.Td>
                  <Table.Td ta="right">{microText(line.forecast_micro, it.currency)}</Table.Td>
                  <Table.Td ta="right" visibleFrom="sm">
                    {microText(line.last_cycle_micro, it.currency)}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <TextLink size="sm" to="/cost">
            {t.billing.toCostAll}
          </TextLink>
        </>
      )}
    </Section>
  );
}
