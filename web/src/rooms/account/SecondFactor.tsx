import { Alert, Badge, Button, Group, Image, Modal, PasswordInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../../api/client";
import type { FactorSetup, FactorState, RecoveryCodes } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { useTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Section } from "../../ui/Section";
import { CodeField } from "./code";
import { sessionsKey } from "./session";

const factorKey = ["account", "otp"];

type Step = "enable" | "disable" | "recovery";

/** The second factor of the account: on, off, its recovery codes. */
export function SecondFactor() {
  const client = useQueryClient();
  const time = useTime();
  const state = useQuery({
    queryKey: factorKey,
    queryFn: ({ signal }) => call<FactorState>("GET", "/account/otp", { signal }),
  });
  const [step, setStep] = useState<Step>();
  // Shown until the person says that they are kept: there is no way to read them again.
  const [codes, setCodes] = useState<string[]>();
  const changed = (fresh?: string[]): void => {
    setCodes(fresh);
    setStep(undefined);
    void client.invalidateQueries({ queryKey: factorKey });
    void client.invalidateQueries({ queryKey: sessionsKey }); // the others have ended
  };
  const factor = state.data?.authenticator;
  return (
    <Section title={t.factor.title} text={t.factor.text}>
      {state.isPending && <Loading />}
      <ErrorNote error={state.error} retry={() => void state.refetch()} />
      {factor && (
        <>
          <Group gap="sm">
            <Badge color={factor.enabled ? "green" : "gray"} variant="light">
              {factor.enabled ? t.factor.on : t.factor.off}
            </Badge>
            {factor.enabled && (
              <Text size="sm" c="dimmed">
                {t.factor.since(factor.enabled_at ? time(factor.enabled_at) : t.none, factor.recovery_codes_left)}
              </Text>
            )}
          </Group>
          {factor.enabled && factor.recovery_codes_left < 3 && (
            <Alert color="yellow">{t.factor.fewLeft(factor.recovery_codes_left)}</Alert>
          )}
          {codes && <Codes codes={codes} done={() => setCodes(undefined)} />}
          <Group>
            {factor.enabled ? (
              <>
                <Button variant="default" onClick={() => setStep("recovery")}>
                  {t.factor.recovery}
                </Button>
                <Button color="red" variant="outline" onClick={() => setStep("disable")}>
                  {t.factor.disable}
                </Button>
              </>
            ) : (
              <Button onClick={() => setStep("enable")}>{t.factor.enable}</Button>
            )}
          </Group>
        </>
      )}
      <Modal
        opened={step !== undefined}
        onClose={() => setStep(undefined)}
        title={step && t.factor.steps[step].title}
        centered
      >
        {step === "enable" ? (
          <Enable done={changed} />
        ) : (
          step && <Prove key={step} step={step} done={changed} cancel={() => setStep(undefined)} />
        )}
      </Modal>
    </Section>
  );
}

/** Password, then the QR code and a code of the app. */
function Enable({ done }: { done: (codes: string[]) => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const begin = useMutation({
    mutationFn: () => call<FactorSetup>("POST", "/account/otp/authenticator/enable", { body: { password } }),
  });
  const confirm = useMutation({
    mutationFn: () =>
      call<RecoveryCodes>("POST", "/account/otp/authenticator/confirm", { body: { pin_code: code } }),
    onSuccess: (answer) => done(answer.recovery_codes),
  });
  if (!begin.data)
    return (
      <form
        onSubmit={(event) => {
          event.preventDefault();
          begin.mutate();
        }}
      >
        <Stack>
          <Text size="sm">{t.factor.steps.enable.text}</Text>
          <Password value={password} onChange={setPassword} />
          <ErrorNote error={begin.error} />
          <Button type="submit" loading={begin.isPending}>
            {t.factor.next}
          </Button>
        </Stack>
      </form>
    );
  const { qr, secret } = begin.data;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        confirm.mutate();
      }}
    >
      <Stack>
        <Text size="sm">{t.factor.scan}</Text>
        <Image
          src={`data:image/svg+xml,${encodeURIComponent(qr)}`}
          alt={t.factor.qr}
          w={220}
          h={220}
          mx="auto"
          radius="sm"
        />
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" className="mono" style={{ wordBreak: "break-all" }} data-testid="factor-secret">
            {secret}
          </Text>
          <CopyButton value={secret} label={t.factor.copySecret} />
        </Group>
        <CodeField value={code} onChange={setCode} hint={t.factor.appCode} focus />
        <ErrorNote error={confirm.error} />
        <Button type="submit" loading={confirm.isPending}>
          {t.factor.confirm}
        </Button>
      </Stack>
    </form>
  );
}

/** Password and code, for what takes away or renews. */
function Prove(props: { step: "disable" | "recovery"; done: (codes?: string[]) => void; cancel: () => void }) {
  const { step, done, cancel } = props;
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const act = useMutation({
    mutationFn: () =>
      call<RecoveryCodes | string>("POST", `/account/otp/authenticator/${step}`, {
        body: { password, pin_code: code },
      }),
    onSuccess: (answer) => done(typeof answer === "string" ? undefined : answer.recovery_codes),
    onError: () => setCode(""),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        act.mutate();
      }}
    >
      <Stack>
        <Text size="sm">{t.factor.steps[step].text}</Text>
        <Password value={password} onChange={setPassword} />
        <CodeField value={code} onChange={setCode} />
        <ErrorNote error={act.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t.cancel}
          </Button>
          <Button type="submit" color={step === "disable" ? "red" : undefined} loading={act.isPending}>
            {t.factor.steps[step].button}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Password({ value, onChange }: { value: string; onChange: (password: string) => void }) {
  return (
    <PasswordInput
      label={t.account.password}
      autoComplete="current-password"
      required
      data-autofocus
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      visibilityToggleButtonProps={{ "aria-label": t.show }}
    />
  );
}

function Codes({ codes, done }: { codes: string[]; done: () => void }) {
  const lines = codes.join("\n");
  return (
    <Alert color="yellow" title={t.factor.codesTitle} data-testid="recovery-codes">
      <Stack gap="sm">
        <Text size="sm">{t.factor.codesText}</Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs" verticalSpacing={2} maw={460}>
          {codes.map((code) => (
            <Text key={code} className="mono" size="sm">
              {code}
            </Text>
          ))}
        </SimpleGrid>
        <Group gap="xs">
          <CopyButton value={lines} label={t.factor.copyCodes} />
          <Button
            size="compact-sm"
            variant="default"
            component="a"
            href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${lines}\n`)}`}
            download="paddock-recovery-codes.txt"
          >
            {t.factor.download}
          </Button>
          <Button size="compact-sm" onClick={done}>
            {t.factor.kept}
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
