import { Stack } from "@mantine/core";
import { getRouteApi, Link } from "@tanstack/react-router";
import { t } from "../../texts";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { showCurrent } from "../../ui/tabs";
import { AlertSettings } from "../notify/AlertSettings";
import { DeleteAccount } from "./DeleteAccount";
import { Display } from "./Display";
import { PasswordForm } from "./PasswordForm";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";
import { useSession } from "./session";
import { accountTabs } from "./tabs";
import { You } from "./You";

const route = getRouteApi("/_in/account");

/** Everything about oneself, a part at a time. */
export function AccountPage() {
  const { tab = "you" } = route.useSearch();
  const account = useSession().data?.account;
  return (
    <Page title={t.person.title}>
      <nav ref={showCurrent} className="tabs" aria-label={t.person.title}>
        {accountTabs.map((name) => (
          <Link
            key={name}
            to="/account"
            search={name === "you" ? {} : { tab: name }}
            className="tab"
            activeOptions={{ includeSearch: true, exact: true }}
            aria-current={tab === name ? "page" : undefined}
          >
            {t.person.tabs[name]}
          </Link>
        ))}
      </nav>
      {!account && <Loading />}
      {account && (
        <Stack gap="lg" maw={820}>
          {tab === "you" && (
            <>
              <You account={account} />
              <DeleteAccount />
            </>
          )}
          {tab === "display" && <Display account={account} />}
          {tab === "security" && (
            <>
              <PasswordForm email={account.email} />
              <SecondFactor />
              <Sessions />
            </>
          )}
          {tab === "alerts" && <AlertSettings />}
        </Stack>
      )}
    </Page>
  );
}
