// Every address of the console. Pages are loaded when first opened; the frame and the way in come with the first load.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { sessionQuery } from "./rooms/account/session";
import { type DeviceTab, deviceTabs } from "./rooms/device/tabs";
import { profilesQuery } from "./rooms/profile/queries";
import { ProfileGate } from "./rooms/profile/ProfileGate";
import { Shell } from "./Shell";
import { Crash } from "./ui/Crash";
import { Loading } from "./ui/Loading";
import { NotFound } from "./ui/NotFound";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet });

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup/$token",
  component: lazyRouteComponent(() => import("./rooms/account/SetupPage"), "SetupPage"),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/login",
  // Only addresses of the console: a link from elsewhere must not lead away after signing in.
  validateSearch: (search: Record<string, unknown>): { next?: string } =>
    typeof search.next === "string" && /^\/console\/(?!\/)/.test(search.next) ? { next: search.next } : {},
  component: lazyRouteComponent(() => import("./rooms/account/SignInPage"), "SignInPage"),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/sign-up",
  component: lazyRouteComponent(() => import("./rooms/account/SignUpPage"), "SignUpPage"),
});

const confirm = createRoute({
  getParentRoute: () => root,
  path: "/confirm/$token",
  component: lazyRouteComponent(() => import("./rooms/account/LinkPages"), "ConfirmPage"),
});

const email = createRoute({
  getParentRoute: () => root,
  path: "/email/$token",
  component: lazyRouteComponent(() => import("./rooms/account/LinkPages"), "EmailPage"),
});

const deleteAccount = createRoute({
  getParentRoute: () => root,
  path: "/delete-account/$token",
  component: lazyRouteComponent(() => import("./rooms/account/LinkPages"), "DeleteAccountPage"),
});

const recover = createRoute({
  getParentRoute: () => root,
  path: "/recover",
  component: lazyRouteComponent(() => import("./rooms/account/RecoverPage"), "RecoverPage"),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset/$token",
  component: lazyRouteComponent(() => import("./rooms/account/ResetPage"), "ResetPage"),
});

/** Everything below needs somebody signed in; others come back here from the sign-in page. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "_in",
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    const session = await context.client.ensureQueryData(sessionQuery);
    if (session === null) throw redirect({ to: "/login", search: { next: location.publicHref }, replace: true });
  },
});

const landing = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: async ({ context }) => {
    const profiles = await context.client.ensureQueryData(profilesQuery);
    const only = profiles.length === 1 ? profiles[0] : undefined;
    if (only) throw redirect({ to: "/p/$profileId/devices", params: { profileId: only.id }, replace: true });
    throw redirect({ to: "/profiles", replace: true });
  },
});

const profiles = createRoute({
  getParentRoute: () => inside,
  path: "/profiles",
  component: lazyRouteComponent(() => import("./rooms/profile/ProfilesPage"), "ProfilesPage"),
});

const addProfile = createRoute({
  getParentRoute: () => inside,
  path: "/profiles/add",
  component: lazyRouteComponent(() => import("./rooms/profile/AddProfilePage"), "AddProfilePage"),
});

/** Inside one profile: one that is not in the list is not there for this account. */
const profile = createRoute({
  getParentRoute: () => inside,
  path: "/p/$profileId",
  component: ProfileGate,
  beforeLoad: async ({ context, params }) => {
    const rows = await context.client.ensureQueryData(profilesQuery);
    if (!rows.some((row) => row.id === params.profileId))
      await context.client.fetchQuery({ ...profilesQuery, staleTime: 0 }); // it may be newer than the list
  },
});

const profileHome = createRoute({
  getParentRoute: () => profile,
  path: "/",
  beforeLoad: ({ params }) => {
    throw redirect({ to: "/p/$profileId/devices", params, replace: true });
  },
});

const devices = createRoute({
  getParentRoute: () => profile,
  path: "/devices",
  validateSearch: (search: Record<string, unknown>): { page?: number; search?: string } => {
    const page = Number(search.page);
    return {
      ...(Number.isInteger(page) && page > 1 ? { page } : {}),
      ...(search.search !== undefined && search.search !== "" ? { search: String(search.search) } : {}),
    };
  },
  component: lazyRouteComponent(() => import("./rooms/device/DevicesPage"), "DevicesPage"),
});

const addDevice = createRoute({
  getParentRoute: () => profile,
  path: "/devices/add",
  component: lazyRouteComponent(() => import("./rooms/device/CreateDevicePage"), "CreateDevicePage"),
});

const device = createRoute({
  getParentRoute: () => profile,
  path: "/devices/$deviceId",
  validateSearch: (search: Record<string, unknown>): { tab?: DeviceTab } => {
    const tab = deviceTabs.find((name) => name === search.tab);
    return tab ? { tab } : {};
  },
  component: lazyRouteComponent(() => import("./rooms/device/DevicePage"), "DevicePage"),
});

const profilePage = createRoute({
  getParentRoute: () => profile,
  path: "/profile",
  component: lazyRouteComponent(() => import("./rooms/profile/ProfilePage"), "ProfilePage"),
});

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([
      setup,
      signIn,
      signUp,
      confirm,
      email,
      deleteAccount,
      recover,
      reset,
      inside.addChildren([
        landing,
        profiles,
        addProfile,
        profile.addChildren([profileHome, devices, addDevice, device, profilePage]),
      ]),
    ]),
    basepath: "/console",
    context: { client },
    defaultPreload: "intent",
    defaultPendingComponent: Loading,
    defaultNotFoundComponent: NotFound,
    defaultErrorComponent: Crash,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
