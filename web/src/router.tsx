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
import { type AccountTab, accountTabs } from "./rooms/account/tabs";
import { costSearch, lineSearch, statementsSearch } from "./rooms/billing/search";
import { deviceSearch, devicesSearch } from "./rooms/device/search";
import { type AuditFilter, auditRanges } from "./rooms/profile/auditlog";
import { overviewSearch } from "./rooms/overview/search";
import { profilesQuery } from "./rooms/profile/queries";
import { ProfileGate } from "./rooms/profile/ProfileGate";
import { ProfileTabs } from "./rooms/profile/ProfileTabs";
import { usageSearch } from "./rooms/usage/search";
import { Shell } from "./Shell";
import { follow } from "./texts";
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
  // Only addresses of the console: a link from elsewhere must not lead away after signing in. What is refused is named
  // as undefined, since a name left out would keep what the address says.
  validateSearch: (search: Record<string, unknown>): { next?: string | undefined } => ({
    next: typeof search.next === "string" && /^\/console\/(?![/\\])/.test(search.next) ? search.next : undefined,
  }),
  component: lazyRouteComponent(() => import("./rooms/account/SignInPage"), "SignInPage"),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/sign-up",
  // A letter names the address it went to, and where to go then: as for signing in, only to pages of the console.
  validateSearch: (search: Record<string, unknown>): { email?: string | undefined; next?: string | undefined } => ({
    email: typeof search.email === "string" ? search.email : undefined,
    next: typeof search.next === "string" && /^\/console\/(?![/\\])/.test(search.next) ? search.next : undefined,
  }),
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

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/team/accept/$token",
  component: lazyRouteComponent(() => import("./rooms/team/InvitationPage"), "InvitationPage"),
});

/** Everything below needs somebody signed in; others come back here from the sign-in page. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "_in",
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    const session = await context.client.ensureQueryData(sessionQuery);
    if (session === null) throw redirect({ to: "/login", search: { next: location.publicHref }, replace: true });
    if (follow(session.account.language)) {
      window.location.replace(location.publicHref);
      await new Promise(() => {}); // nothing is drawn in the language before
    }
  },
});

const landing = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: async ({ context }) => {
    const profiles = await context.client.ensureQueryData(profilesQuery);
    const only = profiles.length === 1 ? profiles[0] : undefined;
    if (only) throw redirect({ to: "/p/$profileId", params: { profileId: only.id }, replace: true });
    throw redirect({ to: "/profiles", replace: true });
  },
});

const profiles = createRoute({
  getParentRoute: () => inside,
  path: "/profiles",
  validateSearch: overviewSearch,
  component: lazyRouteComponent(() => import("./rooms/profile/ProfilesPage"), "ProfilesPage"),
});

const addProfile = createRoute({
  getParentRoute: () => inside,
  path: "/profiles/add",
  component: lazyRouteComponent(() => import("./rooms/profile/AddProfilePage"), "AddProfilePage"),
});

const importProfile = createRoute({
  getParentRoute: () => inside,
  path: "/profiles/import",
  component: lazyRouteComponent(() => import("./rooms/backup/ImportPage"), "ImportPage"),
});

const account = createRoute({
  getParentRoute: () => inside,
  path: "/account",
  validateSearch: (search: Record<string, unknown>): { tab?: AccountTab | undefined } => ({
    tab: accountTabs.find((tab) => tab === search.tab && tab !== "you"),
  }),
  component: lazyRouteComponent(() => import("./rooms/account/AccountPage"), "AccountPage"),
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
  component: lazyRouteComponent(() => import("./rooms/overview/HomePage"), "HomePage"),
});

/** Profiles & Teams: what a profile is, who works in it and what it may use, as tabs. */
const about = createRoute({
  getParentRoute: () => profile,
  id: "_about",
  component: ProfileTabs,
});

const usage = createRoute({
  getParentRoute: () => about,
  path: "/usage",
  validateSearch: usageSearch,
  component: lazyRouteComponent(() => import("./rooms/usage/UsagePage"), "UsagePage"),
});

const tokens = createRoute({
  getParentRoute: () => about,
  path: "/tokens",
  component: lazyRouteComponent(() => import("./rooms/token/TokensPage"), "TokensPage"),
});

