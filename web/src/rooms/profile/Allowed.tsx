import { Fieldset, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { t } from "../../texts";
import { profilesQuery } from "./queries";

const ranks = ["viewer", "developer", "admin", "owner"] as const;
export type Role = (typeof ranks)[number];

/** Whether a role is at least another one. */
export const atLeast = (role: string, least: Role): boolean => ranks.indexOf(role as Role) >= ranks.indexOf(least);

/** Which role one has in a profile, out of the list of profiles, which is there before any page of one. */
export function useOwnRole(profileId: string): string {
  return useQuery(profilesQuery).data?.find((row) => row.id === profileId)?.role ?? "";
}

/** Why a role may not do something, and who can change that. Nothing for those who may. */
export function Lacks({ profileId, least, what }: { profileId: string; least: Role; what?: string }) {
  const role = useOwnRole(profileId);
  if (atLeast(role, least)) return null;
  return (
    <Text size="sm" c="dimmed">
      {t.team.lacks(least, role, what)}
    </Text>
  );
}

interface AllowedProps {
  profileId: string;
  least: Role;
  /** The page says why in another place. */
  silent?: boolean;
  children: ReactNode;
}

/** Fields and buttons that work from a role upwards. Everybody else sees them switched off, and why. */
export function Allowed({ profileId, least, silent, children }: AllowedProps) {
  const may = atLeast(useOwnRole(profileId), least);
  return (
    <Fieldset variant="unstyled" mx={0} disabled={!may}>
      <Stack gap="md">
        {!silent && <Lacks profileId={profileId} least={least} />}
        {children}
      </Stack>
    </Fieldset>
  );
}
