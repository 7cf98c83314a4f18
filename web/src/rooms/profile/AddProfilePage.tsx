import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { ServicesTable } from "../usage/ServicesTable";
import { useAddProfile } from "./queries";

/** Makes a profile and says what it was given. */
export function AddProfilePage() {
  const [name, setName] = useState("");
  const add = useAddProfile();
  if (add.isSuccess) {
    const profileId = add.data.id;
    return (
      <Page title={t.profiles.added(add.variables)} profile={add.variables}>
        <Section title={t.usage.title} text={t.profiles.addedText}>
          <ServicesTable profile={profileId} />
        </Section>
        <Group>
          <ButtonLink to="/p/$profileId/devices/add" params={{ profileId }}>
            {t.profiles.addedDevice}
          </ButtonLink>
          <ButtonLink variant="default" to="/p/$profileId/devices" params={{ profileId }}>
            {t.profiles.addedOpen}
          </ButtonLink>
          <Button
            variant="subtle"
            onClick={() => {
              setName("");
              add.reset();
            }}
          >
            {t.profiles.addedAnother}
          </Button>
        </Group>
      </Page>
    );
  }
  return (
    <Page title={t.profiles.addTitle} text={t.profiles.addText}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate(name.trim());
        }}
      >
        <Stack maw={440}>
          <TextInput
            label={t.profiles.addName}
            placeholder={t.profiles.addPlaceholder}
            name="name"
            required
            data-autofocus
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={add.error instanceof ApiError ? add.error.about("name") : undefined}
          />
          <ErrorNote error={add.error} />
          <Group>
            <Button type="submit" loading={add.isPending}>
              {t.profiles.addButton}
            </Button>
            <ButtonLink variant="default" to="/profiles">
              {t.cancel}
            </ButtonLink>
          </Group>
        </Stack>
      </form>
    </Page>
  );
}
