import { Menu, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { type Language, language, languages, t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Face } from "./Face";
import { useSession, useSetLanguage, useSignOut } from "./session";

const SchemeChoice = lazy(() => import("./SchemeChoice"));

/** Who is signed in, top right. */
export function AccountMenu() {
  const account = useSession().data?.account;
  const signOut = useSignOut();
  const setLanguage = useSetLanguage();
  if (!account) return null;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton>
          <Face name={account.name} url={account.picture_url} />
          <VisuallyHidden>{t.account.menu(account.name)}</VisuallyHidden>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {account.name}
          <br />
          {account.email}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account">
          {t.account.page}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>{t.language.choose}</Menu.Label>
        {(Object.keys(languages) as Language[]).map((code) => (
          <Menu.Item
            key={code}
            lang={code}
            closeMenuOnClick={false}
            fw={code === language ? 600 : undefined}
            aria-current={code === language || undefined}
            onClick={() => code !== language && setLanguage.mutate(code)}
          >
            {languages[code]}
          </Menu.Item>
        ))}
        <ErrorNote error={setLanguage.error} />
        <Menu.Divider />
        <Suspense fallback={<div style={{ height: 62 }} />}>
          <SchemeChoice />
        </Suspense>
        <Menu.Item
          closeMenuOnClick={false}
          onClick={() => signOut.mutate()}
        >
          {t.account.signOut}
        </Menu.Item>
        <ErrorNote error={signOut.error} />
      </Menu.Dropdown>
    </Menu>
  );
}
