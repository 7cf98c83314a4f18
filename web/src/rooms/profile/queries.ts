// Profiles as the API tells of them. Everything inside a profile has a key that begins with ["p", id].
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ApiError, call } from "../../api/client";
import type { DeletedProfile, Profile, ProfileInfo, ProfilePreview, ProfileStatus, Tag } from "../../api/types";

export const profilesQuery = queryOptions({
  queryKey: ["profiles"],
  queryFn: ({ signal }) => call<Profile[]>("GET", "/profile", { signal }),
  staleTime: 30_000,
});

/** How each profile is. It is decoration: whoever cannot be told sees no dots. */
export const statusesQuery = queryOptions({
  queryKey: ["profiles", "status"],
  queryFn: async ({ signal }) => {
    try {
      return await call<ProfileStatus[]>("GET", "/overview/status", { signal });
    } catch (error) {
      if (error instanceof ApiError) return [];
      throw error;
    }
  },
  staleTime: 20_000,
});

/** Keeps a profile at the top of the own list, or no longer. The list shows it at once. */
export function usePin() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, pinned }: { id: string; pinned: boolean }) => call<string>("PUT", `/profile/${id}/pin`, { body: { pinned } }),
    onMutate: ({ id, pinned }) => {
      client.setQueryData(profilesQuery.queryKey, (rows) => rows?.map((row) => (row.id === id ? { ...row, pinned } : row)));
    },
    onSettled: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey, exact: true }),
  });
}

/** Profiles of the account that can be restored. */
export const deletedQuery = queryOptions({
  queryKey: ["profiles", "deleted"],
  queryFn: ({ signal }) => call<DeletedProfile[]>("GET", "/profile/deleted", { signal }),
});

export const profileQuery = (id: string) =>
  queryOptions({
    queryKey: ["p", id, "info"],
    queryFn: ({ signal }) => call<ProfileInfo>("GET", `/profile/${id}`, { profile: id, signal }),
  });

/** What a new profile begins with: an equal share, all that is free, or what another profile has. */
export type Start = "share" | "free" | { like: string };

const startQuery = (start: Start) => ({ allocate_free_resources: start === "free" ? true : undefined });

/** What a profile that begins like this would take, by the server's own reckoning. */
export const previewQuery = (start: Start) =>
  queryOptions({
    queryKey: ["profiles", "preview", start],
    queryFn: ({ signal }) =>
      call<ProfilePreview[]>("GET", "/profile/preview", {
        signal,
        query: { ...startQuery(start), like: typeof start === "object" ? start.like : undefined },
      }),
    staleTime: 0,
    placeholderData: keepPreviousData,
  });

export interface NewProfile {
  name: string;
  start: Start;
  color: string | null;
  tags: Tag[];
}

/** Makes a profile; `undressed` is why it lacks its colour and tags, if they were refused. */
export function useAddProfile() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, start, color, tags }: NewProfile) => {
      const { id } = await call<{ id: string }>("POST", "/profile/", {
        query: startQuery(start),
        body: { name, ...(typeof start === "object" ? { template: start } : {}) },
      });
      let undressed: unknown;
      if (color !== null || tags.length > 0)
        await call<string>("PUT", `/profile/${id}`, { profile: id, body: { color, tags } }).catch((error: unknown) => (undressed = error));
      return { id, undressed };
    },
    onSuccess: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
  });
}

export interface ProfileChange {
  name?: string;
  color?: string | null;
  reference?: string | null;
  tags?: Tag[];
}

/** Changes what is given; tags are all of them. */
export function useEditProfile(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ProfileChange) => call<string>("PUT", `/profile/${id}`, { profile: id, body }),
    onSuccess: () => refresh(client, id),
  });
}

export function usePause(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (reason: string) => call<string>("POST", `/profile/${id}/pause`, { profile: id, body: { reason } }),
    onSuccess: () => refresh(client, id),
  });
}

export function useResume(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<string>("POST", `/profile/${id}/resume`, { profile: id }),
    onSuccess: () => refresh(client, id),
  });
}

/** Sets the logo from a picture. */
export function useLogo(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (file: Blob) => call<unknown>("PUT", `/profile/${id}/logo`, { profile: id, file }),
    onSuccess: () => refresh(client, id),
  });
}

export function useRemoveLogo(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<unknown>("DELETE", `/profile/${id}/logo`, { profile: id }),
    onSuccess: () => refresh(client, id),
  });
}

/** Deletes the profile and leaves it, before the list without it takes the page away. */
export function useDeleteProfile(id: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (proof: { password: string; pin_code?: string; purge?: boolean }) =>
      call<string>("DELETE", `/profile/${id}`, { profile: id, body: proof }),
    onSuccess: async () => {
      await navigate({ to: "/profiles", replace: true });
      client.removeQueries({ queryKey: ["p", id] });
      client.setQueryData(profilesQuery.queryKey, (rows) => rows?.filter((row) => row.id !== id));
      await client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    },
  });
}

/** Brings a deleted profile back. */
export function useRestoreProfile(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call<string>("POST", `/profile/${id}/restore`, {}),
    onSuccess: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
  });
}

/** Reads anew what is shown of a profile. */
export function refresh(client: ReturnType<typeof useQueryClient>, id: string): Promise<unknown> {
  return Promise.all([
    client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
    client.invalidateQueries({ queryKey: profileQuery(id).queryKey }),
  ]);
}
