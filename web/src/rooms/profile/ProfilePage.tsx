import { Alert, Button, FileButton, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { ProfileInfo, ProfileSummary } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { count } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { summaryQuery } from "../usage/queries";
import { ServicesTable } from "../usage/ServicesTable";
import { Logo } from "./Logo";
import { profileQuery, useDeleteProfile, useLogo, useRemoveLogo, useRename } from "./queries";

const route = getRouteApi("/_in/p/$profileId/profile");

/** Name, logo, services and the end of one profile. */
export function ProfilePage() {
  const { profileId } = route.useParams();
  const profile = useQuery(profileQuery(profileId));
  if (profile.isPending) return <Loading />;
  if (!profile.data) return <ErrorNote error={profile.error} retry={() => void profile.refetch()} />;
  const info = profile.data.info;
  return (
    <Page title={t.profiles.settings} profile={info.name}>
      {info.paused && (
        <Alert color="yellow" title={t.profiles.pausedTitle}>
          {t.profiles.pausedText(info.pause_reason ?? "")}
        </Alert>
      )}
      <Name key={`name ${profileId}`} info={info} />
      <LogoCard key={`logo ${profileId}`} info={info} />
      <Section title={t.usage.title} text={t.usage.refresh}>
        <ServicesTable profile={profileId} />
      </Section>
      <Delete info={info} />
    </Page>
  );
}

type Info = ProfileInfo["info"];

function Name({ info }: { info: Info }) {
  const [name, setName] = useState(info.name);
  const rename = useRename(info.id);
  return (
    <Section title={t.profiles.nameCard}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          rename.mutate(name.trim());
        }}
      >
        <Stack gap="sm" maw={480}>
          <TextInput
            label={t.profiles.addName}
            name="name"
            required
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={rename.error instanceof ApiError ? rename.error.about("name") : undefined}
          />
          <ErrorNote error={rename.error} />
          <Group>
            <Button type="submit" loading={rename.isPending} disabled={name.trim() === info.name || name.trim() === ""}>
              {t.profiles.rename}
            </Button>
            <Text size="sm" role="status">
              {rename.isSuccess ? t.profiles.renamed : ""}
            </Text>
          </Group>
        </Stack>
      </form>
      <Group gap="xs">
        <Text size="sm" c="dimmed">
          {t.profiles.id}
        </Text>
        <Text size="sm" className="mono">
          {info.id}
        </Text>
        <CopyButton value={info.id} label={`${t.copy}: ${t.profiles.id}`} size="compact-xs" />
      </Group>
      <Text size="xs" c="dimmed">
        {t.profiles.idHint}
      </Text>
    </Section>
  );
}

const pictures = "image/png,image/jpeg,image/webp";

function LogoCard({ info }: { info: Info }) {
  const upload = useLogo(info.id);
  const remove = useRemoveLogo(info.id);
  const [refused, setRefused] = useState<string>();
  const [over, setOver] = useState(false);

  const choose = (file: File | null | undefined): void => {
    if (!file) return;
    upload.reset();
    remove.reset();
    if (!pictures.split(",").includes(file.type)) setRefused(t.profiles.logoType);
    else if (file.size > 2 << 20) setRefused(t.profiles.logoSize);
    else {
      setRefused(undefined);
      upload.mutate(file);
    }
  };

  return (
    <Section title={t.profiles.logo} text={t.profiles.logoHint}>
      <Group
        p="sm"
        style={{
          border: `1px dashed var(--mantine-color-${over ? "paddock-6" : "default-border"})`,
          borderRadius: 8,
        }}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          choose(event.dataTransfer.files[0]);
        }}
      >
        <Logo name={info.name} url={info.logo_url} size={64} />
        <FileButton accept={pictures} onChange={choose} inputProps={{ "aria-label": t.profiles.logoChoose }}>
          {(props) => (
            <Button {...props} variant="default" loading={upload.isPending}>
              {t.profiles.logoChoose}
            </Button>
          )}
        </FileButton>
        {info.logo_url && (
          <Button
            variant="subtle"
            color="gray"
            loading={remove.isPending}
            onClick={() => {
              upload.reset();
              remove.mutate();
            }}
          >
            {t.profiles.logoRemove}
          </Button>
        )}
        <Text size="sm" role="status">
          {upload.isSuccess ? t.profiles.logoSaved : ""}
        </Text>
      </Group>
      {refused && (
        <Text size="sm" c="red" role="alert">
          {refused}
        </Text>
      )}
      <ErrorNote error={upload.error ?? remove.error} />
    </Section>
  );
}

function Delete({ info }: { info: Info }) {
  const [opened, setOpened] = useState(false);
  return (
    <Section title={t.profiles.deleteCard} text={t.profiles.deleteText}>
      <Group>
        <Button color="red" variant="outline" onClick={() => setOpened(true)}>
          {t.profiles.deleteButton}
        </Button>
      </Group>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.profiles.deleteTitle(info.name)} centered>
        <DeleteForm info={info} cancel={() => setOpened(false)} />
      </Modal>
    </Section>
  );
}

function DeleteForm({ info, cancel }: { info: Info; cancel: () => void }) {
  const summary = useQuery(summaryQuery(info.id)).data;
  const remove = useDeleteProfile(info.id);
  const [typed, setTyped] = useState("");
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        remove.mutate(password);
      }}
    >
      <Stack>
        <Text size="sm">
          {summary
            ? loss(summary)
            : t.profiles.deleteText}
        </Text>
        <TextInput
          label={t.profiles.deleteType(info.name)}
          autoComplete="off"
          data-autofocus
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <PasswordInput
          label={t.profiles.deletePassword}
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        <ErrorNote error={remove.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t.cancel}
          </Button>
          <Button type="submit" color="red" disabled={typed !== info.name || !password} loading={remove.isPending}>
            {t.profiles.deleteConfirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** What goes with a profile, in one sentence. */
function loss(summary: ProfileSummary): string {
  const points = summary.limit_used.data_records ?? 0;
  return t.profiles.deleteLoss(summary.amount.device ?? 0, points, count(points));
}
