import { Badge, Card, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink, TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { AllProfiles } from "../overview/AllProfiles";
import { Offered } from "../transfer/Offered";
import { DeletedProfiles } from "./DeletedProfiles";
import { Guest, useGuest } from "./Guest";
import { Logo } from "./Logo";
import { profilesQuery } from "./queries";

/** All profiles one may enter, with how each is: the landing page above one. */
export function ProfilesPage() {
  const profiles = useQuery(profilesQuery);
  const guest = useGuest();
  const rows = profiles.data?.filter((row) => !row.look) ?? [];
  const looks = profiles.data?.filter((row) => row.look) ?? [];
  return (
    <Page title={t.overview.title} actions={guest === false && <Actions add={rows.length > 1} />}>
      <Offered />
      {profiles.isPending && <Loading />}
      <ErrorNote error={profiles.error} retry={() => void profiles.refetch()} />
      {rows.length > 0 && <AllProfiles />}
      {looks.map((row) => (
        <Card key={row.id} withBorder padding="sm" pos="relative">
          <Group wrap="nowrap" gap="sm">
            <Logo name={row.name} url={row.logo_url} size={32} />
            <TextLink to="/p/$profileId" params={{ profileId: row.id }} className="covering" fw={600} c="inherit" truncate flex={1}>
              {row.name}
            </TextLink>
            <Text size="sm" c="dimmed" truncate>
              {row.look?.owner}
            </Text>
            <Badge color="gray" variant="light" tt="none" miw="max-content">
              {t.support.look.badge}
            </Badge>
          </Group>
        </Card>
      ))}
      {guest === false && rows.length <= 1 && (
        <Empty title={t.overview.empty} text={t.overview.emptyText}>
          <ButtonLink to="/profiles/add">{t.switcher.add}</ButtonLink>
        </Empty>
      )}
      <DeletedProfiles />
      {guest && <Guest />}
    </Page>
  );
}

function Actions({ add }: { add: boolean }) {
  return (
    <Group gap="xs">
      <ButtonLink to="/profiles/import" variant="default">
        {t.import.title}
      </ButtonLink>
      {add && <ButtonLink to="/profiles/add">{t.switcher.add}</ButtonLink>}
    </Group>
  );
}
