import { Button, FileButton, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import type { ProfileInfo } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Logo } from "./Logo";
import { useLogo, useRemoveLogo } from "./queries";

const pictures = "image/png,image/jpeg,image/webp";

/** The logo of a profile: a picture is dropped on it, or chosen. */
export function LogoDrop({ info, disabled }: { info: ProfileInfo["info"]; disabled: boolean }) {
  const upload = useLogo(info.id);
  const remove = useRemoveLogo(info.id);
  const [refused, setRefused] = useState<string>();
  const [over, setOver] = useState(false);

  const choose = (file: File | null | undefined): void => {
    if (!file || disabled) return;
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
    <Stack gap="xs">
      <Group
        wrap="nowrap"
        p="sm"
        style={{ border: `1px dashed var(--mantine-color-${over ? "paddock-6" : "default-border"})`, borderRadius: 8 }}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(!disabled);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          choose(event.dataTransfer.files[0]);
        }}
      >
        <Logo name={info.name} url={info.logo_url} size={56} />
        <Stack gap={4}>
          <Group gap="xs">
            <FileButton accept={pictures} onChange={choose} disabled={disabled} inputProps={{ "aria-label": t.profiles.logoChoose }}>
              {(props) => (
                <Button {...props} size="compact-sm" variant="default" disabled={disabled} loading={upload.isPending}>
                  {t.profiles.logoChoose}
                </Button>
              )}
            </FileButton>
            {info.logo_url && (
              <Button
                size="compact-sm"
                variant="subtle"
                color="gray"
                disabled={disabled}
                loading={remove.isPending}
                onClick={() => {
                  upload.reset();
                  remove.mutate();
                }}
              >
                {t.profiles.logoRemove}
              </Button>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {t.profiles.logoHint}
          </Text>
        </Stack>
      </Group>
      <Text size="xs" role="status">
        {upload.isSuccess ? t.profiles.logoSaved : ""}
      </Text>
      {refused && (
        <Text size="sm" c="red" role="alert">
          {refused}
        </Text>
      )}
      <ErrorNote error={upload.error} />
      <ErrorNote error={remove.error} />
    </Stack>
  );
}
