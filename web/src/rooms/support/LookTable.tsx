import { Button, Group, Table, Text } from "@mantine/core";
import type { Look } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { useLookAction } from "./queries";

interface Props {
  looks: Look[];
  /** Of many profiles: says which. */
  profiles?: boolean;
  /** May allow and deny, and end. */
  decides?: boolean;
  ends?: boolean;
  /** Whose looks one may enter. */
  own?: string;
}

/** Who looks or looked into a profile, why and until when. */
export function LookTable({ looks, profiles, decides, ends, own }: Props) {
  const time = useTime();
  return (
    <Table.ScrollContainer minWidth={280}>
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.support.looks.who}</Table.Th>
            <Table.Th>{t.support.looks.state}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {looks.map((look) => (
            <Table.Tr key={look.id}>
              <Table.Td>
                <Text size="sm" fw={500} style={{ overflowWrap: "anywhere" }}>
                  {look.operator.name}
                  {profiles && ` · ${look.profile.name || look.profile.id}`}
                </Text>
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  {look.reason}
                </Text>
                <Text size="xs" c="dimmed">
                  {look.from && look.until
                    ? t.support.looks.span(time(look.from), time(look.ended_at ?? look.until))
                    : `${time(look.asked_at)}, ${t.support.looks.hours(look.hours)}`}
                </Text>
              </Table.Td>
              <Table.Td>
                <Text size="sm">
                  {t.support.looks.states[look.state] ?? look.state}
                  {look.ended_by && ` ${t.support.looks.endedBy(look.ended_by.name)}`}
                </Text>
                <Actions look={look} decides={decides} ends={ends} own={own} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Actions({ look, decides, ends, own }: Pick<Props, "decides" | "ends" | "own"> & { look: Look }) {
  const act = useLookAction(look.profile.id);
  const press = (what: "allow" | "deny" | "end") => act.mutate({ id: look.id, act: what });
  const open = look.state === "active" || look.state === "asked";
  if (!open) return <ErrorNote error={act.error} />; // it may have ended elsewhere meanwhile
  return (
    <Group gap={6} mt={4}>
      {look.state === "asked" && decides && (
        <>
          <Button size="compact-sm" loading={act.isPending} onClick={() => press("allow")}>
            {t.support.looks.allow}
          </Button>
          <Button size="compact-sm" variant="default" loading={act.isPending} onClick={() => press("deny")}>
            {t.support.looks.deny}
          </Button>
        </>
      )}
      {look.state === "active" && look.operator.id === own && (
        <ButtonLink size="compact-sm" to="/p/$profileId/devices" params={{ profileId: look.profile.id }}>
          {t.support.look.enter}
        </ButtonLink>
      )}
      {ends && !(look.state === "asked" && decides) && (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={t.support.looks.endOf(look.operator.name)}
          loading={act.isPending}
          onClick={() => press("end")}
        >
          {t.support.looks.end}
        </Button>
      )}
      <ErrorNote error={act.error} />
    </Group>
  );
}
