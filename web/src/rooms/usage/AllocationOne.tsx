import { Card, Group, Select, Stack } from "@mantine/core";
import { useState } from "react";
import { t } from "../../texts";
import { CellField, Pool, type SheetParts } from "./AllocationGrid";
import { cellKey } from "./allocation";

const noKeys = (): void => {};

/** The same for a small screen: one profile at a time. */
export function AllocationOne({ table, rows, rests, edits, refused, change, paste }: SheetParts) {
  const [chosen, setChosen] = useState<string>();
  const row = rows.find((one) => one.id === chosen) ?? rows[0];
  if (!row) return null;
  return (
    <Stack gap="sm">
      <Select
        label={t.allocation.profile}
        searchable
        limit={50}
        allowDeselect={false}
        value={row.id}
        data={rows.map((one) => ({ value: one.id, label: Object.keys(edits).some((key) => key.startsWith(one.id)) ? `${one.name} •` : one.name }))}
        onChange={(value) => value && setChosen(value)}
      />
      {table.services.map((service) => (
        <Card withBorder padding="sm" key={`${row.id} ${service.service}`}>
          <Group wrap="nowrap" justify="space-between" align="flex-start">
            <div>
              <Pool service={service} rest={rests.get(service.service) ?? null} />
            </div>
            <CellField
              profile={row.id}
              name={row.name}
              service={service.service}
              has={row.allocation[service.service] ?? null}
              used={row.used[service.service] ?? 0}
              edit={edits[cellKey(row.id, service.service)]}
              reason={refused.get(cellKey(row.id, service.service))}
              onText={(profile, name, text) => change([[profile, name, text]], cellKey(profile, name))}
              onKey={noKeys}
              onPaste={paste}
            />
          </Group>
        </Card>
      ))}
    </Stack>
  );
}
