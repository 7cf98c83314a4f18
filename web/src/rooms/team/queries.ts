// The team of a profile, the staff of an account, and invitations as the holder of a link sees them.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { call } from "../../api/client";
import type { Invitation, Joined, StaffPerson, Tag, TeamEnds, TeamPerson, Within } from "../../api/types";
import { signedIn } from "../account/session";
import { profilesQuery } from "../profile/queries";

export const teamQuery = (profile: string) =>
  queryOptions({
    queryKey: ["p", profile, "team"],
    queryFn: ({ signal }) => call<TeamPerson[]>("GET", `/profile/${profile}/team`, { profile, signal }),
  });

/** What ends with a person's place here; "current" is whoever asks. */
export const endsQuery = (profile: string, account: string) =>
  queryOptions({
    queryKey: ["p", profile, "ends", account],
    queryFn: ({ signal }) => call<TeamEnds>("GET", `/profile/${profile}/team/${account}/ends`, { profile, signal }),
    staleTime: 0,
  });

export interface NewMember {
  email: string;
  role: string;
  within?: Within;
  expires?: string;
}

function useTeamChange<Input, Output>(profile: string, act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => client.invalidateQueries({ queryKey: teamQuery(profile).queryKey }),
  });
}

export const useInvite = (profile: string) =>
  useTeamChange(profile, (body: NewMember) => call<string>("POST", `/profile/${profile}/team`, { profile, body }));

export const useRemove = (profile: string) =>
  useTeamChange(profile, (id: string) => call<string>("DELETE", `/profile/${profile}/team/${id}`, { profile }));

/** Other terms; what is left out stays, null ends a restriction or a date. */
export interface Change {
  role?: string;
  within?: Within | null;
  expires?: string | null;
}

export const useChange = (profile: string, id: string) =>
  useTeamChange(profile, (body: Change) => call<string>("PUT", `/profile/${profile}/team/${id}`, { profile, body }));

/** The link of an invitation, to be passed on by hand. */
export const readLink = (profile: string, id: string) =>
  call<{ link: string }>("GET", `/profile/${profile}/team/${id}/link`, { profile });

/** Leaves the profile, and its pages before the list without it takes them away. */
export function useLeave(profile: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (password: string) => call<string>("POST", `/profile/${profile}/leave`, { profile, body: { password } }),
    onSuccess: async () => {
      await navigate({ to: "/profiles", replace: true });
      client.removeQueries({ queryKey: ["p", profile] });
      client.setQueryData(profilesQuery.queryKey, (rows) => rows?.filter((row) => row.id !== profile));
      await client.invalidateQueries({ queryKey: profilesQuery.queryKey });
    },
  });
}

export const staffQuery = queryOptions({
  queryKey: ["staff"],
  queryFn: ({ signal }) => call<StaffPerson[]>("GET", "/account/staff", { signal }),
});

/** What ends when a person is removed from all profiles of the account. */
export const staffEndsQuery = (account: string) =>
  queryOptions({
    queryKey: ["staff-ends", account], // not below the list: after a removal there is nobody to ask about
    queryFn: ({ signal }) => call<TeamEnds>("GET", `/account/staff/${account}/ends`, { signal }),
    staleTime: 0,
  });

export interface NewStaff {
  email: string;
  role: string;
  tags: Tag[];
  expires?: string;
}

export interface StaffChange {
  role?: string;
  tags?: Tag[];
  expires?: string | null;
}

/** Staff stand in the teams of profiles too, so those are read anew with the list. */
function useStaffMutation<Input, Output>(act: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () =>
      client.invalidateQueries({
        predicate: ({ queryKey: [room, , part] }) => room === "staff" || (room === "p" && part === "team"),
      }),
  });
}

export const useInviteStaff = () => useStaffMutation((body: NewStaff) => call<string>("POST", "/account/staff", { body }));

export const useChangeStaff = (id: string) =>
  useStaffMutation((body: StaffChange) => call<string>("PUT", `/account/staff/${id}`, { body }));

export const useRemoveStaff = () => useStaffMutation((id: string) => call<TeamEnds>("DELETE", `/account/staff/${id}`));

/** The link of an invitation of staff, to be passed on by hand. */
export const readStaffLink = (id: string) => call<{ link: string }>("GET", `/account/staff/${id}/link`);

const path = (token: string) => `/team/invitation/${encodeURIComponent(token)}`;

export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => call<Invitation>("GET", path(token), { signal }),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY, // what it says after it was used is for the next visit
  });

export interface Guest {
  name: string;
  password: string;
  timezone: string;
  language: string;
}

/** Accepts; a guest signs up with it and is signed in. */
export function useAccept(token: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (guest?: Guest) => {
      const joined = await call<Joined>("POST", `${path(token)}/accept`, { body: guest ?? {} });
      if (guest) {
        await call<unknown>("POST", "/session", { body: { email: joined.email, password: guest.password } });
        await signedIn(client);
      }
      return joined;
    },
    onSuccess: () => client.invalidateQueries({ queryKey: profilesQuery.queryKey }),
  });
}

/** Asks whoever invited for a new invitation. */
export const useAskAgain = (token: string) => useMutation({ mutationFn: () => call<string>("POST", `${path(token)}/ask`) });

export const useDecline = (token: string) =>
  useMutation({ mutationFn: () => call<string>("POST", `${path(token)}/decline`) });
