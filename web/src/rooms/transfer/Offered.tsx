import { Alert, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { TextLink } from "../../ui/links";
import { offeredQuery } from "./queries";

/** What others want to hand over to whoever looks: nothing, as a rule. */
export function Offered() {
  const offers = useQuery(offeredQuery).data ?? [];
  return offers.map((row) => (
    <Alert key={row.id} variant="light" role="status">
      <Text size="sm">
        {t.transfer.offered(row.from.name || row.from.email, row.profile.name)}{" "}
        <TextLink to="/transfer/$transferId" params={{ transferId: row.id }} size="sm">
          {t.transfer.open}
        </TextLink>
      </Text>
    </Alert>
  ));
}
