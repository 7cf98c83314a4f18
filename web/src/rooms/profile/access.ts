// Whether this person may still see what the console has read. The server refuses the next request of somebody who has lost a
// profile; here it is made sure that what was read before cannot be seen any more either.
import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { whenMissing } from "../../api/client";
import type { Profile } from "../../api/types";
import { profilesQuery } from "./queries";

/** Names of the profiles that were in the list while this page was open and are not any more. */
const lostKey = ["lost"];

/** What one has lost, by id; undefined for a profile that was never seen here. */
export function useLost(profile: string): string | undefined {
  const lost = useQuery<Record<string, string>>({ queryKey: lostKey, queryFn: () => ({}), enabled: false, gcTime: Infinity });
  return lost.data?.[profile];
}

/** Reads the list of profiles anew because something hints that one of them is lost: also when it is just being read, since
 *  that may have been answered before what gave the hint. */
export function doubt(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: profilesQuery.queryKey });
}

/** Watches the list of profiles for those that vanish, and asks for it when something in a profile is not found and when
 *  somebody comes back to the page. */
export function useAccess(): void {
  const client = useQueryClient();
  useEffect(() => {
    const ask = (): void => doubt(client);
    const seen = (): void => {
      if (!document.hidden) ask();
    };
    // A page that the browser keeps to show it again shows nothing until it has been read anew.
    const hide = (event: PageTransitionEvent): void => {
      if (event.persisted) document.documentElement.style.visibility = "hidden";
    };
    const show = (event: PageTransitionEvent): void => {
      if (event.persisted) location.reload();
    };
    whenMissing(ask);
    window.addEventListener("focus", ask);
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("pagehide", hide);
    window.addEventListener("pageshow", show);
    const forget = forgetWhatVanishes(client);
    return () => {
      whenMissing(() => {});
      window.removeEventListener("focus", ask);
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("pagehide", hide);
      window.removeEventListener("pageshow", show);
      forget();
    };
  }, [client]);
}

/** Drops everything that was read of a profile when the list comes without it. The gate in front of its pages (ProfileGate)
 *  reads the same list and takes them away. */
function forgetWhatVanishes(client: QueryClient): () => void {
  let before = client.getQueryData(profilesQuery.queryKey);
  const look = (rows: Profile[] | undefined): void => {
    if (!rows || rows === before) return;
    const gone = (before ?? []).filter((was) => !rows.some((row) => row.id === was.id));
    before = rows;
    if (gone.length === 0) return;
    client.setQueryData<Record<string, string>>(lostKey, (lost) => ({
      ...lost,
      ...Object.fromEntries(gone.map((row) => [row.id, row.name])),
    }));
    for (const { id } of gone) {
      const of = { queryKey: ["p", id] };
      void client.cancelQueries(of);
      client.removeQueries(of);
    }
  };
  return client.getQueryCache().subscribe((event) => {
    if (event.query.queryHash === '["profiles"]') look(client.getQueryData(profilesQuery.queryKey));
  });
}
