import { Checkbox, Select, SimpleGrid, Stack, Textarea, TextInput } from "@mantine/core";
import { t } from "../../texts";
import { TagRows } from "../../ui/TagRows";
import { nothingYet, type Parts, roleOptions, type Some } from "./terms";

export interface Basics {
  role: string;
  /** A day as date fields hold it; empty for no end. */
  expires: string;
}

interface Props {
  terms: Basics;
  onChange: (part: Partial<Basics>) => void;
  /** Why the server refused a field. */
  about: (field: string) => string | undefined;
}

/** Which role, and until when. */
export function TermFields({ terms, onChange, about }: Props) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }}>
      <Select
        label={t.team.role}
        data={roleOptions}
        allowDeselect={false}
        value={terms.role}
        onChange={(role) => role && onChange({ role })}
        description={t.team.roleHints[terms.role]}
        error={about("role")}
      />
      <TextInput
        label={t.team.expires}
        type="date"
        description={t.team.expiresHint}
        value={terms.expires}
        onChange={(event) => onChange({ expires: event.currentTarget.value })}
        error={about("expires")}
      />
    </SimpleGrid>
  );
}

/** Which devices and dashboards are seen. */
export function PartFields({ parts, onChange }: { parts: Parts; onChange: (parts: Parts) => void }) {
  return (
    <Stack gap="sm">
      <PartField
        words={t.team.ofDevices}
        part={parts.devices}
        onChange={(devices) => onChange({ ...parts, devices })}
      />
      <PartField
        words={t.team.ofDashboards}
        part={parts.dashboards}
        onChange={(dashboards) => onChange({ ...parts, dashboards })}
      />
    </Stack>
  );
}

interface PartProps {
  words: typeof t.team.ofDevices;
  part: Some | null;
  onChange: (part: Some | null) => void;
}

function PartField({ words, part, onChange }: PartProps) {
  return (
    <>
      <Checkbox
        label={words.only}
        description={part ? t.team.partHint : undefined}
        checked={part !== null}
        onChange={(event) => onChange(event.currentTarget.checked ? nothingYet : null)}
      />
      {part && (
        <Stack gap="sm" pl="xl">
          <TagRows label={words.tags} rows={part.tags} onChange={(tags) => onChange({ ...part, tags })} />
          <Textarea
            label={words.ids}
            rows={2}
            value={part.ids}
            onChange={(event) => onChange({ ...part, ids: event.currentTarget.value })}
          />
        </Stack>
      )}
    </>
  );
}
