import { Badge, Button, Card, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { DeviceRow } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { useProfileName } from "../profile/useProfileName";
import { devicesQuery, pageSize } from "./queries";

const route = getRouteApi("/_in/p/$profileId/devices");

/** The profile's devices: search by name, page by page. Both stand in the address, so that back and reload keep them. */
export function DevicesPage() {
  const { profileId } = route.useParams();
  return <Devices key={profileId} profileId={profileId} />; // what was typed in one profile is not looked for in another
}

function Devices({ profileId }: { profileId: string }) {
  const { page = 1, search = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const profileName = useProfileName(profileId);
  const devices = useQuery(devicesQuery(profileId, page, search));
  const full = devices.data?.length === pageSize;
  // Lists carry no total: whether there is a next page is known from the page itself, read ahead.
  const ahead = useQuery({ ...devicesQuery(profileId, page + 1, search), enabled: full, placeholderData: undefined });
  const hasNext = full && (ahead.data?.length ?? 0) > 0;

  const [typed, setTyped] = useState(search);
  const [settled] = useDebouncedValue(typed.trim(), 250);
  useEffect(() => {
    if (settled !== search) void navigate({ search: { search: settled || undefined }, replace: true });
    // Only a change of what was typed leads somewhere; a change of the address alone must not be undone.
    // eslint-disable-next-line react/exhaustive-deps
  }, [settled]);

  const rows = devices.data;
  const add = (
    <ButtonLink to="/p/$profileId/devices/add" params={{ profileId }}>
      {t.devices.add}
    </ButtonLink>
  );
  const untouched = rows?.length === 0 && page === 1 && !search;
  return (
    <Page title={t.devices.title} profile={profileName} actions={untouched ? undefined : add}>
      {!untouched && (
        <TextInput
          type="search"
          aria-label={t.devices.search}
          placeholder={t.devices.search}
          maw={320}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      <ErrorNote error={devices.error} retry={() => void devices.refetch()} />
      {devices.isPending && <Loading />}
      {untouched && (
        <Empty title={t.devices.empty} text={t.devices.emptyText}>
          {add}
        </Empty>
      )}
      {rows?.length === 0 && search !== "" && (
        <Empty title={t.devices.nothing(search)}>
          <Button variant="default" onClick={() => setTyped("")}>
            {t.devices.clear}
          </Button>
        </Empty>
      )}
      {rows?.length === 0 && search === "" && page > 1 && <Empty title={t.devices.pastEnd} />}
      {rows && rows.length > 0 && <DeviceTable rows={rows} profileId={profileId} />}
      {(page > 1 || hasNext) && (
        <Group component="nav" aria-label={t.devices.pages} justify="center">
          <Button
            variant="default"
            disabled={page <= 1}
            onClick={() => void navigate({ search: (old) => ({ ...old, page: page > 2 ? page - 1 : undefined }) })}
          >
            {t.devices.previous}
          </Button>
          <Text size="sm">{t.devices.page(page)}</Text>
          <Button
            variant="default"
            disabled={!hasNext}
            onClick={() => void navigate({ search: (old) => ({ ...old, page: page + 1 }) })}
          >
            {t.devices.next}
          </Button>
        </Group>
      )}
    </Page>
  );
}

function DeviceTable({ rows, profileId }: { rows: DeviceRow[]; profileId: string }) {
  const time = useTime();
  return (
    <Card withBorder padding={0}>
      <Table verticalSpacing="sm" horizontalSpacing="md" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.devices.name}</Table.Th>
            <Table.Th visibleFrom="sm">{t.devices.type}</Table.Th>
            <Table.Th>{t.devices.lastInput}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id} pos="relative">
              <Table.Td>
                <Stack gap={2} align="flex-start">
                  <TextLink
                    to="/p/$profileId/devices/$deviceId"
                    params={{ profileId, deviceId: row.id }}
                    className="covering"
                    fw={600}
                    style={{ overflowWrap: "anywhere" }}
                  >
                    {row.name}
                  </TextLink>
                  {!row.active && (
                    <Badge color="gray" variant="light" size="sm">
                      {t.devices.inactive}
                    </Badge>
                  )}
                </Stack>
              </Table.Td>
              <Table.Td visibleFrom="sm">{t.devices.types[row.type] ?? row.type}</Table.Td>
              <Table.Td>
                {row.last_input ? time(row.last_input) : <Text c="dimmed" size="sm">{t.devices.never}</Text>}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}
