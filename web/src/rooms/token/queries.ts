// Tokens of a profile. Keys begin with ["p", profile, "token"].
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, call } from "../../api/client";
import type { MadeToken, TokenRow } from "../../api/types";
import { t } from "../../texts";
import type { Proof } from "../account/Prove";

export const pageSize = 20;

/** From when on a token that nobody uses is pointed at, and how long before its end one that expires. */
const quiet = 90 * 86_400_000;
const near = 14 * 86_400_000;

const key = (profile: string) => ["p", profile, "token"] as const;

export interface TokenFilter {
  page: number;
  search: string;
  /** Only those that are unused for 90 days. */
  unused: boolean;
}

export const tokensQuery = (profile: string, { page, search, unused }: TokenFilter) =>
  queryOptions({
    queryKey: [...key(profile), page, search, unused],
    queryFn: ({ signal }) =>
      call<TokenRow[]>("GET", `/profile/${profile}/token`, {
        profile,
        signal,
        query: {
          page,
          amount: pageSize,
          orderBy: "created_at,desc",
          filter: {
            name: search ? `*${search}*` : undefined,
            ...(unused ? { last_authorization: "<90 days", created_at: "<90 days" } : {}),
          },
        },
      }),
    placeholderData: keepPreviousData,
  });

/** What to look at in a token: that it is over, ends soon, or that nobody uses it. */
export function marks(token: TokenRow, now = Date.now()): ("expired" | "soon" | "stale")[] {
  const ends = token.expire_time === null ? Infinity : Date.parse(token.expire_time);
  if (ends <= now) return ["expired"];
  const used = Date.parse(token.last_authorization ?? token.created_at);
  return [...(ends - now < near ? (["soon"] as const) : []), ...(now - used > quiet ? (["stale"] as const) : [])];
}

export interface NewToken extends Proof {
  name: string;
  permission: string;
  reach: string;
  expire_time: string;
}

/** A token's secret: nothing but the dialog that asked for it keeps it. */
export function useMakeToken(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewToken) => call<MadeToken>("POST", `/profile/${profile}/token`, { profile, body }),
    onSuccess: () => client.invalidateQueries({ queryKey: key(profile) }),
    gcTime: 0,
  });
}

export function useRevokeToken(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (handle: string) => call<string>("DELETE", `/profile/${profile}/token/${handle}`, { profile }),
    onSuccess: () => client.invalidateQueries({ queryKey: key(profile) }),
  });
}

/** What a token is told about itself, and the profiles that it reaches; null when it may not ask for them. */
export interface Trial {
  name: string;
  profiles: string[] | null;
}

/** Asks the server with a token alone, without the session of whoever is signed in. */
export function useTryToken(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (made: MadeToken): Promise<Trial> => {
      const about = await ask<{ name: string }>("/info", made.token);
      const reads = made.permission === "full" || made.permission === "read";
      const rows = reads ? await ask<{ name: string }[]>("/profile", made.token) : null;
      return { name: about.name, profiles: rows?.map((row) => row.name) ?? null };
    },
    onSettled: () => client.invalidateQueries({ queryKey: key(profile) }),
    gcTime: 0,
  });
}

async function ask<T>(path: string, token: string): Promise<T> {
  const response = await fetch(path, { headers: { token }, credentials: "omit" }).catch(() => {
    throw new ApiError(0, t.errors.offline, "", "");
  });
  const answer = (await response.json()) as { status: boolean; result: T; message?: string; request_id?: string };
  if (!response.ok) throw new ApiError(response.status, answer.message ?? t.errors.odd(response.status), answer.request_id ?? "", "");
  return answer.result;
}
