import { Badge, Button, Card, Group, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { TransferRow } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { useSession } from "../account/session";
import { transfersPerPage, transfersQuery } from "./queries";

const states = ["requested", "accepted", "completed", "declined", "cancelled", "expired", "undone"];

/** Transfers one gives or receives; an operator sees those of all accounts, too. */
export function TransfersPage() {
  const operator = useSession().data?.operator === true;
  const [role, setRole] = useState("");
  const [state, setState] = useState<string | null>(null);
  const [page, setPage] = useState(1);
  const list = useQuery(transfersQuery({ role, state: state ?? undefined, page }));
  return (
    <Page title={t.transfer.list} text={t.transfer.listText}>
      <Group align="end">
        <Select
          label={t.transfer.role}
          data={["", "source", "destination", ...(operator ? ["all"] : [])].map((value) => ({ value, label: t.transfer.roles[value] ?? value }))}
          value={role}
          allowDeselect={false}
          onChange={(value) => {
            setRole(value ?? "");
            setPage(1);
          }}
        />
        <Select
          label={t.transfer.state}
          placeholder={t.transfer.any}
          clearable
          data={states.map((value) => ({ value, label: t.transfer.states[value] ?? value }))}
          value={state}
          onChange={(value) => {
            setState(value);
            setPage(1);
          }}
        />
      </Group>
      {list.isPending ? (
        <Loading />
      ) : !list.data ? (
        <ErrorNote error={list.error} retry={() => void list.refetch()} />
      ) : list.data.length === 0 ? (
        <Empty title={t.transfer.empty} text={t.transfer.emptyText} />
      ) : (
        <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }} aria-label={t.transfer.list}>
          {list.data.map((row) => (
            <li key={row.id}>
              <One row={row} />
            </li>
          ))}
        </Stack>
      )}
      {(page > 1 || list.data?.length === transfersPerPage) && (
        <Group>
          <Button variant="default" disabled={page === 1} onClick={() => setPage(page - 1)}>
            {t.support.newer}
          </Button>
          <Button variant="default" disabled={(list.data?.length ?? 0) < transfersPerPage} onClick={() => setPage(page + 1)}>
            {t.support.older}
          </Button>
        </Group>
      )}
    </Page>
  );
}

/** How far a transfer has come. */
export function TransferState({ state }: { state: string }) {
  const open = state === "requested" || state === "accepted";
  return (
    <Badge variant="light" tt="none" miw="max-content" color={open ? "paddock" : "gray"}>
      {t.transfer.states[state] ?? state}
    </Badge>
  );
}

function One({ row }: { row: TransferRow }) {
  const time = useTime();
  return (
    <Card withBorder padding="md" pos="relative">
      <Stack gap={4}>
        <Group gap="xs" justify="space-between" align="flex-start">
          <TextLink
            to="/transfer/$transferId"
            params={{ transferId: row.id }}
            className="covering"
            fw={600}
            c="inherit"
            miw={0}
            flex="1 1 200px"
            style={{ overflowWrap: "anywhere" }}
          >
            {row.profile.name}
          </TextLink>
          <TransferState state={row.state} />
        </Group>
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {t.transfer.fromTo(row.from.email || row.from.name, row.to.email || row.to.name)} · {time(row.requested_at)}
        </Text>
      </Stack>
    </Card>
  );
}
