import { Avatar, Menu, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useSession, useSignOut } from "./session";

/** Who is signed in, top right. */
export function AccountMenu() {
  const account = useSession().data?.account;
  const signOut = useSignOut();
  if (!account) return null;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton>
          <Avatar name={account.name} color="gray" radius="xl" size={36} aria-hidden="true" />
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
