// The frame of the operator's pages, and small parts that they share.
import { Group, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";

interface Asked<Data> {
  data: Data | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** What a query has to show: its data, that one is no operator, or what went wrong. */
export function Answered<Data>({ query, children }: { query: Asked<Data>; children: (data: Data) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (!query.error) return <Loading />;
  if (query.error instanceof ApiError && query.error.status === 403) return <NoAccess />;
  return (
    <Page title={t.operator.title}>
      <ErrorNote error={query.error} retry={() => void query.refetch()} />
    </Page>
  );
}

/** For people who are no operators. */
function NoAccess() {
  return (
    <Page title={t.operator.title}>
      <Empty title={t.operator.noAccess} text={t.operator.noAccessText}>
        <ButtonLink to="/profiles" variant="default">
          {t.operator.home}
        </ButtonLink>
      </Empty>
    </Page>
  );
}

/** Facts: a word and what there is to say, one below the other. */
export function Facts({ rows }: { rows: [name: string, value: ReactNode][] }) {
  return (
    <Stack gap={6} component="dl" m={0}>
      {rows.map(([name, value]) => (
        <Group key={name} gap="xs" justify="space-between" align="baseline" wrap="nowrap">
          <Text component="dt" size="sm" c="dimmed" style={{ flex: "none" }}>
            {name}
          </Text>
          <Text component="dd" size="sm" m={0} ta="right" miw={0} style={{ fontVariantNumeric: "tabular-nums", overflowWrap: "anywhere" }}>
            {value}
          </Text>
        </Group>
      ))}
    </Stack>
  );
}

/** A heading within a card. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap={6}>
      <Text size="sm" fw={600} component="h3" m={0}>
        {title}
      </Text>
      {children}
    </Stack>
  );
}
