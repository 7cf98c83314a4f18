// Profiles as the API tells of them. Everything inside a profile has a key that begins with ["p", id].
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { call } from "../../api/client";
import type { Profile, ProfileInfo } from "../../api/types";

export const profilesQuery = queryOptions({
  queryKey: ["profiles"],
  queryFn: ({ signal }) => call<Profile[]>("GET", "/profile", { signal }),
  staleTime: 30_000,
});

export const profileQuery = (id: string) =>
  queryOptions({
    queryKey: ["p", id, "info"],
    queryFn: ({ signal }) => call<ProfileInfo>("GET", `/profile/${id}`, { profile: id, signal }),
  });

export function useAddProfile() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => call<{ id: string }>("POST", "/profile/", { body: { name } }),
    onSuccess: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
  });
}

/** Changes the name. */
export function useRename(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => call<string>("PUT", `/profile/${id}`, { profile: id, body: { name } }),
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
    mutationFn: (password: string) => call<string>("DELETE", `/profile/${id}`, { profile: id, body: { password } }),
    onSuccess: async () => {
      await navigate({ to: "/profiles", replace: true });
      client.removeQueries({ queryKey: ["p", id] });
      client.setQueryData(profilesQuery.queryKey, (rows) => rows?.filter((row) => row.id !== id));
      await client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    },
  });
}

function refresh(client: ReturnType<typeof useQueryClient>, id: string): Promise<unknown> {
  return Promise.all([
    client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
    client.invalidateQueries({ queryKey: profileQuery(id).queryKey }),
  ]);
}
