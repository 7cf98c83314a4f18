import { Alert, Button, Group, Modal, NativeSelect, Radio, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { MadeToken } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { Prove } from "../account/Prove";
import { type Trial, useMakeToken, useTryToken } from "./queries";

interface Props {
  profileId: string;
  opened: boolean;
  close: () => void;
}

/** Makes a token, shows it once and tries it. */
export function Generate({ profileId, opened, close }: Props) {
  return (
    <Modal opened={opened} onClose={close} title={t.tokens.generateTitle} centered size="lg" closeOnClickOutside={false}>
      <Steps profileId={profileId} close={close} />
    </Modal>
  );
}

function Steps({ profileId, close }: Omit<Props, "opened">) {
  const make = useMakeToken(profileId);
  const [name, setName] = useState("");
  const [permission, setPermission] = useState("full");
  const [expires, setExpires] = useState("1 month");
  const [reach, setReach] = useState("profile");
  const about = (field: string) => (make.error instanceof ApiError ? make.error.about(field) : undefined);
  if (make.data) return <Made profileId={profileId} made={make.data} close={close} />;
  return (
    <Prove
      action={t.tokens.generate}
      running={make}
      disabled={name.trim() === ""}
      cancel={close}
      submit={(proof, failed) =>
        make.mutate({ name: name.trim(), permission, reach, expire_time: expires, ...proof }, { onError: failed })
      }
    >
      <TextInput
        label={t.tokens.name}
        placeholder={t.tokens.namePlaceholder}
        name="token-name"
        required
        autoComplete="off"
        data-autofocus
        maxLength={100}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        error={about("name")}
      />
      <Group grow align="flex-start" preventGrowOverflow={false} wrap="wrap">
        <NativeSelect
          label={t.tokens.permission}
          description={t.tokens.permissionHints[permission]}
          miw={200}
          data={["full", "read", "write"].map((value) => ({ value, label: t.tokens.permissions[value] ?? value }))}
          value={permission}
          onChange={(event) => setPermission(event.currentTarget.value)}
          inputWrapperOrder={["label", "input", "description", "error"]}
        />
        <NativeSelect
          label={t.tokens.expires}
          miw={200}
          data={Object.entries(t.tokens.expirations).map(([value, label]) => ({ value, label }))}
          value={expires}
          onChange={(event) => setExpires(event.currentTarget.value)}
          error={about("expire_time")}
        />
      </Group>
      <Radio.Group label={t.tokens.reach} value={reach} onChange={setReach}>
        <Stack gap="xs" mt={6}>
          {["profile", "account"].map((value) => (
            <Radio key={value} value={value} label={t.tokens.reaches[value]} description={t.tokens.reachHints[value]} />
          ))}
        </Stack>
      </Radio.Group>
    </Prove>
  );
}

function Made({ profileId, made, close }: { profileId: string; made: MadeToken; close: () => void }) {
  const trial = useTryToken(profileId);
  return (
    <Stack>
      <Text fw={600}>{t.tokens.made(made.name)}</Text>
      <Text size="sm">{t.tokens.once}</Text>
      <Group gap="xs" wrap="nowrap" align="flex-start">
        <pre className="snippet" aria-label={t.tokens.title} style={{ flex: 1 }}>
          {made.token}
        </pre>
        <CopyButton value={made.token} label={t.tokens.copy} size="sm" />
      </Group>
      <div role="status">
        {trial.data && (
          <Alert color="paddock" title={t.tokens.works}>
            {reached(trial.data)}
          </Alert>
        )}
      </div>
      <ErrorNote error={trial.error} />
      <Group justify="space-between">
        <Button variant="default" loading={trial.isPending} onClick={() => trial.mutate(made)} title={t.tokens.testing}>
          {t.tokens.test}
        </Button>
        <Button onClick={close}>{t.tokens.done}</Button>
      </Group>
    </Stack>
  );
}

/** Which profiles a token reaches, in one sentence. */
function reached({ profiles }: Trial): string {
  if (profiles === null) return t.tokens.reachesThis;
  if (profiles.length === 1) return t.tokens.reachesOne(profiles[0] ?? "");
  const named = profiles.slice(0, 3).join(", ");
  return t.tokens.reachesMany(profiles.length, profiles.length > 3 ? `${named} ${t.tokens.more(profiles.length - 3)}` : named);
}
