import { Button, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { newPerson, PersonFields } from "./PersonFields";
import { statusQuery } from "./session";

const route = getRouteApi("/sign-up");

/** Sign-up by oneself, where the server allows it, or by a letter that names the address it asks. The confirmation comes by mail. */
export function SignUpPage() {
  const status = useQuery(statusQuery);
  const { email, next } = route.useSearch();
  const [person, setPerson] = useState(() => ({ ...newPerson(), email: email ?? "" }));
  const signUp = useMutation({
    mutationFn: () => call<string>("POST", "/account", { body: { ...person, cpassword: person.password } }),
  });
  if (status.isPending) return <Loading />;
  if (signUp.isSuccess)
    return (
      <Gate title={t.account.signUpDone} text={signUp.data}>
        <ButtonLink to="/login" search={{ next }}>
          {t.account.toSignIn}
        </ButtonLink>
      </Gate>
    );
  if (status.data?.signup !== "open" && !(status.data?.signup === "invite" && email))
    return (
      <Gate title={t.account.signUpTitle}>
        <ErrorNote error={status.error} />
        {!status.error && <Text>{t.account.signUpClosed}</Text>}
        <TextLink to="/login" search={{ next }}>
          {t.account.toSignIn}
        </TextLink>
      </Gate>
    );
  return (
    <Gate title={t.account.signUpTitle}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signUp.mutate();
        }}
      >
        <Stack gap="md">
          <PersonFields value={person} onChange={setPerson} error={signUp.error} />
          <ErrorNote error={signUp.error} />
          <Button type="submit" fullWidth loading={signUp.isPending}>
            {t.account.signUpButton}
          </Button>
          <TextLink to="/login" search={{ next }} size="sm">
            {t.account.toSignIn}
          </TextLink>
        </Stack>
      </form>
    </Gate>
  );
}
