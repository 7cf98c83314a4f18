// The one search over everything a person may see.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Found } from "../../api/types";

export const foundQuery = (q: string) =>
  queryOptions({
    queryKey: ["search", q],
    queryFn: ({ signal }) => call<Found>("GET", "/search", { query: { q, amount: 8 }, signal }),
    enabled: q !== "",
    staleTime: 10_000,
    placeholderData: keepPreviousData, // what is on the screen stays until there is something better
  });
