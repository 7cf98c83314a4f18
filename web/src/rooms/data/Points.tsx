import { Button, Checkbox, Group, Modal, Progress, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import type { Point } from "../../api/types";
import { t } from "../../texts";
import { download } from "../../ui/csv";
import { ErrorNote } from "../../ui/ErrorNote";
import { count, useTime, valueText } from "../../ui/format";
import { Section } from "../../ui/Section";
import { When } from "../../ui/When";
import { atLeast, useOwnRole } from "../profile/Allowed";
import { mostFiled, pageRows, pointsTable, type Range, tableQuery, useDeletePoints, variablesQuery, withNew } from "./queries";

interface Props {
  profileId: string;
  deviceId: string;
  range: Range;
  live: boolean;
  /** What came since a reading; nothing when nobody tells. */
  since: ((read: number) => Point[]) | undefined;
}

/** The points of a range as a table: page by page, of one variable or all, to download and to delete. */
export function Points(props: Props) {
  return <Pages key={JSON.stringify(props.range)} {...props} />; // another range begins at its first page
}

function Pages({ profileId, deviceId, range, live, since }: Props) {
  const [variable, setVariable] = useState("");
  const [page, setPage] = useState(1);
  const [chosen, setChosen] = useState<string[]>([]);
  const table = useQuery(tableQuery(profileId, deviceId, range, variable, page, live));
  const variables = useQuery(variablesQuery(profileId, deviceId)).data ?? [];
  const may = atLeast(useOwnRole(profileId), "developer");
  const time = useTime();
  const news = (page === 1 && since?.(table.dataUpdatedAt).filter((point) => !variable || point.variable === variable)) || [];
  const known = new Set(table.data?.points.map((point) => point.id));
  const all = (table.data?.all ?? 0) + news.filter((point) => !known.has(point.id)).length;
  const points = withNew(table.data?.points ?? [], news, pageRows);
  const placed = points.some((point) => point.location);
  const first = (page - 1) * pageRows + 1;
  const here = points.map((point) => point.id);
  const turn = (to: number) => {
    setPage(to);
    setChosen([]);
  };
  return (
    <Section title={t.fleet.points}>
      <Group justify="space-between" gap="xs">
        <Select
          aria-label={t.data.variable}
          w={200}
          allowDeselect={false}
          data={[{ value: "", label: t.fleet.allVariables }, ...variables.map((name) => ({ value: name, label: name }))]}
          value={variable}
          onChange={(value) => {
            setVariable(value ?? "");
            turn(1);
          }}
        />
        <Group gap="xs">
          {chosen.length > 0 && <DeletePoints profileId={profileId} deviceId={deviceId} ids={chosen} done={() => setChosen([])} />}
          <Csv profileId={profileId} deviceId={deviceId} range={range} variable={variable} all={all} />
        </Group>
      </Group>
      <ErrorNote error={table.error} retry={() => void table.refetch()} />
      <Table.ScrollContainer minWidth={placed ? 440 : 260}>
        <Table verticalSpacing={6} horizontalSpacing="xs" className="tabular">
          <Table.Thead>
            <Table.Tr>
              {may && (
                <Table.Th w={36}>
                  <Checkbox
                    size="xs"
                    aria-label={t.fleet.selectPage}
                    checked={chosen.length > 0 && chosen.length === here.length}
                    indeterminate={chosen.length > 0 && chosen.length < here.length}
                    onChange={(event) => setChosen(event.currentTarget.checked ? here : [])}
                  />
                </Table.Th>
              )}
              <Table.Th>{t.data.variable}</Table.Th>
              <Table.Th>{t.data.value}</Table.Th>
              {placed && <Table.Th>{t.data.location}</Table.Th>}
              <Table.Th>{t.data.time}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {points.map((point) => (
              <Table.Tr key={point.id}>
                {may && (
                  <Table.Td>
                    <Checkbox
                      size="xs"
                      aria-label={t.fleet.selectPoint(point.variable, time(point.time))}
                      checked={chosen.includes(point.id)}
                      onChange={(event) =>
                        setChosen(event.currentTarget.checked ? [...chosen, point.id] : chosen.filter((one) => one !== point.id))
                      }
                    />
                  </Table.Td>
                )}
                <Table.Td className="mono">{point.variable}</Table.Td>
                <Table.Td {...(typeof point.value === "number" ? {} : { style: { overflowWrap: "anywhere" } })}>{valueText(point.value, point.unit)}</Table.Td>
                {placed && <Table.Td>{place(point)}</Table.Td>}
                <Table.Td>
                  <When at={point.time} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {points.length > 0 && (
        <Group justify="space-between" component="nav" aria-label={t.devices.pages}>
          <Text size="sm" c="dimmed" className="tabular">
            {t.fleet.pointsOf(count(first), count(first + points.length - 1), count(all))}
          </Text>
          {all > pageRows && (
            <Group gap="xs">
              <Button size="compact-sm" variant="default" disabled={page === 1} onClick={() => turn(page - 1)}>
                {t.devices.previous}
              </Button>
              <Button size="compact-sm" variant="default" disabled={page * pageRows >= all} onClick={() => turn(page + 1)}>
                {t.devices.next}
              </Button>
            </Group>
          )}
        </Group>
      )}
    </Section>
  );
}

function DeletePoints({ profileId, deviceId, ids, done }: { profileId: string; deviceId: string; ids: string[]; done: () => void }) {
  const [opened, setOpened] = useState(false);
  const remove = useDeletePoints(profileId, deviceId);
  return (
    <>
      <Button size="compact-sm" variant="outline" color="red" onClick={() => setOpened(true)}>
        {t.fleet.deletePoints(ids.length)}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.fleet.deletePointsTitle(ids.length)} centered>
        <Stack>
          <Text size="sm">{t.fleet.deletePointsText(ids.length)}</Text>
          <ErrorNote error={remove.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setOpened(false)} data-autofocus>
              {t.cancel}
            </Button>
            <Button
              color="red"
              loading={remove.isPending}
              onClick={() =>
                remove.mutate(ids, {
                  onSuccess: () => {
                    setOpened(false);
                    done();
                  },
                })
              }
            >
              {t.fleet.deletePointsConfirm}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

interface CsvProps {
  profileId: string;
  deviceId: string;
  range: Range;
  variable: string;
  all: number;
}

function Csv({ profileId, deviceId, range, variable, all }: CsvProps) {
  const [done, setDone] = useState<number>();
  const [error, setError] = useState<unknown>();
  const abort = useRef<AbortController>(undefined);
  const most = Math.min(all, mostFiled);
  const close = () => {
    abort.current?.abort();
    setDone(undefined);
    setError(undefined);
  };
  const start = async () => {
    const controller = new AbortController();
    abort.current = controller;
    setDone(0);
    setError(undefined);
    try {
      const parts = await pointsTable(profileId, deviceId, range, variable, setDone, controller.signal);
      download(variable ? `${variable}.csv` : "points.csv", parts);
      if (all <= mostFiled) setDone(undefined);
    } catch (cause) {
      if (!controller.signal.aborted) setError(cause);
    }
  };
  return (
    <>
      <Button size="compact-sm" variant="default" disabled={all === 0} onClick={() => void start()}>
        {t.fleet.csv}
      </Button>
      <Modal opened={done !== undefined} onClose={close} title={t.fleet.csvTitle} centered>
        <Stack>
          <Progress value={most > 0 ? (100 * (done ?? 0)) / most : 0} aria-label={t.fleet.csvTitle} />
          <Text size="sm" role="status" className="tabular">
            {t.fleet.csvProgress(count(done ?? 0), count(most))}
          </Text>
          {all > mostFiled && <Text size="sm">{t.fleet.csvMost(count(mostFiled))}</Text>}
          <ErrorNote error={error} retry={() => void start()} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {done === most ? t.close : t.fleet.stop}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

/** Latitude, longitude, as maps write them; GeoJSON has them the other way round. */
function place(point: Point): string {
  if (!point.location) return t.none;
  const [longitude, latitude] = point.location.coordinates;
  return `${latitude}, ${longitude}`;
}
