// What a person changes of the own account. The session carries the account, so it is read anew after each change.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Deletion } from "../../api/types";
import type { Formats } from "../../ui/formats";
import { sessionQuery, sessionsKey } from "./session";

function useOwn<In, Out>(change: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey, exact: true }),
  });
}

export interface AccountChange {
  name?: string;
  company?: string | null;
  phone?: string | null;
  language?: string;
  timezone?: string;
  options?: Partial<Formats>;
}

export const useEditAccount = () => useOwn((body: AccountChange) => call<string>("PUT", "/account", { body }));

export const usePicture = () => useOwn((file: Blob) => call<unknown>("PUT", "/account/picture", { file }));

export const useRemovePicture = () => useOwn((_: void) => call<string>("DELETE", "/account/picture"));

export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { current_password: string; password: string }) => call<string>("POST", "/account/passwordreset", { body }),
    onSuccess: () => client.invalidateQueries({ queryKey: sessionsKey }),
  });
}

/** Mails a link to the new address; answers with a sentence. */
export const useChangeEmail = () =>
  useMutation({ mutationFn: (body: { email: string; password: string }) => call<string>("POST", "/account/email", { body }) });

/** What deleting the account would take. */
export const deletionQuery = queryOptions({
  queryKey: ["account", "deletion"],
  queryFn: ({ signal }) => call<Deletion>("GET", "/account/deletion", { signal }),
  staleTime: 0,
});

export function useDeleteAccount() {
  return useMutation({
    mutationFn: (body: { password: string; pin_code?: string }) => call<string>("DELETE", "/account", { body }),
    // A fresh page: nothing of the account stays in memory.
    onSuccess: () => window.location.assign("/console/login"),
  });
}
