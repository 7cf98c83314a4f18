import { useQuery } from "@tanstack/react-query";
import { profilesQuery } from "./queries";

/** A profile's name for the tab's title, once the list of profiles is there. */
export function useProfileName(id: string): string | undefined {
  return useQuery(profilesQuery).data?.find((row) => row.id === id)?.name;
}
