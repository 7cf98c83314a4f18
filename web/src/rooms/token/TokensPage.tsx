import { Badge, Button, Card, Group, Modal, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import type { TokenRow } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { useSession } from "../account/session";
import { useOwnRole } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { Generate } from "./Generate";
import { marks, pageSize, tokensQuery, useRevokeToken } from "./queries";

const route = getRouteApi("/_in/p/$profileId/_about/tokens");

/** The tokens of a profile: made, watched and revoked here. */
export function TokensPage() {
  const { profileId } = route.useParams();
  return <Tokens key={profileId} profileId={profileId} />;
}

function Tokens({ profileId }: { profileId: string }) {
  const name = useProfileName(profileId);
  const [making, setMaking] = useState(false);
  const [page, setPage] = useState(1);
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim(), 250);
  const [which, setWhich] = useState("all");
  const filter = { search, unused: which === "unused" };
  const tokens = useQuery(tokensQuery(profileId, { ...filter, page }));
  const full = tokens.data?.length === pageSize;
  const ahead = useQuery({ ...tokensQuery(profileId, { ...filter, page: page + 1 }), enabled: full, placeholderData: undefined });
  const hasNext = full && (ahead.data?.length ?? 0) > 0;
  const rows = tokens.data;
  const filtered = filter.search !== "" || filter.unused;
  const generate = <Button onClick={() => setMaking(true)}>{t.tokens.generate}</Button>;
  const untouched = rows?.length === 0 && !filtered && page === 1;
  return (
    <Page title={t.tokens.title} profile={name} text={t.tokens.text} actions={untouched ? undefined : generate}>
      {!untouched && (
        <Group>
          <TextInput
            type="search"
            aria-label={t.tokens.find}
            placeholder={t.tokens.find}
            w={280}
            maw="100%"
            value={typed}
            onChange={(event) => {
              setTyped(event.currentTarget.value);
              setPage(1);
            }}
          />
          <SegmentedControl
            aria-label={t.tokens.which}
            data={[
              { value: "all", label: t.tokens.all },
              { value: "unused", label: t.tokens.unusedOnly },
            ]}
            value={which}
            onChange={(value) => {
              setWhich(value);
              setPage(1);
            }}
          />
        </Group>
      )}
      <ErrorNote error={tokens.error} retry={() => void tokens.refetch()} />
      {tokens.isPending && <Loading />}
      {untouched && (
        <Empty title={t.tokens.empty} text={t.tokens.emptyText}>
          {generate}
        </Empty>
      )}
      {rows?.length === 0 && !untouched && (
        <Empty title={t.tokens.none}>
          <Button
            variant="default"
            onClick={() => {
              setTyped("");
              setWhich("all");
              setPage(1);
            }}
          >
            {t.tokens.showAll}
          </Button>
        </Empty>
      )}
      {rows && rows.length > 0 && <List profileId={profileId} rows={rows} />}
      {(page > 1 || hasNext) && (
        <Group component="nav" aria-label={t.devices.pages} justify="center">
          <Button variant="default" disabled={page <= 1} onClick={() => setPage(page - 1)}>
            {t.devices.previous}
          </Button>
          <Text size="sm">{t.devices.page(page)}</Text>
          <Button variant="default" disabled={!hasNext} onClick={() => setPage(page + 1)}>
            {t.devices.next}
          </Button>
        </Group>
      )}
      <Generate profileId={profileId} opened={making} close={() => setMaking(false)} />
    </Page>
  );
}

const colors = { expired: "gray", soon: "yellow", stale: "gray" } as const;

function List({ profileId, rows }: { profileId: string; rows: TokenRow[] }) {
  const dates = useDates();
  const own = useSession().data?.account.id;
  const viewer = useOwnRole(profileId) === "viewer";
  const [revoking, setRevoking] = useState<TokenRow>();
  return (
    <Card withBorder padding="md" py={4}>
      <table className="cells">
        <thead>
          <tr>
            <th scope="col">{t.tokens.name}</th>
            <th scope="col">{t.tokens.permission}</th>
            <th scope="col">{t.tokens.madeBy}</th>
            <th scope="col">{t.tokens.lastUse}</th>
            <th scope="col">{t.tokens.expires}</th>
            <th scope="col" aria-label={t.tokens.actions} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <th scope="row">
                <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
                  {row.name}
                </Text>
                <Text size="xs" c="dimmed" className="mono">
                  …{row.tail}
                </Text>
                <Group gap={6} mt={marks(row).length > 0 ? 4 : 0}>
                  {marks(row).map((mark) => (
                    <Badge key={mark} size="sm" variant="light" tt="none" color={colors[mark]}>
                      {t.tokens[mark]}
                    </Badge>
                  ))}
                </Group>
              </th>
              <td data-label={t.tokens.permission}>
                {t.tokens.permissions[row.permission] ?? row.permission}
                <Text size="xs" c="dimmed">
                  {t.tokens.reaches[row.reach] ?? row.reach}
                </Text>
              </td>
              <td data-label={t.tokens.madeBy}>{row.created_by === own ? t.tokens.you : row.created_by_name || t.tokens.gone}</td>
              <td data-label={t.tokens.lastUse}>
                {row.last_authorization ? (
                  <>
                    {dates.minute(row.last_authorization)}
                    {row.last_address && (
                      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                        {t.tokens.usedFrom(row.last_address)}
                      </Text>
                    )}
                  </>
                ) : (
                  <Text size="sm" c="dimmed">
                    {t.tokens.unused}
                  </Text>
                )}
              </td>
              <td data-label={t.tokens.expires}>
                {row.expire_time ? (
                  dates.day(row.expire_time)
                ) : (
                  <Text size="sm" c="dimmed">
                    {t.tokens.never}
                  </Text>
                )}
              </td>
              <td className="end">
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t.tokens.revokeLabel(row.name)}
                  disabled={viewer && row.created_by !== own}
                  onClick={() => setRevoking(row)}
                >
                  {t.tokens.revoke}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {viewer && (
        <Text size="xs" c="dimmed" py="xs">
          {t.tokens.revokeOwn}
        </Text>
      )}
      <Modal
        opened={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t.tokens.revokeTitle(revoking?.name ?? "")}
        centered
      >
        {revoking && <Revoke profileId={profileId} token={revoking} close={() => setRevoking(undefined)} />}
      </Modal>
    </Card>
  );
}

function Revoke({ profileId, token, close }: { profileId: string; token: TokenRow; close: () => void }) {
  const dates = useDates();
  const revoke = useRevokeToken(profileId);
  return (
    <Stack>
      <Text size="sm">
        {token.last_authorization
          ? t.tokens.revokeUsed(dates.minute(token.last_authorization), token.last_address ?? "")
          : t.tokens.revokeUnused}
      </Text>
      <Text size="sm">{t.tokens.revokeLoses}</Text>
      <ErrorNote error={revoke.error} />
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {t.cancel}
        </Button>
        <Button color="red" data-autofocus loading={revoke.isPending} onClick={() => revoke.mutate(token.token, { onSuccess: close })}>
          {t.tokens.revoke}
        </Button>
      </Group>
    </Stack>
  );
}
