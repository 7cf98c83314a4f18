import { Alert, Badge, Button, Group, List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Cost } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useDates } from "../../ui/format";
import { checkQuery } from "./queries";
import type { Range } from "./range";

/** Accounts of up to so many profiles are computed again whenever somebody looks; larger ones when it is asked for. */
const byItself = 100;

/** Whether the sum adds up: as it is shown, and when everything behind it is computed again. */
export function AddsUp({ cost, range, profiles }: { cost: Cost; range: Range; profiles: number }) {
  const dates = useDates();
  const [asked, setAsked] = useState(false);
  const check = useQuery({ ...checkQuery(range), enabled: asked || profiles <= byItself });
  const again = (): void => {
    setAsked(true);
    if (check.data || check.isError) void check.refetch();
  };
  const found = check.data?.found ?? [];
  const ok = cost.adds_up && check.data?.ok !== false;
  let text = cost.adds_up ? t.money.addsUp : t.money.addsUpNot;
  if (check.data) text = check.data.ok ? t.money.checked(dates.clock(check.data.checked_at)) : t.money.differs(found.length);
  return (
    <>
      <Group gap="sm" role="status">
        <Badge color={ok ? "green" : "red"} variant="light" tt="none" size="lg">
          {`${ok ? "✓ " : ""}${text}`}
        </Badge>
        {check.data && (
          <Text size="sm" c="dimmed">
            {t.money.checkedText(check.data.charges, check.data.days_again)}
          </Text>
        )}
        <Button variant="subtle" size="compact-sm" loading={check.isFetching} onClick={again}>
          {check.data ? t.money.checkAgain : t.money.check}
        </Button>
      </Group>
      <ErrorNote error={check.error} />
      {found.length > 0 && (
        <Alert color="red" title={t.money.differsText}>
          <List size="sm">
            {found.map((sentence) => (
              <List.Item key={sentence}>{sentence}</List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}
