import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { ButtonLink } from "../../ui/links";

const route = getRouteApi("/confirm/$token");

/** Where the mail's link leads. It acts on a press, because scanners of mail fetch every link. */
export function ConfirmPage() {
  const { token } = route.useParams();
  const confirm = useMutation({
    mutationFn: () => call<string>("GET", `/account/confirm/${encodeURIComponent(token)}`),
  });
  if (confirm.isSuccess)
    return (
      <Gate title={t.account.confirmDone} text={confirm.data}>
        <ButtonLink to="/sign-in">{t.account.toSignIn}</ButtonLink>
      </Gate>
    );
  return (
    <Gate title={t.account.confirmTitle} text={t.account.confirmText}>
      <ErrorNote error={confirm.error} />
      <Button onClick={() => confirm.mutate()} loading={confirm.isPending}>
        {t.account.confirmButton}
      </Button>
    </Gate>
  );
}
