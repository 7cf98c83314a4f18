// What a person is told, and how. Notifications belong to the person, not to a profile: their keys begin with "notices".
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { Deliveries, Notice, NotifySettings, Outbox, Trial, Unread } from "../../api/types";

export const unreadQuery = queryOptions({
  queryKey: ["notices", "unread"],
  queryFn: ({ signal }) => call<Unread>("GET", "/notification/unread", { signal }),
  refetchInterval: 30_000,
});

export interface NoticeFilter {
  read?: boolean;
  type?: string;
  search?: string;
  page: number;
}

export const noticesPerPage = 20;

export const noticesQuery = (f: NoticeFilter) =>
  queryOptions({
    queryKey: ["notices", "list", f],
    queryFn: ({ signal }) =>
      call<Notice[]>("GET", "/notification", {
        signal,
        query: { page: f.page, amount: noticesPerPage, type: f.type, search: f.search, filter: { read: f.read } },
      }),
  });

/** One of the things that can be done with notifications; afterwards everything shown of them is read anew. */
export function useNotices<Input>(act: (input: Input) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSuccess: () => client.invalidateQueries({ queryKey: ["notices"] }) });
}

export const markRead = (input: { id: string; read: boolean }) =>
  call("PUT", "/notification/read", { body: { notification_ids: [input.id], read: input.read } });
export const markAllRead = () => call("PUT", "/notification/markallread");
export const remove = (id: string) => call("DELETE", `/notification/${id}`);
export const press = (input: { id: string; button: string }) =>
  call("PUT", `/notification/${input.id}/${encodeURIComponent(input.button)}`);

/** What is told of one profile, or without one of the account and all its profiles: address and key of its settings. */
const place = (profile?: string) =>
  profile ? { path: `/profile/${profile}/notify`, key: ["p", profile] } : { path: "/account/notify", key: ["account"] };

export const settingsQuery = (profile?: string) =>
  queryOptions({
    queryKey: [...place(profile).key, "notify"],
    queryFn: ({ signal }) => call<NotifySettings>("GET", place(profile).path, { profile, signal }),
  });

export const deliveriesQuery = (profile?: string) =>
  queryOptions({
    queryKey: [...place(profile).key, "deliveries"],
    queryFn: ({ signal }) => call<Deliveries>("GET", `${place(profile).path}/deliveries`, { profile, signal, query: { amount: 50 } }),
    refetchInterval: 10_000,
  });

export interface Change {
  /** Of a profile, null follows the account. */
  mail?: Record<string, boolean | null>;
  notice?: Record<string, boolean | null>;
  /** Of a profile, null follows the account and the address "" is none. */
  webhook?: { url: string; kinds?: Record<string, boolean>; rotate?: boolean } | null;
}

/** What was chosen without what is to follow the account: only the server knows what that is. */
const chosen = (choices: Record<string, boolean | null> = {}) =>
  Object.fromEntries(Object.entries(choices).filter((one): one is [string, boolean] => one[1] !== null));

/** Changes settings. What is chosen shows at once; a refusal takes it back. */
export function useSettings(profile?: string) {
  const client = useQueryClient();
  const { queryKey } = settingsQuery(profile);
  return useMutation({
    mutationFn: (change: Change) =>
      call<{ webhook_secret: string | null }>("PUT", place(profile).path, { profile, body: change }),
    onMutate: async ({ mail, notice }) => {
      await client.cancelQueries({ queryKey });
      client.setQueryData(queryKey, (old) => old && { ...old, mail: { ...old.mail, ...chosen(mail) }, notice: { ...old.notice, ...chosen(notice) } });
    },
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey }),
        // What was not chosen for a profile follows the account.
        profile ? undefined : client.invalidateQueries({ predicate: (one) => one.queryKey[0] === "p" && one.queryKey[2] === "notify" }),
      ]),
  });
}

export function useTrial(profile?: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<Trial[]>("POST", `${place(profile).path}/test`, { profile }),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: deliveriesQuery(profile).queryKey }),
        client.invalidateQueries({ queryKey: ["notices"] }),
      ]),
  });
}

export const outboxQuery = queryOptions({
  queryKey: ["outbox"],
  queryFn: ({ signal }) => call<Outbox>("GET", "/outbox", { signal, query: { amount: 200 } }),
  refetchInterval: 10_000,
});

export function useOutbox(act: (id: string) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSuccess: () => client.invalidateQueries({ queryKey: outboxQuery.queryKey }) });
}

export const retryMail = (id: string) => call("POST", `/outbox/${encodeURIComponent(id)}/retry`);
export const discardMail = (id: string) => call("DELETE", `/outbox/${encodeURIComponent(id)}`);
export const linkOf = async (id: string): Promise<string> =>
  (await call<{ link: string | null }>("GET", `/outbox/${encodeURIComponent(id)}`)).link ?? "";
