import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { showCurrent } from "../../ui/tabs";
import { useGuest } from "../profile/Guest";
import { invoicesQuery, useHouse } from "./queries";

interface Props {
  title: string;
  text?: string;
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame of all pages about money: the ways between them, and a word to those who own nothing. */
export function BillingPage({ title, text, actions, children }: Props) {
  const guest = useGuest();
  return (
    <Page title={title} text={text} actions={guest === false && actions}>
      {guest === undefined && <Loading />}
      {guest && <Empty title={t.billing.guest} text={t.billing.guestText} />}
      {guest === false && (
        <>
          <Ways />
          {children}
        </>
      )}
    </Page>
  );
}

function Ways() {
  const { pathname } = useLocation();
  const house = useHouse();
  const invoices = (useQuery(invoicesQuery).data?.length ?? 0) > 0;
  const at = (path: string) => pathname.endsWith(path) || pathname.includes(`${path}/`);
  const tab = (here: boolean) =>
    ({ className: "tab", activeOptions: { exact: true, includeSearch: false }, "aria-current": here ? "page" : undefined }) as const;
  return (
    <nav ref={showCurrent} aria-label={t.billing.ways} className="tabs">
      <Link to="/cost" {...tab(at("/cost/line") || pathname.endsWith("/cost"))}>
        {t.billing.title}
      </Link>
      <Link to="/cost/statements" {...tab(at("/cost/statements"))}>
        {t.billing.statements}
      </Link>
      <Link to="/cost/cards" {...tab(at("/cost/cards"))}>
        {t.billing.cards}
      </Link>
      <Link to="/cost/budgets" {...tab(at("/cost/budgets"))}>
        {t.billing.budgets}
      </Link>
      <Link to="/cost/what-if" {...tab(at("/cost/what-if"))}>
        {t.nav.whatIf}
      </Link>
      {house === false && (
        <Link to="/cost/subscription" {...tab(at("/cost/subscription"))}>
          {t.billing.subscription}
        </Link>
      )}
      {(invoices || house === false) && (
        <Link to="/cost/invoices" {...tab(at("/cost/invoices"))}>
          {t.billing.invoices}
        </Link>
      )}
    </nav>
  );
}
