import { Card, Group, Radio, Select, SimpleGrid, Stack, Table, Text, TextInput, Title, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { ProfilePreview, Tag } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { amount } from "../../ui/format";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { filled, TagRows } from "../../ui/TagRows";
import { statusQuery } from "../account/session";
import { Colors } from "./Colors";
import { FirstDevice } from "./FirstDevice";
import { Guest, useGuest } from "./Guest";
import { type NewProfile, previewQuery, profilesQuery, type Start, useAddProfile } from "./queries";

/** Makes a profile: what it takes is shown before, and it ends with a device that can send. */
export function AddProfilePage() {
  const [round, setRound] = useState(0);
  return <Adding key={round} again={() => setRound(round + 1)} />;
}

function Adding({ again }: { again: () => void }) {
  const add = useAddProfile();
  const guest = useGuest();
  const closed = useQuery(statusQuery).data?.signup === "closed";
  if (add.isSuccess) return <FirstDevice profileId={add.data.id} name={add.variables.name} undressed={add.data.undressed} again={again} />;
  if (guest && closed)
    return (
      <Page title={t.profiles.addTitle}>
        <Guest />
      </Page>
    );
  return (
    <Page title={t.profiles.addTitle} text={t.profiles.addText}>
      <Form running={add} submit={add.mutate} />
    </Page>
  );
}

interface FormProps {
  running: { isPending: boolean; error: unknown };
  submit: (profile: NewProfile) => void;
}

function Form({ running, submit }: FormProps) {
  const own = useQuery(profilesQuery).data?.filter((row) => row.role === "owner") ?? [];
  const [name, setName] = useState("");
  const [how, setHow] = useState<"share" | "free" | "like">("share");
  const [like, setLike] = useState<string | null>(null);
  const [color, setColor] = useState<string | null>(null);
  const [tags, setTags] = useState<Tag[]>([]);
  const start: Start = how !== "like" ? how : like === null ? "share" : { like };
  const preview = useQuery(previewQuery(start));
  const limited = preview.data?.some((row) => row.pool !== null) ?? true;
  const named = running.error instanceof ApiError ? running.error.about("name") : undefined;
  const choices = limited ? (["share", "free", "like"] as const) : (["share", "like"] as const);
  const word = (choice: "share" | "free" | "like") => (choice === "share" && !limited ? "none" : choice);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit({ name: name.trim(), start, color, tags: filled(tags) });
      }}
    >
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl" verticalSpacing="lg">
        <Stack gap="lg">
          <TextInput
            label={t.profiles.addName}
            placeholder={t.profiles.addPlaceholder}
            name="name"
            required
            data-autofocus
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={named}
          />
          {own.length > 0 && (
            <Radio.Group label={t.settings.start} value={how} onChange={(value) => setHow(value as typeof how)}>
              <Stack gap="sm" mt="xs">
                {choices.map((choice) => (
                  <Radio
                    key={choice}
                    value={choice}
                    label={t.settings.startWith[word(choice)]}
                    description={t.settings.startHints[word(choice)]}
                  />
                ))}
              </Stack>
            </Radio.Group>
          )}
          {how === "like" && (
            <Select
              label={t.settings.likeWhich}
              searchable
              required
              nothingFoundMessage={t.settings.likeNothing}
              data={own.map((row) => ({ value: row.id, label: row.name }))}
              limit={50}
              value={like}
              onChange={setLike}
            />
          )}
          <Colors value={color} onChange={setColor} />
          <TagRows label={t.tags.title} description={t.tags.ofProfile} rows={tags} onChange={setTags} />
          <ErrorNote error={running.error} />
          <Group>
            <Button
              type="submit"
              loading={running.isPending}
              disabled={name.trim() === "" || preview.isError || (how === "like" && like === null)}
            >
              {t.profiles.addButton}
            </Button>
            <ButtonLink variant="default" to="/profiles">
              {t.cancel}
            </ButtonLink>
          </Group>
        </Stack>
        <Card withBorder component="section" padding="lg" style={{ alignSelf: "start" }} aria-label={t.settings.takes}>
          <Stack gap="sm">
            <Title order={2} size="h4">
              {t.settings.takes}
            </Title>
            {preview.isPending && <Loading />}
            <ErrorNote error={preview.error} retry={() => void preview.refetch()} />
            {preview.data && !preview.error && <Takes rows={preview.data} first={own.length === 0} names={new Map(own.map((row) => [row.id, row.name]))} />}
          </Stack>
        </Card>
      </SimpleGrid>
    </form>
  );
}

/** What the new profile would have, and who gives it. */
function Takes({ rows, first, names }: { rows: ProfilePreview[]; first: boolean; names: Map<string, string> }) {
  const limited = rows.filter((row) => row.pool !== null);
  if (first || limited.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {first ? t.settings.firstGets : t.settings.takesNothing}
      </Text>
    );
  const given = ({ service, from }: ProfilePreview): string => {
    const [one, ...more] = from;
    if (!one) return "";
    const sum = amount(from.reduce((total, giver) => total + giver.amount, 0));
    const only = names.get(one.profile);
    return more.length > 0 || only === undefined ? t.settings.givenByMany(sum, from.length) : t.settings.givenBy(sum, only || service);
  };
  return (
    <>
      <Text size="sm" c="dimmed">
        {t.settings.takesText}
      </Text>
      <Table verticalSpacing={6} horizontalSpacing={0} withRowBorders={false} tabularNums>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.usage.service}</Table.Th>
            <Table.Th ta="right">{t.settings.gets}</Table.Th>
            <Table.Th ta="right" pl="md">
              {t.settings.left}
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {limited.map((row) => (
            <Table.Tr key={row.service}>
              <Table.Th scope="row" fw={400} style={{ verticalAlign: "top" }}>
                {t.usage.services[row.service] ?? row.service}
                <Text size="xs" c="dimmed">
                  {given(row)}
                </Text>
              </Table.Th>
              <Table.Td ta="right" fw={600} style={{ verticalAlign: "top" }}>
                {amount(row.gets)}
              </Table.Td>
              <Table.Td ta="right" pl="md" style={{ verticalAlign: "top" }}>
                {amount(row.left ?? 0)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}
