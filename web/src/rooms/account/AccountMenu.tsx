import { Avatar, Menu, UnstyledButton } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useSession, useSignOut } from "./session";

/** Who is signed in, top right. */
export function AccountMenu() {
  const account = useSession().data?.account;
  const navigate = useNavigate();
  const signOut = useSignOut();
  if (!account) return null;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton aria-label={t.account.menu(account.name)}>
          <Avatar name={account.name} color="gray" radius="xl" size={36} />
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
          onClick={() => signOut.mutate(undefined, { onSuccess: () => void navigate({ to: "/sign-in", search: {} }) })}
        >
          {t.account.signOut}
        </Menu.Item>
        <ErrorNote error={signOut.error} />
      </Menu.Dropdown>
    </Menu>
  );
}
