import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useSignIn } from "./session";

/** E-mail and password. Used by the sign-in page and over a page whose session ended. */
export function SignInForm({ email: known = "", onDone }: { email?: string; onDone: () => void }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate({ email, password }, { onSuccess: onDone });
      }}
    >
      <Stack gap="md">
        <TextInput
          label={t.account.email}
          name="email"
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <PasswordInput
          label={t.account.password}
          name="password"
          autoComplete="current-password"
          required
          data-autofocus={known !== "" || undefined}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        <ErrorNote error={signIn.error} />
        <Button type="submit" fullWidth loading={signIn.isPending}>
          {t.account.signInButton}
        </Button>
      </Stack>
    </form>
  );
}
