import { Button, FileButton, Group, NumberInput, Radio, Select, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { Basis, RateCard, RateCardTerms, UnitPrice } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { profilesQuery } from "../profile/queries";
import { BillingPage } from "./BillingPage";
import { cardQuery, figureQuery, subscriptionQuery, useSaveCard } from "./queries";

const route = getRouteApi("/_in/cost/cards/$cardId");

/** One rate card, or a new one. */
export function CardPage() {
  const { cardId } = route.useParams();
  return (
    <BillingPage title={cardId === "new" ? t.billing.cardAdd : t.billing.card}>
      {cardId === "new" ? <NewCard /> : <OldCard key={cardId} id={cardId} />}
    </BillingPage>
  );
}

function NewCard() {
  const subscription = useQuery(subscriptionQuery);
  const figure = useQuery(figureQuery);
  if (subscription.isPending || figure.isPending) return <Loading />;
  const error = subscription.error ?? figure.error;
  if (error) return <ErrorNote error={error} />;
  return <Form />;
}

function OldCard({ id }: { id: string }) {
  const card = useQuery(cardQuery(id));
  if (card.isPending) return <Loading />;
  if (!card.data) return <ErrorNote error={card.error} retry={() => void card.refetch()} />;
  return <Form card={card.data} />;
}

/** What NumberInput holds: a number, or text that is none yet. */
type Typed = number | string;

interface PriceRow {
  price: Typed;
  per: Typed;
  included: Typed;
}

const rowOf = (price: UnitPrice | undefined): PriceRow =>
  price ? { price: price.price_micro / 1e6, per: price.per, included: price.included } : { price: "", per: 1, included: 0 };

function Form({ card }: { card?: RateCard }) {
  const navigate = useNavigate();
  const save = useSaveCard(card?.id);
  const own = useQuery(profilesQuery).data?.filter((row) => !row.from_share) ?? [];
  const figure = useQuery(figureQuery).data?.currency;
  const currency = useQuery(subscriptionQuery).data?.currency ?? "";
  const [words, setWords] = useState({
    name: card?.name ?? "",
    currency: (card?.currency ?? figure ?? currency).toUpperCase(),
    tax_text: card?.tax_text ?? "",
    customer_reference: card?.customer_reference ?? "",
    customer_name: card?.customer_name ?? "",
    customer_address: card?.customer_address ?? "",
    sender: card?.sender ?? "",
    notes: card?.notes ?? "",
  });
  const [kind, setKind] = useState<"profile" | "tag">(card?.tag ? "tag" : "profile");
  const [profile, setProfile] = useState(card?.profile ?? (own.length === 1 ? (own[0]?.id ?? null) : null));
  const [tag, setTag] = useState(card?.tag ?? { key: "", value: "" });
  const [fee, setFee] = useState<Typed>((card?.fee_cents ?? 0) / 100);
  const [tax, setTax] = useState<Typed>((card?.tax_bp ?? 0) / 100);
  const [prices, setPrices] = useState<Record<string, PriceRow>>(() =>
    Object.fromEntries(Object.keys(t.usage.services).map((service) => [service, rowOf(card?.services[service])])),
  );
  const [markup, setMarkup] = useState<Typed>(card?.markup ? card.markup.bp / 100 : "");
  const [basis, setBasis] = useState<Basis>(card?.markup?.basis ?? "use");
  const [logo, setLogo] = useState(card?.logo ?? null);
  const about = (field: string) => (save.error instanceof ApiError ? save.error.about(field) : undefined);

  const submit = (): void => {
    const services: Record<string, UnitPrice> = {};
    for (const [service, row] of Object.entries(prices))
      if (row.price !== "")
        services[service] = { price_micro: Math.round(Number(row.price) * 1e6), per: Number(row.per) || 1, included: Number(row.included) || 0 };
    const terms: RateCardTerms = {
      ...words,
      name: words.name.trim(),
      profile: kind === "profile" ? profile : null,
      tag: kind === "tag" ? { key: tag.key.trim(), value: tag.value.trim() } : null,
      fee_cents: Math.round(Number(fee) * 100),
      tax_bp: Math.round(Number(tax) * 100),
      services,
      markup: markup === "" ? null : { bp: Math.round(Number(markup) * 100), basis },
      logo,
    };
    save.mutate(terms, { onSuccess: () => void navigate({ to: "/cost/cards" }) });
  };
  const field = (name: keyof typeof words, label: string, more: { maxLength: number; required?: boolean; description?: string; placeholder?: string }) => (
    <TextInput
      label={label}
      value={words[name]}
      onChange={(event) => setWords({ ...words, [name]: event.currentTarget.value })}
      error={about(name)}
      {...more}
    />
  );
  const prose = (name: keyof typeof words, label: string, description?: string) => (
    <Textarea
      label={label}
      description={description}
      autosize
      minRows={2}
      maxLength={2000}
      value={words[name]}
      onChange={(event) => setWords({ ...words, [name]: event.currentTarget.value })}
      error={about(name)}
    />
  );

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack gap="lg">
        <Section title={t.billing.cardFor}>
          <Stack gap="sm" maw={480}>
            {field("name", t.billing.cardName, { maxLength: 100, required: true, placeholder: t.billing.cardPlaceholder })}
            <Radio.Group label={t.billing.cardKind} value={kind} onChange={(value) => setKind(value as "profile" | "tag")}>
              <Group mt={4}>
                <Radio value="profile" label={t.billing.cardOne} />
                <Radio value="tag" label={t.billing.cardTagged} />
              </Group>
            </Radio.Group>
            {kind === "profile" ? (
              <Select
                label={t.billing.groups.profile}
                required
                searchable
                value={profile}
                data={own.map((row) => ({ value: row.id, label: row.name }))}
                onChange={setProfile}
                error={about("profile")}
              />
            ) : (
              <Group gap={6} wrap="nowrap" align="flex-start">
                <TextInput
                  label={t.tags.key}
                  flex={1}
                  required
                  value={tag.key}
                  maxLength={100}
                  onChange={(event) => setTag({ ...tag, key: event.currentTarget.value })}
                  error={about("tag.key") ?? about("tag")}
                />
                <TextInput
                  label={t.tags.value}
                  flex={1}
                  value={tag.value}
                  maxLength={1000}
                  onChange={(event) => setTag({ ...tag, value: event.currentTarget.value })}
                  error={about("tag.value")}
                />
              </Group>
            )}
          </Stack>
        </Section>

        <Section title={t.billing.cardPrices} text={t.billing.cardPricesText}>
          <Stack gap="md">
            <Group align="flex-start" gap="sm">
              <TextInput
                label={t.billing.currency}
                w={100}
                required
                maxLength={3}
                value={words.currency}
                onChange={(event) => setWords({ ...words, currency: event.currentTarget.value.toUpperCase() })}
                error={about("currency")}
              />
              <NumberInput label={t.billing.cardFeeMonth} w={160} min={0} decimalScale={2} fixedDecimalScale hideControls value={fee} onChange={setFee} error={about("fee_cents")} />
            </Group>
            <Table verticalSpacing={4} horizontalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th visibleFrom="xs">{t.usage.service}</Table.Th>
                  <Table.Th>{t.billing.price}</Table.Th>
                  <Table.Th>{t.billing.per}</Table.Th>
                  <Table.Th>{t.billing.included}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              {Object.entries(prices).map(([service, row]) => {
                const set = (part: Partial<PriceRow>) => setPrices({ ...prices, [service]: { ...row, ...part } });
                const name = t.usage.services[service] ?? service;
                return (
                  <Table.Tbody key={service}>
                    <Table.Tr hiddenFrom="xs">
                      <Table.Td colSpan={3} pb={0} fw={500} aria-hidden="true">
                        {name}
                      </Table.Td>
                    </Table.Tr>
                    <Table.Tr>
                      <Table.Th scope="row" fw={500} visibleFrom="xs">
                        {name}
                      </Table.Th>
                      <Table.Td>
                        <NumberInput
                          size="xs"
                          aria-label={`${name}: ${t.billing.price}`}
                          min={0}
                          decimalScale={6}
                          hideControls
                          placeholder={t.billing.noPrice}
                          value={row.price}
                          onChange={(price) => set({ price })}
                          error={about(`services.${service}.price_micro`)}
                        />
                      </Table.Td>
                      <Table.Td>
                        <NumberInput
                          size="xs"
                          aria-label={`${name}: ${t.billing.per}`}
                          min={1}
                          allowDecimal={false}
                          hideControls
                          thousandSeparator
                          value={row.per}
                          onChange={(per) => set({ per })}
                          error={about(`services.${service}.per`)}
                        />
                      </Table.Td>
                      <Table.Td>
                        <NumberInput
                          size="xs"
                          aria-label={`${name}: ${t.billing.included}`}
                          min={0}
                          allowDecimal={false}
                          hideControls
                          thousandSeparator
                          value={row.included}
                          onChange={(included) => set({ included })}
                          error={about(`services.${service}.included`)}
                        />
                      </Table.Td>
                    </Table.Tr>
                  </Table.Tbody>
                );
              })}
            </Table>
            <Group align="flex-start" gap="sm">
              <NumberInput
                label={t.billing.markup}
                description={t.billing.markupHint}
                w={260}
                min={0}
                max={10_000}
                decimalScale={2}
                hideControls
                suffix=" %"
                value={markup}
                onChange={setMarkup}
                error={about("markup.bp")}
              />
              {markup !== "" && (
                <Select
                  label={t.billing.basis}
                  description={t.billing.markupBasis}
                  w={220}
                  allowDeselect={false}
                  value={basis}
                  data={(["use", "allocation"] as const).map((value) => ({ value, label: t.billing.bases[value] }))}
                  onChange={(value) => setBasis(value as Basis)}
                />
              )}
            </Group>
            <Group align="flex-start" gap="sm">
              <NumberInput label={t.billing.tax} w={100} min={0} max={100} decimalScale={2} hideControls suffix=" %" value={tax} onChange={setTax} error={about("tax_bp")} />
              {field("tax_text", t.billing.taxText, { maxLength: 200, placeholder: t.billing.taxPlaceholder })}
            </Group>
          </Stack>
        </Section>

        <Section title={t.billing.paper} text={t.billing.paperText}>
          <Stack gap="sm" maw={480}>
            {field("customer_name", t.billing.customer, { maxLength: 200 })}
            {prose("customer_address", t.billing.address)}
            {field("customer_reference", t.billing.reference, { maxLength: 200 })}
            {prose("sender", t.billing.sender, t.billing.senderHint)}
            {prose("notes", t.billing.notes)}
            <Logo logo={logo} onChange={setLogo} refused={about("logo")} />
          </Stack>
        </Section>

        <ErrorNote error={save.error} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={words.name.trim() === "" || (kind === "profile" ? !profile : tag.key.trim() === "")}>
            {t.save}
          </Button>
          <ButtonLink to="/cost/cards" variant="default">
            {t.cancel}
          </ButtonLink>
        </Group>
      </Stack>
    </form>
  );
}

