// Tickets and looks. What is about one profile has a key that begins with ["p", id].
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { AllLooks, Look, Ticket, TicketThread } from "../../api/types";
import { profilesQuery } from "../profile/queries";

export interface TicketFilter {
  /** Of all accounts; for operators. */
  all: boolean;
  state?: string;
  kind?: string;
  find?: string;
  page: number;
}

export const ticketsPerPage = 20;

export const ticketsQuery = ({ all, ...f }: TicketFilter) =>
  queryOptions({
    queryKey: ["tickets", all, f],
    queryFn: ({ signal }) => call<Ticket[]>("GET", all ? "/support/ticket" : "/ticket", { signal, query: { ...f, amount: ticketsPerPage } }),
    refetchInterval: 30_000,
    placeholderData: keepPreviousData, // a list that is clicked stays while it is filtered
  });

export const ticketQuery = (id: string) =>
  queryOptions({
    queryKey: ["tickets", "one", id],
    queryFn: ({ signal }) => call<TicketThread>("GET", `/ticket/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: 15_000,
  });

/** One of the things that can be done with tickets; afterwards everything shown of them is read anew. */
export function useTickets<Input, Output>(act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSettled: () => client.invalidateQueries({ queryKey: ["tickets"] }) });
}

export const ask = (body: { subject: string; text: string; profile?: string }) => call<Ticket>("POST", "/ticket", { body });
export const write = ({ id, text }: { id: string; text: string }) => call("POST", `/ticket/${id}/message`, { body: { text } });
export const move = ({ id, state }: { id: string; state: "open" | "closed" }) => call("PUT", `/ticket/${id}`, { body: { state } });

export const allLooksQuery = queryOptions({
  queryKey: ["looks"],
  queryFn: ({ signal }) => call<AllLooks>("GET", "/support/look", { signal, query: { amount: 50 } }),
  refetchInterval: 15_000,
});

export const looksQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "looks"],
    queryFn: ({ signal }) => call<Look[]>("GET", `/profile/${profile}/look`, { signal, query: { amount: 50 } }),
    refetchInterval: 15_000,
  });

/** One of the things that can be done with looks; afterwards also the list of profiles one may enter is read anew. */
function useLooks<Input, Output>(act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: allLooksQuery.queryKey }),
        client.invalidateQueries({ predicate: (one) => one.queryKey[0] === "p" && (one.queryKey[2] === "looks" || one.queryKey[2] === "team") }),
        client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
      ]),
  });
}

export const useStartLook = () =>
  useLooks(({ profile, ...body }: { profile: string; reason: string; hours: number }) =>
    call<Look>("POST", `/profile/${encodeURIComponent(profile.trim())}/look`, { body }),
  );

export const useLookAction = (profile: string) =>
  useLooks(({ id, act }: { id: string; act: "allow" | "deny" | "end" }) =>
    act === "end" ? call("DELETE", `/profile/${profile}/look/${id}`) : call("POST", `/profile/${profile}/look/${id}/${act}`),
  );
