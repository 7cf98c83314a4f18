import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { asksForCode, CodeField } from "./code";
import { useSignIn } from "./session";

/** E-mail and password, and the code of a second factor once the server has asked for it. Used by the sign-in page and
 *  over a page whose session ended. */
export function SignInForm({ email: known = "", onDone }: { email?: string; onDone: () => void }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asked, setAsked] = useState(false);
  const signIn = useSignIn();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate(
          { email, password, ...(asked ? { pin_code: code } : {}) },
          {
            onSuccess: onDone,
            onError: (error) => {
              setCode(""); // each works once
              if (asksForCode(error)) setAsked(true);
            },
          },
        );
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
          onChange={(event) => {
            setEmail(event.currentTarget.value);
            setAsked(false);
          }}
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
        {asked && <CodeField value={code} onChange={setCode} focus />}
        {!asksForCode(signIn.error) && <ErrorNote error={signIn.error} />}
        <Button type="submit" fullWidth loading={signIn.isPending}>
          {t.account.signInButton}
        </Button>
      </Stack>
    </form>
  );
}
