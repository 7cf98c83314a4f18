import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { atLeast } from "../profile/Allowed";
import { LookTable } from "./LookTable";
import { looksQuery } from "./queries";

/** Operators' looks into a profile, for its owner and admins. */
export function Looks({ profileId, role }: { profileId: string; role: string }) {
  const may = atLeast(role, "admin");
  const looks = useQuery({ ...looksQuery(profileId), enabled: may });
  if (!may) return null;
  return (
    <Section title={t.support.looks.title} text={t.support.looks.text}>
      {looks.isPending ? (
        <Loading />
      ) : !looks.data ? (
        <ErrorNote error={looks.error} retry={() => void looks.refetch()} />
      ) : looks.data.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t.support.looks.none}
        </Text>
      ) : (
        <LookTable looks={looks.data} decides={role === "owner"} ends={role === "owner"} />
      )}
    </Section>
  );
}
