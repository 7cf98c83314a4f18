// What the account costs and what it bills. All of it is the owner's own; keys begin with "billing", or with the profile it is of.
import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call, encodeQuery, type Query } from "../../api/client";
import type {
  Basis,
  Budget,
  Cost,
  CostCheck,
  CostDetail,
  CostFigure,
  CostSetting,
  Invoice,
  Issued,
  Prices,
  ProfileCost,
  RateCard,
  RateCardTerms,
  Schedule,
  Spread,
  StatementMonth,
  Subscription,
} from "../../api/types";
import type { Range } from "./range";

const all = ["billing"];

export const subscriptionQuery = queryOptions({
  queryKey: [...all, "subscription"],
  queryFn: ({ signal }) => call<Subscription>("GET", "/account/subscription", { signal }),
  staleTime: 60_000,
});

/** A plan that nobody sells: words about plans, tiers and invoices would only puzzle its owner. Undefined until that is known. */
export function useHouse(): boolean | undefined {
  const plan = useQuery(subscriptionQuery).data?.plan_name;
  return plan === undefined ? undefined : plan === "house";
}

/** How a cost is asked for: without basis and spread, as the account has chosen. */
export interface CostQuestion {
  range: Range;
  basis?: Basis;
  spread?: Spread;
  currency?: string;
  group: string;
  /** Only lines of this profile, or "none". */
  profile?: string;
  /** Only lines of this service. */
  service?: string;
}

const costParams = ({ range, group, ...more }: CostQuestion): Query => ({ ...range, ...more, group_by: group });

export const costQuery = (question: CostQuestion) =>
  queryOptions({
    queryKey: [...all, "cost", question],
    queryFn: ({ signal }) => call<Cost>("GET", "/account/cost", { query: costParams(question), signal }),
    placeholderData: keepPreviousData,
  });

/** Where the same answer is a file. */
export const costFile = (question: CostQuestion): string => `/account/cost${encodeQuery({ ...costParams(question), format: "csv" })}`;

/** Computes the cost of a range again. */
export const checkQuery = (range: Range) =>
  queryOptions({
    queryKey: [...all, "check", range],
    queryFn: ({ signal }) => call<CostCheck>("GET", "/account/cost/check", { query: { ...range }, signal }),
    staleTime: 300_000,
  });

/** What each profile has of the account's services, by service. */
export type Allocation = { profile: string } & Record<string, number | string>;

export const allocationQuery = queryOptions({
  queryKey: [...all, "allocation"],
  queryFn: ({ signal }) => call<Allocation[]>("GET", "/account/allocation", { signal }),
  staleTime: 0,
});

/** Sets what profiles have of a service. Nearly every page shows something of it. */
export function useAllocate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (rows: ({ profile: string } & Record<string, number | string>)[]) => call<string>("POST", "/account/allocation", { body: rows }),
    onSuccess: () => client.invalidateQueries(),
  });
}

/** Which line of the cost. */
export interface LineOf {
  kind: string;
  profile?: string;
  service?: string;
  item?: string;
}

/** The hours of a line on a day; without a basis by the account's own. */
export const detailQuery = (line: LineOf, day: string, basis: Basis | undefined, currency: string) =>
  queryOptions({
    queryKey: [...all, "detail", line, day, basis, currency],
    queryFn: ({ signal }) =>
      call<CostDetail>("GET", "/account/cost/detail", { query: { ...line, day, basis, currency: currency || undefined }, signal }),
    placeholderData: keepPreviousData,
  });

export const profileCostQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "cost"],
    queryFn: ({ signal }) => call<ProfileCost>("GET", `/profile/${profile}/cost`, { profile, signal }),
  });

export const figureQuery = queryOptions({
  queryKey: [...all, "figure"],
  queryFn: async ({ signal }) => (await call<CostFigure | null | undefined>("GET", "/account/cost/figure", { signal })) ?? null,
});

export const settingQuery = queryOptions({
  queryKey: [...all, "setting"],
  queryFn: ({ signal }) => call<CostSetting>("GET", "/account/cost/setting", { signal }),
});

/** A change after which everything about money may be another; also what profiles show of it. */
function useChange<In, Out>(change: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: all }),
        client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "p" && queryKey[2] === "cost" }),
      ]),
  });
}

export const useSetFigure = () => useChange((body: CostFigure) => call<string>("PUT", "/account/cost/figure", { body }));

export const useRemoveFigure = () => useChange((_: void) => call<string>("DELETE", "/account/cost/figure"));

export const useSetting = () => useChange((body: CostSetting) => call<string>("PUT", "/account/cost/setting", { body }));

