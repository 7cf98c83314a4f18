import { Button, PasswordInput, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError, call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { ButtonLink } from "../../ui/links";

const route = getRouteApi("/reset/$token");

/** Where the mail's link leads: a new password, then sign in with it. */
export function ResetPage() {
  const { token } = route.useParams();
  const [password, setPassword] = useState("");
  const reset = useMutation({
    mutationFn: () => call<unknown>("POST", "/account/recover", { body: { token, password } }),
  });
  if (reset.isSuccess)
    return (
      <Gate title={t.account.resetDone} text={t.account.resetDoneText}>
        <ButtonLink to="/login">{t.account.toSignIn}</ButtonLink>
      </Gate>
    );
  return (
    <Gate title={t.account.resetTitle}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          reset.mutate();
        }}
      >
        <Stack gap="md">
          <PasswordInput
            label={t.account.resetNew}
            description={t.account.passwordHint}
            name="password"
            autoComplete="new-password"
            required
            minLength={8}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            visibilityToggleButtonProps={{ "aria-label": t.show }}
            error={reset.error instanceof ApiError ? reset.error.about("password") : undefined}
          />
          <ErrorNote error={reset.error} />
          <Button type="submit" fullWidth loading={reset.isPending}>
            {t.account.resetButton}
          </Button>
        </Stack>
      </form>
    </Gate>
  );
}