const more = createRoute({
  getParentRoute: () => about,
  path: "/more",
  component: lazyRouteComponent(() => import("./rooms/profile/MorePage"), "MorePage"),
});

const limits = createRoute({
  getParentRoute: () => profile,
  path: "/limits",
  component: lazyRouteComponent(() => import("./rooms/limit/LimitsPage"), "LimitsPage"),
});

const devices = createRoute({
  getParentRoute: () => profile,
  path: "/devices",
  validateSearch: devicesSearch,
  component: lazyRouteComponent(() => import("./rooms/device/DevicesPage"), "DevicesPage"),
});

const addDevice = createRoute({
  getParentRoute: () => profile,
  path: "/devices/add",
  component: lazyRouteComponent(() => import("./rooms/device/CreateDevicePage"), "CreateDevicePage"),
});

const importDevices = createRoute({
  getParentRoute: () => profile,
  path: "/devices/import",
  component: lazyRouteComponent(() => import("./rooms/device/ImportDevicesPage"), "ImportDevicesPage"),
});

const device = createRoute({
  getParentRoute: () => profile,
  path: "/devices/$deviceId",
  validateSearch: deviceSearch,
  component: lazyRouteComponent(() => import("./rooms/device/DevicePage"), "DevicePage"),
});

const profilePage = createRoute({
  getParentRoute: () => about,
  path: "/profile",
  component: lazyRouteComponent(() => import("./rooms/profile/ProfilePage"), "ProfilePage"),
});

const auditLog = createRoute({
  getParentRoute: () => about,
  path: "/auditlog",
  validateSearch: (search: Record<string, unknown>): AuditFilter => {
    const range = auditRanges.find((name) => name === search.range);
    const text = (name: string) => (search[name] !== undefined && search[name] !== "" ? { [name]: String(search[name]) } : {});
    return { ...(range ? { range } : {}), ...text("who"), ...text("resource"), ...text("find") };
  },
  component: lazyRouteComponent(() => import("./rooms/profile/AuditLogPage"), "AuditLogPage"),
});

const alerts = createRoute({
  getParentRoute: () => profile,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./rooms/notify/AlertsPage"), "AlertsPage"),
});

const backups = createRoute({
  getParentRoute: () => profile,
  path: "/backups",
  component: lazyRouteComponent(() => import("./rooms/backup/BackupsPage"), "BackupsPage"),
});

const notifications = createRoute({
  getParentRoute: () => inside,
  path: "/notifications",
  component: lazyRouteComponent(() => import("./rooms/notify/NotificationsPage"), "NotificationsPage"),
});

const outbox = createRoute({
  getParentRoute: () => inside,
  path: "/outbox",
  component: lazyRouteComponent(() => import("./rooms/notify/OutboxPage"), "OutboxPage"),
});

const support = createRoute({
  getParentRoute: () => inside,
  path: "/support",
  component: lazyRouteComponent(() => import("./rooms/support/SupportPage"), "SupportPage"),
});

const ticket = createRoute({
  getParentRoute: () => inside,
  path: "/support/$ticketId",
  component: lazyRouteComponent(() => import("./rooms/support/TicketPage"), "TicketPage"),
});

const desk = createRoute({
  getParentRoute: () => inside,
  path: "/desk",
  validateSearch: (search: Record<string, unknown>): { profile?: string; reason?: string } => ({
    ...(typeof search.profile === "string" && search.profile ? { profile: search.profile } : {}),
    ...(typeof search.reason === "string" && search.reason ? { reason: search.reason } : {}),
  }),
  component: lazyRouteComponent(() => import("./rooms/support/DeskPage"), "DeskPage"),
});

const transfers = createRoute({
  getParentRoute: () => inside,
  path: "/transfer",
  component: lazyRouteComponent(() => import("./rooms/transfer/TransfersPage"), "TransfersPage"),
});

const transfer = createRoute({
  getParentRoute: () => inside,
  path: "/transfer/$transferId",
  component: lazyRouteComponent(() => import("./rooms/transfer/TransferPage"), "TransferPage"),
});

