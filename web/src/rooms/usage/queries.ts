import { queryOptions } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { ProfileSummary } from "../../api/types";

/** What a profile has used, may use and holds. */
export const summaryQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "summary"],
    queryFn: ({ signal }) => call<ProfileSummary>("GET", `/profile/${profile}/summary`, { profile, signal }),
  });
