import { Button, FileButton, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { Account } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { Section } from "../../ui/Section";
import { Face } from "./Face";
import { useChangeEmail, useEditAccount, usePicture, useRemovePicture } from "./queries";

/** Who one is: picture, name, and where letters go. */
export function You({ account }: { account: Account }) {
  return (
    <>
      <Picture account={account} />
      <About key={JSON.stringify([account.name, account.company, account.phone])} account={account} />
      <Email email={account.email} />
    </>
  );
}

const pictures = "image/png,image/jpeg,image/webp";

function Picture({ account }: { account: Account }) {
  const upload = usePicture();
  const remove = useRemovePicture();
  const [refused, setRefused] = useState<string>();
  const [over, setOver] = useState(false);
  const choose = (file: File | null | undefined): void => {
    if (!file) return;
    upload.reset();
    remove.reset();
    if (!pictures.split(",").includes(file.type)) setRefused(t.person.pictureType);
    else if (file.size > 2 << 20) setRefused(t.person.pictureSize);
    else {
      setRefused(undefined);
      upload.mutate(file);
    }
  };
  return (
    <Section title={t.person.picture} text={t.person.pictureText}>
      <Group
        className="drop"
        data-over={over || undefined}
        data-testid="picture"
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
        <Face name={account.name} url={account.picture_url} size={64} />
        <FileButton accept={pictures} onChange={choose} inputProps={{ "aria-label": t.person.pictureChoose }}>
          {(props) => (
            <Button {...props} variant="default" loading={upload.isPending}>
              {t.person.pictureChoose}
            </Button>
          )}
        </FileButton>
        {account.picture_url && (
          <Button variant="subtle" color="gray" loading={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: upload.reset })}>
            {t.person.pictureRemove}
          </Button>
        )}
        <Text size="sm" role="status">
          {upload.isSuccess ? t.person.pictureSaved : ""}
        </Text>
      </Group>
      {refused && (
        <Text size="sm" c="red" role="alert">
          {refused}
        </Text>
      )}
      <ErrorNote error={upload.error} />
      <ErrorNote error={remove.error} />
    </Section>
  );
}

function About({ account }: { account: Account }) {
  const [name, setName] = useState(account.name);
  const [company, setCompany] = useState(account.company ?? "");
  const [phone, setPhone] = useState(account.phone ?? "");
  const edit = useEditAccount();
  const about = (field: string) => (edit.error instanceof ApiError ? edit.error.about(field) : undefined);
  const same = name === account.name && company === (account.company ?? "") && phone === (account.phone ?? "");
  return (
    <Section title={t.person.about}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate({ name, company: company.trim() || null, phone: phone.trim() || null });
        }}
      >
        <Stack gap="md" maw={400}>
          <TextInput
            label={t.account.name}
            autoComplete="name"
            required
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={about("name")}
          />
          <TextInput
            label={t.person.company}
            autoComplete="organization"
            maxLength={100}
            value={company}
            onChange={(event) => setCompany(event.currentTarget.value)}
            error={about("company")}
          />
          <TextInput
            label={t.person.phone}
            type="tel"
            autoComplete="tel"
            maxLength={32}
            value={phone}
            onChange={(event) => setPhone(event.currentTarget.value)}
            error={about("phone")}
          />
          <ErrorNote error={edit.error} />
          <Group>
            <Button type="submit" loading={edit.isPending} disabled={same || name.trim() === ""}>
              {t.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

function Email({ email }: { email: string }) {
  const [open, setOpen] = useState(false);
  return (
    <Section title={t.person.email} text={t.person.emailText(email)}>
      <Group>
        <Button variant="default" onClick={() => setOpen(true)}>
          {t.person.emailChange}
        </Button>
      </Group>
      <Modal opened={open} onClose={() => setOpen(false)} title={t.person.emailTitle} centered>
        {open && <EmailForm close={() => setOpen(false)} />}
      </Modal>
    </Section>
  );
}

function EmailForm({ close }: { close: () => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const change = useChangeEmail();
  if (change.data)
    return (
      <Stack>
        <Text size="sm" role="status">
          {change.data}
        </Text>
        <Group justify="flex-end">
          <Button onClick={close}>{t.close}</Button>
        </Group>
      </Stack>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate({ email, password });
      }}
    >
      <Stack>
        <Text size="sm">{t.person.emailHint}</Text>
        <TextInput
          label={t.person.emailNew}
          type="email"
          autoComplete="email"
          required
          data-autofocus
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={change.error instanceof ApiError && change.error.about("email")}
        />
        <PasswordInput
          label={t.person.passwordCurrent}
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t.show }}
        />
        <ErrorNote error={change.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={change.isPending} disabled={!email || !password}>
            {t.person.emailSend}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
