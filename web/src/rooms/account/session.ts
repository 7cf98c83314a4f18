// Who is signed in. The cookie is out of reach of scripts; GET /session says what it stands for.
import { queryOptions, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { ApiError, call } from "../../api/client";
import type { Session, Status } from "../../api/types";
import { codeOf, follow, type Language, takeChosen } from "../../texts";
import { setFormats } from "../../ui/formats";

/** The session of this browser, or null when nobody is signed in. */
export async function readSession(signal?: AbortSignal): Promise<Session | null> {
  try {
    const session = await call<Session>("GET", "/session", { signal });
    setFormats(session.account.options);
    return session;
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

/** The list of signed-in browsers. */
export const sessionsKey = ["session", "list"];

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
    mutationFn: (credentials: { email: string; password: string; pin_code?: string }) =>
      call<unknown>("POST", "/session", { body: credentials }),
    onSuccess: async () => {
      // Whoever chose a language on the way in wants it on the pages behind it too.
      const language = takeChosen();
      if (language) await keepLanguage(language);
      await signedIn(client);
    },
  });
}

const keepLanguage = (language: Language) => call<unknown>("PUT", "/account", { body: { language: codeOf(language) } });

/** Another language for the account that is signed in, here and wherever else it signs in. */
export function useSetLanguage() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: keepLanguage,
    onSuccess: async (_, language) => {
      await signedIn(client);
      if (follow(codeOf(language))) window.location.reload();
    },
  });
}

/** Signs out; `next` is where to go for whoever signs in then. */
export function useSignOut(next?: string) {
  return useMutation({
    mutationFn: () => call<unknown>("DELETE", "/session"),
    // A fresh page: nothing of what was shown stays in memory for whoever comes next.
    onSuccess: () => window.location.assign(next ? `/console/login?next=${encodeURIComponent(next)}` : "/console/login"),
  });
}
