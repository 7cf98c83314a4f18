import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { RefusalGroup } from "../../api/usage";

/** What was refused in the last 24 hours, the latest minutes first; of very many the latest thousand groups. */
export const dayRefusalsQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "limits", "refused"],
    queryFn: ({ signal }) => call<RefusalGroup[]>("GET", "/limits/refusals", { profile, query: { from: "24 hours", amount: 1000 }, signal }),
  });

/** Sets the soft limits of a profile; null removes one. */
export function useSoftLimits(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (rpm: { data_input: number | null; data_output: number | null }) => call<string>("PUT", `/profile/${profile}`, { profile, body: { rpm } }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["p", profile, "limits"] }),
  });
}
