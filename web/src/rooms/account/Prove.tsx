import { Button, Group, PasswordInput, Stack } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { asksForCode, CodeField } from "./code";

/** What one shows to prove who one is. */
export interface Proof {
  password: string;
  pin_code?: string;
}

interface Props {
  children?: ReactNode;
  action: string;
  color?: string;
  disabled?: boolean;
  running: Pick<UseMutationResult<unknown, Error, never>, "error" | "isPending">;
  /** Calls failed with what went wrong, so that a code, which works once, is asked for anew. */
  submit: (proof: Proof, failed: (error: unknown) => void) => void;
  cancel?: () => void;
  /** In a dialog: the password has the focus when it opens. */
  focus?: boolean;
}

/** A form that ends with one's password, and the code of a second factor where one is on. */
export function Prove({ children, action, color, disabled, running, submit, cancel, focus }: Props) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asked, setAsked] = useState(false);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit({ password, ...(asked ? { pin_code: code } : {}) }, (error) => {
          setCode("");
          if (asksForCode(error)) setAsked(true);
        });
      }}
    >
      <Stack gap="md" maw={640}>
        {children}
        <PasswordInput
          label={t.profiles.deletePassword}
          name="password"
          autoComplete="current-password"
          required
          data-autofocus={focus}
          maw={360}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        {asked && <CodeField value={code} onChange={setCode} focus />}
        {!asksForCode(running.error) && <ErrorNote error={running.error} />}
        <Group>
          <Button type="submit" {...(color ? { color } : {})} disabled={!!disabled || !password} loading={running.isPending}>
            {action}
          </Button>
          {cancel && (
            <Button variant="default" onClick={cancel}>
              {t.cancel}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
