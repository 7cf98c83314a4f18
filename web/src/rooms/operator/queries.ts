// What operators see of the server, of accounts and of settings. Keys begin with "operator".
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { call } from "../../api/client";
import type { components } from "../../api/schema";

type Schemas = components["schemas"];

/** An answer with all of its members, to the bottom: the document does not say so, but answers always carry them. */
type Whole<T> = T extends (infer Item)[] ? Whole<Item>[] : T extends object ? { [Name in keyof T]-?: Whole<T[Name]> } : T;

export type Home = Whole<Schemas["OperatorHome"]>;
export type Concern = Home["concerns"][number];
export type Verification = Whole<Schemas["OperatorVerifyResult"]>;
export type Run = Whole<Schemas["OperatorRun"]>;
export type MailTest = Whole<Schemas["OperatorMailTest"]>;
export type Accounts = Whole<Schemas["OperatorAccountsResult"]>;
export type AccountRow = Accounts["accounts"][number];
export type Account = Whole<Schemas["OperatorAccountResult"]>;
export type Limit = Account["limits"][number];
export type Billed = Pick<Whole<Schemas["BillingAccountResult"]>, "overrides" | "invoices">;
export type Override = Billed["overrides"][number];
export type Setting = Whole<Schemas["OperatorSetting"]>;

const all = ["operator"];

export const homeQuery = queryOptions({
  queryKey: [...all, "home"],
  queryFn: ({ signal }) => call<Home>("GET", "/operator", { signal }),
  refetchInterval: 15_000,
});

export const verifyQuery = queryOptions({
  queryKey: [...all, "verify"],
  queryFn: ({ signal }) => call<Verification>("GET", "/operator/verify", { signal }),
  refetchInterval: (query) => (query.state.data?.running ? 1_000 : 30_000),
});

export const settingsQuery = queryOptions({
  queryKey: [...all, "settings"],
  queryFn: ({ signal }) => call<Setting[]>("GET", "/operator/settings", { signal }),
});

export const accountsPerPage = 25;

export interface AccountFilter {
  find?: string;
  plan?: string;
  state?: string;
  order: string;
  down: boolean;
  page: number;
}

export const accountsQuery = ({ order, down, ...f }: AccountFilter) =>
  queryOptions({
    queryKey: [...all, "accounts", order, down, f],
    queryFn: ({ signal }) =>
      call<Accounts>("GET", "/operator/accounts", { signal, query: { ...f, amount: accountsPerPage, orderBy: `${order},${down ? "desc" : "asc"}` } }),
    placeholderData: keepPreviousData, // a list stays while it is filtered
  });

export const accountQuery = (id: string) =>
  queryOptions({
    queryKey: [...all, "account", id],
    queryFn: ({ signal }) => call<Account>("GET", `/operator/accounts/${encodeURIComponent(id)}`, { signal }),
  });

export const billedQuery = (id: string) =>
  queryOptions({
    queryKey: [...all, "billed", id],
    queryFn: ({ signal }) => call<Billed>("GET", `/billing/account/${encodeURIComponent(id)}`, { signal }),
  });

/** One of the things that operators do; afterwards everything shown of the server is read anew. */
export function useOperate<Input, Output>(act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: act, onSettled: () => client.invalidateQueries({ queryKey: all }) });
}

export const sendTestMail = () => call<MailTest>("POST", "/operator/mail");
export const startVerify = () => call<Verification>("POST", "/operator/verify");

export const block = ({ id, on, reason }: { id: string; on: boolean; reason: string }) =>
  call("POST", `/operator/accounts/${id}/${on ? "block" : "unblock"}`, { body: { reason } });
export const unlock = (id: string) => call("POST", `/operator/accounts/${id}/unlock`);
export const sendReset = (id: string) => call("POST", `/operator/accounts/${id}/reset`);

export const markPaid = ({ id, note }: { id: string; note: string }) => call("POST", `/billing/invoice/${id}/paid`, { body: { note } });

export const changePlan = ({ id, ...body }: { id: string; plan: string; charge: string; reason: string }) =>
  call("PUT", `/billing/account/${id}/plan`, { body });

const overridePath = (id: string, limit: { kind: string; name: string }) =>
  `/billing/account/${id}/override/${limit.kind}/${encodeURIComponent(limit.name)}`;

export const setLimit = ({ id, limit, ...body }: { id: string; limit: Limit; amount: number | "unlimited"; until: string | null; reason: string }) =>
  call("PUT", overridePath(id, limit), { body });
export const endLimit = ({ id, limit, reason }: { id: string; limit: { kind: string; name: string }; reason: string }) =>
  call("DELETE", overridePath(id, limit), { body: { reason } });
