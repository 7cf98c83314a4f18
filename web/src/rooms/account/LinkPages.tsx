// Where the links of mails lead. They act on a press, because scanners of mail fetch every link.
import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { ButtonLink } from "../../ui/links";
import { sessionQuery } from "./session";

interface Props {
  texts: { title: string; text: string; button: string; done: string };
  act: () => Promise<string>;
  danger?: boolean;
}

function LinkPage({ texts, act, danger }: Props) {
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
      <ErrorNote error={action.error} />
      <Button color={danger ? "red" : undefined} onClick={() => action.mutate()} loading={action.isPending}>
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

/** Deletes an account. */
export function DeleteAccountPage() {
  const { token } = deletion.useParams();
  return (
    <LinkPage texts={t.account.end} act={() => call<string>("POST", "/account/delete", { body: { token } })} danger />
  );
}
