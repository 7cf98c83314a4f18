import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Outlet } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { PausedBanner } from "./PausedBanner";
import { profilesQuery } from "./queries";

const NotHere = lazy(async () => ({ default: (await import("./NotHere")).NotHere }));

const route = getRouteApi("/_in/p/$profileId");

/** Lets into a profile that is in the account's list; of any other it says why not, as far as one may know. */
export function ProfileGate() {
  const { profileId } = route.useParams();
  const here = useQuery(profilesQuery).data?.some((row) => row.id === profileId);
  if (!here)
    return (
      <Suspense>
        <NotHere key={profileId} profileId={profileId} />
      </Suspense>
    );
  return (
    <>
      <PausedBanner profileId={profileId} />
      <Outlet />
    </>
  );
}