export const cardsQuery = queryOptions({
  queryKey: [...all, "cards"],
  queryFn: ({ signal }) => call<RateCard[]>("GET", "/billing/card", { query: { amount: 1000 }, signal }),
});

export const cardQuery = (id: string) =>
  queryOptions({
    queryKey: [...all, "cards", id],
    queryFn: ({ signal }) => call<RateCard>("GET", `/billing/card/${id}`, { signal }),
    staleTime: 0,
    gcTime: 0, // what is typed into the form must not meet an old version
  });

/** Makes a rate card, or changes the one with this id. */
export const useSaveCard = (id?: string) =>
  useChange((body: RateCardTerms) =>
    id ? call<unknown>("PUT", `/billing/card/${id}`, { body }) : call<unknown>("POST", "/billing/card", { body }),
  );

export const useRemoveCard = () => useChange((id: string) => call<string>("DELETE", `/billing/card/${id}`));

/** A name repeated is shorter than one in brackets: proxies bound how long an address may be. */
const named = (month: string, profiles: string[]): string => [`?month=${month}`, ...profiles].join("&profiles=");

/** Profiles on a page of statements. */
export const statementsPage = 50;

/** A month of these profiles, or of all when there are none. */
export const statementsQuery = (month: string, page: number, profiles: string[] = []) =>
  queryOptions({
    queryKey: [...all, "statements", month, page, profiles],
    queryFn: ({ signal }) =>
      call<StatementMonth>("GET", `/billing/statement${named(month, profiles)}&page=${page}&amount=${statementsPage}`, { signal }),
    placeholderData: keepPreviousData,
  });

/** Issues the statements of a month: of these profiles, or of all when there are none. A request does a part of many. */
export const useIssue = () =>
  useChange(async ({ month, profiles }: { month: string; profiles: string[] }) => {
    const sum: Issued = { issued: 0, issued_before: 0, left: 0, skipped: [] };
    for (;;) {
      const part = await call<Issued>("POST", "/billing/statement", { body: { month, profiles } });
      sum.issued += part.issued;
      sum.skipped = part.skipped;
      if (part.left === 0 || part.issued === 0) return sum;
    }
  });

export const useCorrect = () =>
  useChange(({ id, ...body }: { id: string; text: string; cents: number; own: boolean; key: string }) =>
    call<unknown>("POST", `/billing/statement/${id}/correction`, { body }),
  );

export const statementFile = (id: string, format: "html" | "csv"): string => `/billing/statement/${id}?format=${format}`;

export const archiveFile = (month: string, profiles: string[]): string => `/billing/statement/zip${named(month, profiles)}`;

export const invoicesQuery = queryOptions({
  queryKey: [...all, "invoices"],
  queryFn: ({ signal }) => call<Invoice[]>("GET", "/account/invoice", { query: { amount: 1000 }, signal }),
});

export const invoicePage = (id: string): string => `/account/invoice/${id}/page`;

export const scheduleQuery = queryOptions({
  queryKey: [...all, "schedule"],
  queryFn: ({ signal }) => call<Schedule>("GET", "/account/subscription/schedule", { signal }),
});

/** What plans, tiers and add-ons cost a cycle. */
export const pricesQuery = queryOptions({
  queryKey: [...all, "prices"],
  queryFn: ({ signal }) => call<Prices>("GET", "/pricing", { signal }),
});

/** What each would cost now, for the rest of the cycle. */
export const proratedQuery = queryOptions({
  queryKey: [...all, "prorated"],
  queryFn: ({ signal }) => call<Prices>("GET", "/pricing/prorated", { signal }),
  staleTime: 0,
});

/** Exactly one of its members. */
export interface SubscriptionWish {
  plan?: string;
  services?: Record<string, { limit: number }>;
  addons?: Record<string, string[]>;
}

export const useSubscribe = () => useChange((body: SubscriptionWish) => call<string>("POST", "/account/subscription", { body }));

export const useCancelSchedule = () => useChange((_: void) => call<string>("DELETE", "/account/subscription/schedule"));

export const budgetsQuery = queryOptions({
  queryKey: [...all, "budgets"],
  queryFn: ({ signal }) => call<Budget[]>("GET", "/account/budget", { signal }),
});

/** What a budget is set to; its profile only when it is made, null for the account. */
export interface BudgetTerms {
  profile?: string | null;
  amount: number;
  shares: number[];
  forecast: boolean;
}

/** Makes a budget, or changes the one with this id. */
export const useSaveBudget = (id?: string) =>
  useChange((body: BudgetTerms) =>
    id ? call<unknown>("PUT", `/account/budget/${id}`, { body }) : call<unknown>("POST", "/account/budget", { body }),
  );

export const useRemoveBudget = () => useChange((id: string) => call<string>("DELETE", `/account/budget/${id}`));
