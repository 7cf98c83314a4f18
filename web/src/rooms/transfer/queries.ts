// Transfers of profiles between accounts, as giver, receiver or operator.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Transfer, TransferRow } from "../../api/types";
import type { Proof } from "../account/Prove";
import { profilesQuery } from "../profile/queries";

export interface TransferFilter {
  /** "" for both sides of one's own; "all" is for operators. */
  role: string;
  state?: string;
  page: number;
}

export const transfersPerPage = 20;

export const transfersQuery = ({ role, ...f }: TransferFilter) =>
  queryOptions({
    queryKey: ["transfers", role, f],
    queryFn: ({ signal }) =>
      call<TransferRow[]>("GET", "/transfer", { signal, query: { ...f, role: role || undefined, amount: transfersPerPage } }),
    refetchInterval: 30_000,
    placeholderData: keepPreviousData, // a list that is clicked stays while it is filtered
  });

export const transferQuery = (id: string) =>
  queryOptions({
    queryKey: ["transfers", "one", id],
    queryFn: ({ signal }) => call<Transfer>("GET", `/transfer/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: 15_000,
  });

/** How a profile was handed over, to somebody who owned it before; null for nothing of the kind. The latest counts. */
export const goneQuery = (profile: string) =>
  queryOptions({
    queryKey: ["transfers", "gone", profile],
    queryFn: async ({ signal }) => {
      const rows = await call<TransferRow[]>("GET", "/transfer", { signal, query: { state: ["completed", "undone"], amount: 100 } });
      const mine = rows.filter((row) => row.profile.id === profile).sort((a, b) => (a.completed_at ?? "").localeCompare(b.completed_at ?? ""));
      const last = mine.at(-1);
      if (!last) return null;
      // Undone, it went back to whoever gave it.
      const gave = last.state === "completed" ? last.role === "source" : last.role === "destination";
      return gave ? last : null;
    },
  });

/** What is offered to oneself and not answered yet; the rest is on the page of all transfers. */
export const offeredQuery = queryOptions({
  queryKey: ["transfers", "offered"],
  queryFn: ({ signal }) => call<TransferRow[]>("GET", "/transfer", { signal, query: { role: "destination", state: "requested", amount: 3 } }),
  staleTime: 30_000,
});

/** What is waiting of one profile, if anything. */
export const waitingQuery = (profile: string) =>
  queryOptions({
    queryKey: ["transfers", "of", profile],
    queryFn: async ({ signal }) => {
      const rows = await call<TransferRow[]>("GET", "/transfer", {
        signal,
        query: { role: "source", state: ["requested", "accepted"], amount: 100 },
      });
      return rows.find((row) => row.profile.id === profile) ?? null;
    },
  });

/** One of the things that can be done with transfers; afterwards everything shown of them is read anew, and which profiles one has. */
function useTransfers<Input, Output>(act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["transfers"] }),
        client.invalidateQueries({ queryKey: ["tickets"] }),
        client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
      ]),
  });
}

export const useAskTransfer = (profile: string) =>
  useTransfers((body: Proof & { email: string; message: string }) =>
    call<{ id: string }>("POST", `/profile/${profile}/transfer`, { body }),
  );

/** accept, decline, cancel, approve or undo, with what each needs. */
export const useTransferStep = (id: string) =>
  useTransfers(({ step, ...body }: { step: string } & Partial<Proof> & Record<string, unknown>) =>
    call<Transfer>("POST", `/transfer/${id}/${step}`, { body }),
  );
