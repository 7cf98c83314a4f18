// Where the links of mails lead. They act on a press, because scanners of mail fetch every link.
import { Alert, Button, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { call } from "../../api/client";
import type { Deletion } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { CodeField } from "./code";
import { Goes } from "./DeleteAccount";
import { sessionQuery } from "./session";

interface Props {
  texts: { title: string; text: string; button: string; done: string };
  act: () => Promise<string>;
  danger?: boolean;
  /** The button waits for something. */
  blocked?: boolean;
  children?: ReactNode;
}

function LinkPage({ texts, act, danger, blocked, children }: Props) {
  const client = useQueryClient();
  const action = useMutation({
    mutationFn: act,
    // Whoever is signed in may have another address now, or be gone.
    onSuccess: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  });
  if (action.isSuccess)
    return (
      <Gate title={texts.done} text={action.data}>
        <ButtonLink to="/">{t.account.onward}</ButtonLink>
      </Gate>
    );
  return (
    <Gate title={texts.title} text={texts.text}>
      {children}
      <ErrorNote error={action.error} />
      <Button disabled={blocked} color={danger ? "red" : undefined} onClick={() => action.mutate()} loading={action.isPending}>
        {texts.button}
      </Button>
    </Gate>
  );
}

const confirm = getRouteApi("/confirm/$token");
const email = getRouteApi("/email/$token");
const deletion = getRouteApi("/delete-account/$token");

/** Proves the e-mail of a new account. */
export function ConfirmPage() {
  const { token } = confirm.useParams();
  return (
    <LinkPage
      texts={t.account.confirm}
      act={() => call<string>("GET", `/account/confirm/${encodeURIComponent(token)}`)}
    />
  );
}

/** Moves an account to another e-mail. */
export function EmailPage() {
  const { token } = email.useParams();
  return (
    <LinkPage texts={t.account.move} act={() => call<string>("POST", "/account/email/confirm", { body: { token } })} />
  );
}

/** Deletes an account, after saying what goes with it. With a second factor on it asks for the code. */
export function DeleteAccountPage() {
  const { token } = deletion.useParams();
  const [code, setCode] = useState("");
  const lost = useQuery({
    queryKey: ["deletion", token],
    queryFn: () => call<Deletion>("POST", "/account/deletion", { body: { token } }),
    retry: false,
  });
  if (lost.isPending) return <Loading />;
  if (!lost.data)
    return (
      <Gate title={t.account.end.title}>
        <ErrorNote error={lost.error} />
      </Gate>
    );
  const { email: owner, profiles, needs_pin_code: coded, reason } = lost.data;
  return (
    <LinkPage
      texts={t.account.end}
      act={() => call<string>("POST", "/account/delete", { body: { token, ...(coded ? { pin_code: code } : {}) } })}
      blocked={coded && code.trim() === ""}
      danger
    >
      <Text size="sm">{t.account.end.of(owner)}</Text>
      <Goes profiles={profiles} />
      {reason && <Alert color="yellow">{reason}</Alert>}
      {coded && <CodeField value={code} onChange={setCode} />}
    </LinkPage>
  );
}
