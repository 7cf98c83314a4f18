import { Accordion, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useDates } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { type Health, type RefusalSum, refusalsQuery } from "./queries";
import { limitName } from "./words";

interface Props {
  profileId: string;
  health: Health;
  raise: (service: string) => void;
}

/** What limits refused in a day, by limit; each opens to why, and what to do. */
export function Refusals({ profileId, health, raise }: Props) {
  const dates = useDates();
  const [open, setOpen] = useState<string | null>(null);
  const { groups } = health.refusals;
  return (
    <Section title={t.overview.refusedTitle}>
      {groups.length === 0 && (
        <Text size="sm" c="dimmed">
          {t.overview.refusedNone}
        </Text>
      )}
      <Accordion value={open} onChange={setOpen} variant="contained" order={3}>
        {groups.map((group) => {
          const key = `${group.limit} ${group.scope}`;
          return (
            <Accordion.Item key={key} value={key}>
              <Accordion.Control>
                <Group gap="xs" justify="space-between" pr="xs">
                  <Text fw={500}>{limitName(group.limit)}</Text>
                  <Text size="sm" c="dimmed" style={{ fontVariantNumeric: "tabular-nums" }}>
                    {[
                      t.overview.refusedSum(count(group.requests), group.requests),
                      group.points_lost > 0 ? t.overview.lost(count(group.points_lost), group.points_lost) : "",
                      t.overview.lastAt(dates.near(group.last)),
                    ]
                      .filter(Boolean)
                      .join(" · ")}
                  </Text>
                </Group>
              </Accordion.Control>
              <Accordion.Panel>{open === key && <Why profileId={profileId} health={health} group={group} raise={raise} />}</Accordion.Panel>
            </Accordion.Item>
          );
        })}
      </Accordion>
      {groups.length > 0 && (
        <TextLink to="/p/$profileId/limits" params={{ profileId }} size="sm">
          {t.overview.allLimits}
        </TextLink>
      )}
    </Section>
  );
}

/** Why a limit refuses, by what kind of limit it is. */
function reason(group: RefusalSum, service: boolean, stock: boolean): string {
  const { why } = t.overview;
  if (group.limit in why && group.limit !== "device") return why[group.limit as keyof typeof why];
  if (service) return stock ? why.stock : why.service;
  if (group.status === 429) return group.scope === "device" ? why.device : why.rate;
  return why.cap;
}

function Why({ profileId, health, group, raise }: Props & { group: RefusalSum }) {
  const dates = useDates();
  const rows = useQuery(refusalsQuery(profileId, group.limit, group.scope));
  const use = health.services.find((one) => one.service === group.limit);
  const may = health.may_raise && !health.only_profile && use !== undefined && use.allocation !== null;
  return (
    <Stack gap="sm">
      <Text size="sm">{reason(group, use !== undefined, use !== undefined && use.resets_at === null)}</Text>
      {may && (
        <Group>
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              raise(group.limit);
              window.scrollTo({ top: 0 });
            }}
          >
            {t.overview.raiseOf(limitName(group.limit))}
          </Button>
        </Group>
      )}
      {rows.isPending && <Loading />}
      <ErrorNote error={rows.error} retry={() => void rows.refetch()} />
      {rows.data && rows.data.length > 0 && (
        <Table verticalSpacing={4} horizontalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.overview.when}</Table.Th>
              <Table.Th>{t.overview.device}</Table.Th>
              <Table.Th ta="right">{t.overview.requests}</Table.Th>
              <Table.Th ta="right">{t.overview.pointsLost}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.data.map((row) => (
              <Table.Tr key={`${row.minute} ${row.device} ${row.route}`}>
                <Table.Td className="nowrap">{dates.near(row.minute)}</Table.Td>
                <Table.Td>
                  {row.device ? (
                    <TextLink to="/p/$profileId/devices/$deviceId" params={{ profileId, deviceId: row.device }} search={{ tab: "requests" }} size="sm" className="mono">
                      …{row.device.slice(-6)}
                    </TextLink>
                  ) : (
                    t.none
                  )}
                </Table.Td>
                <Table.Td ta="right">{count(row.requests)}</Table.Td>
                <Table.Td ta="right">{count(row.points_lost)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
