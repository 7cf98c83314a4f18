// What stands where a profile would be that one cannot open: each reason is a page of its own, with what to do about it. Whether
// there is such a profile for somebody else is told to nobody.
import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import type { DeletedProfile, TransferRow } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { useSession, useSignOut } from "../account/session";
import { goneQuery } from "../transfer/queries";
import { useLost } from "./access";
import { deletedQuery, useRestoreProfile } from "./queries";

export function NotHere({ profileId }: { profileId: string }) {
  const deleted = useQuery(deletedQuery);
  const gone = useQuery(goneQuery(profileId));
  const lost = useLost(profileId);
  if (deleted.isPending || gone.isPending) return <Loading />;
  const row = deleted.data?.find(({ id }) => id === profileId);
  if (row) return <Deleted row={row} />;
  if (gone.data) return <Handed transfer={gone.data} />;
  if (lost !== undefined)
    return (
      <Page title={t.lost.title(lost)}>
        <Empty text={t.lost.text}>
          <WhatNow />
        </Empty>
      </Page>
    );
  return (
    <Page title={t.frame.noAccess}>
      <NoAccess />
      <ErrorNote error={deleted.error ?? gone.error} />
    </Page>
  );
}

/** For its owner, who deleted it, or for whom somebody did. */
function Deleted({ row }: { row: DeletedProfile }) {
  const time = useTime();
  const restore = useRestoreProfile(row.id);
  return (
    <Page title={t.frame.deleted(row.name)}>
      <Empty text={t.frame.deletedText(time(row.purged_at))}>
        <Group justify="center">
          <Button loading={restore.isPending} onClick={() => restore.mutate()}>
            {t.frame.restore}
          </Button>
          <ButtonLink to="/profiles" variant="default">
            {t.frame.toProfiles}
          </ButtonLink>
        </Group>
        <ErrorNote error={restore.error} />
      </Empty>
    </Page>
  );
}

/** For whoever owned it before. */
function Handed({ transfer }: { transfer: TransferRow }) {
  const time = useTime();
  const on = time(transfer.completed_at ?? transfer.requested_at);
  const text =
    transfer.role === "source" ? t.frame.handedText(transfer.to.email || transfer.to.name, on) : t.frame.handedBy(transfer.from.email || transfer.from.name, on);
  return (
    <Page title={t.frame.handed(transfer.profile.name)}>
      <Empty text={text}>
        <Group justify="center">
          <ButtonLink to="/transfer/$transferId" params={{ transferId: transfer.id }}>
            {t.frame.toTransfer}
          </ButtonLink>
          <ButtonLink to="/profiles" variant="default">
            {t.frame.toProfiles}
          </ButtonLink>
        </Group>
      </Empty>
    </Page>
  );
}

function NoAccess() {
  const email = useSession().data?.account.email ?? "";
  return (
    <Empty text={t.frame.noAccessText(email)}>
      <Text size="sm">{t.frame.askOwner}</Text>
      <Group gap="xs" justify="center">
        <Text size="sm" className="mono">
          {email}
        </Text>
        <CopyButton value={email} label={t.frame.copyAddress} />
      </Group>
      <WhatNow />
    </Empty>
  );
}

function WhatNow() {
  const { publicHref } = useLocation();
  const signOut = useSignOut(publicHref);
  return (
    <>
      <Group justify="center">
        <ButtonLink to="/profiles">{t.frame.toProfiles}</ButtonLink>
        <Button variant="default" loading={signOut.isPending} onClick={() => signOut.mutate()}>
          {t.frame.otherAccount}
        </Button>
      </Group>
      <ErrorNote error={signOut.error} />
    </>
  );
}
