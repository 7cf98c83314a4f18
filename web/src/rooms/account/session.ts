// Who is signed in. The cookie is out of reach of scripts; GET /session says what it stands for.
import { queryOptions, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { ApiError, call } from "../../api/client";
import type { Session, Status } from "../../api/types";

/** The session of this browser, or null when nobody is signed in. */
export async function readSession(signal?: AbortSignal): Promise<Session | null> {
  try {
    return await call<Session>("GET", "/session", { signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => readSession(signal),
  staleTime: 60_000,
});

export const useSession = () => useQuery(sessionQuery);

export const statusQuery = queryOptions({
  queryKey: ["status"],
  queryFn: ({ signal }) => call<Status>("GET", "/status", { signal }),
  staleTime: 60_000,
});

/** Reads the session anew after someone signed in, so that the next page finds it. */
export async function signedIn(client: QueryClient): Promise<void> {
  await client.fetchQuery({ ...sessionQuery, staleTime: 0 });
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (credentials: { email: string; password: string }) =>
      call<unknown>("POST", "/session", { body: credentials }),
    onSuccess: () => signedIn(client),
  });
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => call<unknown>("DELETE", "/session"),
    // A fresh page: nothing of what was shown stays in memory for whoever comes next.
    onSuccess: () => window.location.assign("/console/login"),
  });
}
