import { Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Section } from "../../ui/Section";
import { useChangePassword } from "./queries";

/** Changes one's password against the current one. */
export function PasswordForm({ email }: { email: string }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const change = useChangePassword();
  const about = (field: string) => (change.error instanceof ApiError ? change.error.about(field) : undefined);
  return (
    <Section title={t.person.password} text={t.person.passwordText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(
            { current_password: current, password },
            {
              onSuccess: () => {
                setCurrent("");
                setPassword("");
              },
            },
          );
        }}
      >
        {/* Keepers of passwords ask whose it is. */}
        <input type="email" name="email" autoComplete="username" value={email} readOnly hidden />
        <Stack gap="md" maw={400}>
          <PasswordInput
            label={t.person.passwordCurrent}
            autoComplete="current-password"
            required
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            visibilityToggleButtonProps={{ "aria-label": t.show }}
            error={about("current_password")}
          />
          <PasswordInput
            label={t.person.passwordNew}
            description={t.account.passwordHint}
            autoComplete="new-password"
            required
            minLength={8}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            visibilityToggleButtonProps={{ "aria-label": t.show }}
            error={about("password")}
          />
          <ErrorNote error={change.error} />
          <Group>
            <Button type="submit" loading={change.isPending} disabled={!current || password.length < 8}>
              {t.person.passwordButton}
            </Button>
          </Group>
          <Text size="sm" role="status">
            {change.isSuccess ? t.person.passwordDone : ""}
          </Text>
        </Stack>
      </form>
    </Section>
  );
}