const staff = createRoute({
  getParentRoute: () => inside,
  path: "/staff",
  component: lazyRouteComponent(() => import("./rooms/team/StaffPage"), "StaffPage"),
});

/** Money, for owners. */
const cost = createRoute({
  getParentRoute: () => inside,
  path: "/cost",
  validateSearch: costSearch,
  component: lazyRouteComponent(() => import("./rooms/billing/CostPage"), "CostPage"),
});

const costLine = createRoute({
  getParentRoute: () => inside,
  path: "/cost/line",
  validateSearch: lineSearch,
  component: lazyRouteComponent(() => import("./rooms/billing/LinePage"), "LinePage"),
});

const statements = createRoute({
  getParentRoute: () => inside,
  path: "/cost/statements",
  validateSearch: statementsSearch,
  component: lazyRouteComponent(() => import("./rooms/billing/StatementsPage"), "StatementsPage"),
});

const cards = createRoute({
  getParentRoute: () => inside,
  path: "/cost/cards",
  component: lazyRouteComponent(() => import("./rooms/billing/CardsPage"), "CardsPage"),
});

const card = createRoute({
  getParentRoute: () => inside,
  path: "/cost/cards/$cardId",
  component: lazyRouteComponent(() => import("./rooms/billing/CardPage"), "CardPage"),
});

const budgets = createRoute({
  getParentRoute: () => inside,
  path: "/cost/budgets",
  component: lazyRouteComponent(() => import("./rooms/billing/BudgetsPage"), "BudgetsPage"),
});

const invoices = createRoute({
  getParentRoute: () => inside,
  path: "/cost/invoices",
  component: lazyRouteComponent(() => import("./rooms/billing/InvoicesPage"), "InvoicesPage"),
});

const subscription = createRoute({
  getParentRoute: () => inside,
  path: "/cost/subscription",
  component: lazyRouteComponent(() => import("./rooms/billing/SubscriptionPage"), "SubscriptionPage"),
});

const allocation = createRoute({
  getParentRoute: () => inside,
  path: "/allocation",
  component: lazyRouteComponent(() => import("./rooms/usage/AllocationPage"), "AllocationPage"),
});

const whatIf = createRoute({
  getParentRoute: () => inside,
  path: "/cost/what-if",
  component: lazyRouteComponent(() => import("./rooms/billing/WhatIfPage"), "WhatIfPage"),
});

/** The server, for its operators. */
const operator = createRoute({
  getParentRoute: () => inside,
  path: "/operator",
  component: lazyRouteComponent(() => import("./rooms/operator/OperatorPage"), "OperatorPage"),
});

const operatorAccounts = createRoute({
  getParentRoute: () => inside,
  path: "/operator/accounts",
  component: lazyRouteComponent(() => import("./rooms/operator/AccountsPage"), "AccountsPage"),
});

const operatorAccount = createRoute({
  getParentRoute: () => inside,
  path: "/operator/accounts/$accountId",
  component: lazyRouteComponent(() => import("./rooms/operator/AccountPage"), "AccountPage"),
});

const operatorSettings = createRoute({
  getParentRoute: () => inside,
  path: "/operator/settings",
  component: lazyRouteComponent(() => import("./rooms/operator/SettingsPage"), "SettingsPage"),
});

const team = createRoute({
  getParentRoute: () => about,
  path: "/team",
  component: lazyRouteComponent(() => import("./rooms/team/TeamPage"), "TeamPage"),
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
      invitation,
      inside.addChildren([
        landing,
        profiles,
        addProfile,
        importProfile,
        account,
        profile.addChildren([
          profileHome,
          devices,
          addDevice,
          importDevices,
          device,
          alerts,
          limits,
          backups,
          about.addChildren([profilePage, usage, team, tokens, auditLog, more]),
        ]),
        notifications,
        outbox,
        staff,
        allocation,
        cost,
        costLine,
        statements,
        cards,
        card,
        budgets,
        whatIf,
        invoices,
        subscription,
        support,
        ticket,
        desk,
        transfers,
        transfer,
        operator,
        operatorAccounts,
        operatorAccount,
        operatorSettings,
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
