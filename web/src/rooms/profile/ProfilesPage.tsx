import { Badge, Card, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Logo } from "./Logo";
import { profilesQuery } from "./queries";

/** All profiles one may enter: the landing page above one. */
export function ProfilesPage() {
  const profiles = useQuery(profilesQuery);
  const add = <ButtonLink to="/profiles/add">{t.switcher.add}</ButtonLink>;
  return (
    <Page title={t.profiles.title} text={t.profiles.text} actions={profiles.data?.length ? add : undefined}>
      {profiles.isPending && <Loading />}
      <ErrorNote error={profiles.error} retry={() => void profiles.refetch()} />
      {profiles.data?.length === 0 && (
        <Empty title={t.profiles.empty} text={t.profiles.emptyText}>
          {add}
        </Empty>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, md: 3 }}>
        {profiles.data?.map((row) => (
          <Card key={row.id} withBorder padding="md" pos="relative">
            <Group wrap="nowrap">
              <Logo name={row.name} url={row.logo_url} size={40} />
              <Stack gap={2} miw={0} flex={1}>
                <TextLink
                  to="/p/$profileId/devices"
                  params={{ profileId: row.id }}
                  className="covering"
                  fw={600}
                  c="inherit"
                  truncate
                >
                  {row.name}
                </TextLink>
                <Text size="xs" c="dimmed" className="mono" truncate>
                  {row.id}
                </Text>
              </Stack>
              {row.paused && (
                <Badge color="yellow" variant="light">
                  {t.profiles.paused}
                </Badge>
              )}
            </Group>
          </Card>
        ))}
      </SimpleGrid>
    </Page>
  );
}
