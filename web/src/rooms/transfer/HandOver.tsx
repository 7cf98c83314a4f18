import { Button, List, Modal, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ButtonLink } from "../../ui/links";
import { Prove } from "../account/Prove";
import { atLeast } from "../profile/Allowed";
import { MoreCard } from "../profile/MoreCard";
import { useAskTransfer, waitingQuery } from "./queries";

/** Among what can be done with a profile: asks to hand it to another account, or leads to what was asked already. */
export function HandOver({ profileId, name, role }: { profileId: string; name: string; role: string }) {
  const [opened, setOpened] = useState(false);
  const may = atLeast(role, "owner");
  const waiting = useQuery({ ...waitingQuery(profileId), enabled: may }).data;
  return (
    <MoreCard
      title={t.settings.moreTransfer}
      text={waiting ? t.transfer.waits(waiting.to.email) : t.settings.moreTransferText}
      lacks={may ? undefined : t.team.lacks("owner", role)}
    >
      {waiting ? (
        <ButtonLink variant="default" to="/transfer/$transferId" params={{ transferId: waiting.id }}>
          {t.transfer.open}
        </ButtonLink>
      ) : (
        <Button variant="default" disabled={!may} onClick={() => setOpened(true)}>
          {t.transfer.button}
        </Button>
      )}
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.transfer.askTitle(name)} centered size="lg">
        <Ask profileId={profileId} cancel={() => setOpened(false)} />
      </Modal>
    </MoreCard>
  );
}

function Ask({ profileId, cancel }: { profileId: string; cancel: () => void }) {
  const ask = useAskTransfer(profileId);
  const navigate = useNavigate();
  const [email, setEmail] = useState("");
  const [message, setMessage] = useState("");
  const about = (field: string) => (ask.error instanceof ApiError ? ask.error.about(field) : undefined);
  return (
    <Prove
      action={t.transfer.ask}
      running={ask}
      disabled={email.trim() === ""}
      cancel={cancel}
      submit={(proof, failed) =>
        ask.mutate(
          { email, message, ...proof },
          {
            onSuccess: (made) => void navigate({ to: "/transfer/$transferId", params: { transferId: made.id } }),
            onError: failed,
          },
        )
      }
    >
      <List size="sm" spacing={4}>
        {t.transfer.what.map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
      <TextInput
        label={t.transfer.email}
        description={t.transfer.emailHint}
        name="email"
        type="email"
        autoComplete="off"
        required
        data-autofocus
        maxLength={254}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        error={about("email")}
      />
      <Textarea
        label={t.transfer.message}
        description={t.transfer.messageHint}
        autosize
        minRows={2}
        maxRows={8}
        maxLength={1000}
        value={message}
        onChange={(event) => setMessage(event.currentTarget.value)}
        error={about("message")}
      />
    </Prove>
  );
}
