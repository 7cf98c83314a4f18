import { Button, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Gate } from "../../ui/Gate";
import { newPerson, PersonFields } from "./PersonFields";
import { signedIn } from "./session";

const route = getRouteApi("/setup/$token");

/** The one-time link that serve prints: makes the first account and signs it in. */
export function SetupPage() {
  const { token } = route.useParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [person, setPerson] = useState(newPerson);
  const setup = useMutation({
    mutationFn: () => call<unknown>("POST", "/setup", { body: { token, ...person } }),
    onSuccess: async () => {
      await signedIn(client);
      await navigate({ to: "/", replace: true });
    },
  });
  return (
    <Gate title={t.account.setupTitle} text={t.account.setupText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setup.mutate();
        }}
      >
        <Stack gap="md">
          <PersonFields value={person} onChange={setPerson} error={setup.error} />
          <ErrorNote error={setup.error} />
          <Button type="submit" fullWidth loading={setup.isPending}>
            {t.account.setupButton}
          </Button>
        </Stack>
      </form>
    </Gate>
  );
}