const pictures = "image/png,image/jpeg,image/webp";
const largest = 256 << 10;

/** No logo, the picture of the profile, or one of the card's own. */
function Logo({ logo, onChange, refused }: { logo: string | null; onChange: (logo: string | null) => void; refused: string | undefined }) {
  const [problem, setProblem] = useState<string>();
  const own = logo !== null && logo !== "profile";
  const choose = (file: File | null): void => {
    if (!file) return;
    if (!pictures.split(",").includes(file.type)) return setProblem(t.profiles.logoType);
    if (file.size > largest) return setProblem(t.billing.logoSize);
    setProblem(undefined);
    const reader = new FileReader();
    reader.onload = () => onChange(String(reader.result));
    reader.readAsDataURL(file);
  };
  return (
    <Stack gap={6}>
      <Radio.Group label={t.profiles.logo} value={own ? "own" : (logo ?? "none")} onChange={(value) => value !== "own" && onChange(value === "none" ? null : value)}>
        <Stack gap="xs" mt={4}>
          <Radio value="none" label={t.billing.logoNone} />
          <Radio value="profile" label={t.billing.logoProfile} />
          {own && <Radio value="own" label={t.billing.logoOwn} />}
        </Stack>
      </Radio.Group>
      <Group>
        <FileButton accept={pictures} onChange={choose} inputProps={{ "aria-label": t.profiles.logoChoose }}>
          {(props) => (
            <Button {...props} size="compact-sm" variant="default">
              {t.profiles.logoChoose}
            </Button>
          )}
        </FileButton>
        {own && <img src={logo} alt={t.profiles.logo} style={{ maxHeight: 40, maxWidth: 160 }} />}
      </Group>
      {(problem ?? refused) && (
        <Text size="sm" c="red" role="alert">
          {problem ?? refused}
        </Text>
      )}
    </Stack>
  );
}
