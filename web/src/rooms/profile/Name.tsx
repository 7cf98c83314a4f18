import { Button, Group, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { ProfileInfo } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { focused } from "../../ui/focus";
import { useEditProfile } from "./queries";

/** The name of a profile, changed where it stands: Enter keeps it, Escape does not. */
export function Name({ info, disabled }: { info: ProfileInfo["info"]; disabled: boolean }) {
  const [typed, setTyped] = useState<string>();
  const rename = useEditProfile(info.id);
  const end = () => {
    setTyped(undefined);
    rename.reset();
  };
  if (typed === undefined)
    return (
      <Group gap="xs" wrap="nowrap">
        <Title order={2} size="h3" style={{ overflowWrap: "anywhere" }}>
          {info.name}
        </Title>
        <Button size="compact-sm" variant="subtle" disabled={disabled} onClick={() => setTyped(info.name)}>
          {t.settings.rename}
        </Button>
      </Group>
    );
  const named = rename.error instanceof ApiError ? rename.error.about("name") : undefined;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (typed.trim() === info.name) end();
        else rename.mutate({ name: typed.trim() }, { onSuccess: end });
      }}
    >
      <Group gap="xs" align="flex-start">
        <TextInput
          aria-label={t.settings.name}
          name="name"
          required
          ref={focused}
          maxLength={100}
          flex={1}
          miw={160}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") end();
          }}
          error={named}
        />
        <Button type="submit" loading={rename.isPending} disabled={typed.trim() === ""}>
          {t.settings.keepName}
        </Button>
        <Button variant="default" onClick={end}>
          {t.cancel}
        </Button>
      </Group>
      <ErrorNote error={rename.error} />
    </form>
  );
}
