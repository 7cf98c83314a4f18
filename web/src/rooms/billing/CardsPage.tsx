import { Button, Group, Modal, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { RateCard } from "../../api/types";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { tagText } from "../../ui/TagRows";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { centsText } from "./money";
import { cardsQuery, useRemoveCard } from "./queries";

/** The prices by which customers are billed. */
export function CardsPage() {
  return (
    <BillingPage
      title={t.billing.cards}
      text={t.billing.cardsText}
      actions={
        <ButtonLink to="/cost/cards/$cardId" params={{ cardId: "new" }}>
          {t.billing.cardAdd}
        </ButtonLink>
      }
    >
      <Cards />
    </BillingPage>
  );
}

function Cards() {
  const cards = useQuery(cardsQuery);
  const profiles = useQuery(profilesQuery).data;
  const remove = useRemoveCard();
  const [removing, setRemoving] = useState<RateCard>();
  const of = (card: RateCard): string =>
    card.tag ? t.billing.forTag(tagText(card.tag)) : (profiles?.find((row) => row.id === card.profile)?.name ?? t.billing.goneProfile);
  if (cards.isPending) return <Loading />;
  if (!cards.data) return <ErrorNote error={cards.error} retry={() => void cards.refetch()} />;
  if (cards.data.length === 0) return <Empty title={t.billing.noCards} text={t.billing.noCardsText} />;
  return (
    <Section title={t.billing.cards}>
      <Table verticalSpacing="xs" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.billing.cardName}</Table.Th>
            <Table.Th ta="right">{t.billing.cardFee}</Table.Th>
            <Table.Td />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {cards.data.map((card) => (
            <Table.Tr key={card.id}>
              <Table.Td>
                <TextLink size="sm" fw={500} to="/cost/cards/$cardId" params={{ cardId: card.id }}>
                  {card.name}
                </TextLink>
                <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                  {of(card)}
                </Text>
              </Table.Td>
              <Table.Td ta="right">{centsText(card.fee_cents, card.currency)}</Table.Td>
              <Table.Td ta="right">
                <Button
                  size="compact-sm"
                  variant="subtle"
                  color="red"
                  aria-label={t.billing.cardRemoveOf(card.name)}
                  onClick={() => setRemoving(card)}
                >
                  {t.tags.remove}
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Modal
        opened={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={t.billing.cardRemoveTitle(removing?.name ?? "")}
        centered
      >
        <Stack gap="md">
          <Text size="sm">{t.billing.cardRemoveText}</Text>
          <ErrorNote error={remove.variables === removing?.id ? remove.error : null} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(undefined)}>
              {t.cancel}
            </Button>
            <Button
              color="red"
              loading={remove.isPending}
              onClick={() => removing && remove.mutate(removing.id, { onSuccess: () => setRemoving(undefined) })}
            >
              {t.tags.remove}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Section>
  );
}
