// Devices of one profile. Keys begin with ["p", profile, "device"].
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { call, type Query } from "../../api/client";
import type { DeviceInfo, DeviceRequest, DeviceRow, DeviceToken, NewDevice } from "../../api/types";

export const pageSize = 20;

const listKey = (profile: string) => ["p", profile, "device", "list"] as const;
const deviceKey = (profile: string, id: string) => ["p", profile, "device", id] as const;

/** One page of devices, by name. `search` is looked for anywhere in the name. */
export const devicesQuery = (profile: string, page: number, search: string) =>
  queryOptions({
    queryKey: [...listKey(profile), page, search],
    queryFn: ({ signal }) => {
      const query: Query = {
        page,
        amount: pageSize,
        fields: ["id", "name", "type", "active", "last_input"],
        filter: { name: search ? `*${search}*` : undefined },
        orderBy: "name,asc",
      };
      return call<DeviceRow[]>("GET", "/device", { profile, query, signal });
    },
    placeholderData: keepPreviousData,
  });

export const deviceQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "info"],
    queryFn: ({ signal }) => call<DeviceInfo>("GET", `/device/${id}`, { profile, signal }),
  });

/** The device's tokens, the first made first. */
export const tokensQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "token"],
    queryFn: ({ signal }) => {
      const query: Query = { fields: ["token", "name", "permission"], orderBy: "created_at,asc" };
      return call<DeviceToken[]>("GET", `/device/token/${id}`, { profile, query, signal });
    },
    staleTime: 60_000,
  });

/** The last requests of the device, newest first; asked for again while somebody looks. */
export const requestsQuery = (profile: string, id: string) =>
  queryOptions({
    queryKey: [...deviceKey(profile, id), "requests"],
    queryFn: ({ signal }) => call<DeviceRequest[]>("GET", `/device/${id}/requests`, { profile, signal }),
    refetchInterval: 3000,
  });

export function useCreateDevice(profile: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewDevice) =>
      call<{ device_id: string; token: string }>("POST", "/device", { profile, body }),
    onSuccess: () => client.invalidateQueries({ queryKey: listKey(profile) }),
  });
}

export function useEditDevice(profile: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { name?: string; active?: boolean }) =>
      call<string>("PUT", `/device/${id}`, { profile, body }),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [...deviceKey(profile, id), "info"] }),
        client.invalidateQueries({ queryKey: listKey(profile) }),
      ]),
  });
}

/** Deletes the device and leads to the list, before anything asks for the device again. */
export function useDeleteDevice(profile: string, id: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => call<string>("DELETE", `/device/${id}`, { profile }),
    onSuccess: async () => {
      await navigate({ to: "/p/$profileId/devices", params: { profileId: profile }, replace: true });
      client.removeQueries({ queryKey: deviceKey(profile, id) });
      await client.invalidateQueries({ queryKey: listKey(profile) });
    },
  });
}
