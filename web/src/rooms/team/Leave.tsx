import { Button, Group, Modal, PasswordInput, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useSession } from "../account/session";
import { MoreCard } from "../profile/MoreCard";
import { EndsList } from "./People";
import { endsQuery, teamQuery, useLeave } from "./queries";

/** Among what can be done with a profile: the way out, for who does not own it. */
export function Leave({ profileId, role }: { profileId: string; role: string }) {
  const [opened, setOpened] = useState(false);
  const own = useSession().data?.account.id;
  const looks = useQuery(teamQuery(profileId)).data?.some((row) => row.look && row.id === own) ?? false;
  const lacks = role === "owner" ? t.settings.ownerStays : looks ? t.settings.looksStay : undefined;
  return (
    <MoreCard title={t.settings.moreLeave} text={t.settings.moreLeaveText} lacks={lacks}>
      <Button color="red" variant="outline" disabled={lacks !== undefined} onClick={() => setOpened(true)}>
        {t.settings.leaveButton}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.team.leave} centered>
        <LeaveForm profileId={profileId} cancel={() => setOpened(false)} />
      </Modal>
    </MoreCard>
  );
}

function LeaveForm({ profileId, cancel }: { profileId: string; cancel: () => void }) {
  const ends = useQuery(endsQuery(profileId, "current"));
  const leave = useLeave(profileId);
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        leave.mutate(password);
      }}
    >
      <Stack>
        {ends.data && <EndsList ends={ends.data} profiles={t.team.endsProfiles} />}
        <PasswordInput
          label={t.team.leavePassword}
          autoComplete="current-password"
          required
          data-autofocus
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        <ErrorNote error={ends.error} />
        <ErrorNote error={leave.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t.cancel}
          </Button>
          <Button type="submit" color="red" disabled={!password} loading={leave.isPending}>
            {t.team.leaveButton}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
