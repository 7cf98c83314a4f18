import { Alert, Button, Group, List, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Deletion } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { Prove } from "./Prove";
import { deletionQuery, useDeleteAccount } from "./queries";

/** The end of the account, after saying what goes with it. */
export function DeleteAccount() {
  const [open, setOpen] = useState(false);
  return (
    <Section title={t.person.end} text={t.person.endText}>
      <Group>
        <Button color="red" variant="outline" onClick={() => setOpen(true)}>
          {t.person.endOpen}
        </Button>
      </Group>
      <Modal opened={open} onClose={() => setOpen(false)} title={t.person.endTitle} centered size="lg">
        {open && <Form close={() => setOpen(false)} />}
      </Modal>
    </Section>
  );
}

function Form({ close }: { close: () => void }) {
  const lost = useQuery(deletionQuery);
  const end = useDeleteAccount();
  if (lost.isPending) return <Loading />;
  if (!lost.data) return <ErrorNote error={lost.error} retry={() => void lost.refetch()} />;
  return (
    <Prove
      action={t.person.endButton}
      color="red"
      disabled={!lost.data.allowed}
      running={end}
      submit={(proof, failed) => end.mutate(proof, { onError: failed })}
      cancel={close}
    >
      <Stack gap="xs">
        <Text size="sm">{lost.data.profiles.length > 0 ? t.person.endGoes : t.person.endNothing}</Text>
        <Goes profiles={lost.data.profiles} />
        {lost.data.reason && <Alert color="yellow">{lost.data.reason}</Alert>}
      </Stack>
    </Prove>
  );
}

/** The profiles that go with an account, and what each holds. */
export function Goes({ profiles }: { profiles: Deletion["profiles"] }) {
  return (
    <List size="sm" mah={240} style={{ overflowY: "auto" }}>
      {profiles.map(({ id, name, amounts }) => (
        <List.Item key={id}>
          {t.account.end.goes(name)}
          {amounts.length > 0 && ": "}
          {amounts.map(({ what, amount }) => t.person.things[what]?.(amount, count(amount)) ?? `${count(amount)} ${what}`).join(", ")}
        </List.Item>
      ))}
    </List>
  );
}
