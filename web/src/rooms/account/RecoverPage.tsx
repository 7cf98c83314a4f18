import { Button, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { TextLink } from "../../ui/links";

/** Asks for the mail that leads to ResetPage. The answer is the same for an address nobody has. */
export function RecoverPage() {
  const [email, setEmail] = useState("");
  const recover = useMutation({
    mutationFn: () => call<string>("GET", `/account/passwordreset/${encodeURIComponent(email)}`),
  });
  if (recover.isSuccess)
    return (
      <Gate title={t.account.recoverDone} text={recover.data}>
        <TextLink to="/login">{t.account.toSignIn}</TextLink>
      </Gate>
    );
  return (
    <Gate title={t.account.recoverTitle} text={t.account.recoverText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          recover.mutate();
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
          <ErrorNote error={recover.error} />
          <Button type="submit" fullWidth loading={recover.isPending}>
            {t.account.recoverButton}
          </Button>
          <TextLink to="/login" size="sm">
            {t.account.toSignIn}
          </TextLink>
        </Stack>
      </form>
    </Gate>
  );
}
