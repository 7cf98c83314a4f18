// The code of a second factor, wherever a password is asked for.
import { TextInput } from "@mantine/core";
import { useEffect, useRef } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";

/** Whether the server refused because the code of a second factor was missing: its sentence is then a JSON text. */
export function asksForCode(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status !== 401) return false;
  try {
    const said: unknown = JSON.parse(error.message);
    return typeof said === "object" && said !== null && "otp_enabled" in said;
  } catch {
    return false;
  }
}

/** `focus` is for a field that appears as the answer to what the person just did: it is what they do next. */
export function CodeField(props: { value: string; onChange: (code: string) => void; hint?: string; focus?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  const { focus } = props;
  useEffect(() => {
    if (focus) field.current?.focus();
  }, [focus]);
  return (
    <TextInput
      label={t.factor.code}
      description={props.hint ?? t.factor.codeHint}
      name="code"
      autoComplete="one-time-code"
      ref={field}
      required
      maxLength={40}
      value={props.value}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    />
  );
}
