import { Alert, Anchor, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { sumsText } from "./money";
import { subscriptionQuery } from "./queries";

/** What was not paid in time, and what that means; nothing when there is none. */
export function PastDue() {
  const due = useQuery(subscriptionQuery).data?.past_due;
  if (!due || due.amounts.length === 0) return null;
  return (
    <Alert color="red" title={t.billing.pastDue(sumsText(due.amounts))}>
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{t.billing.overdueText}</Text>
        <Anchor size="sm" c="inherit" underline="always" href={due.invoice_url} target="_blank" rel="noreferrer">
          {t.billing.toInvoice}
        </Anchor>
      </Stack>
    </Alert>
  );
}
