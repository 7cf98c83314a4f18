import { Button, Group, NumberInput, Radio, Select, Stack, TextInput } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { Page } from "../../ui/Page";
import { Allowed } from "../profile/Allowed";
import { useProfileName } from "../profile/useProfileName";
import { useCreateDevice } from "./queries";

const route = getRouteApi("/_in/p/$profileId/devices/add");

// How many chunks of a period may be kept.
const mostChunks = { day: 31, week: 26, month: 36, quarter: 36 };
type Storage = "mutable" | "immutable";
type Period = keyof typeof mostChunks;
const periods = Object.entries(t.devices.periods).map(([value, label]) => ({ value, label }));

export function CreateDevicePage() {
  const { profileId } = route.useParams();
  const navigate = useNavigate();
  const profileName = useProfileName(profileId);
  const [name, setName] = useState("");
  const [type, setType] = useState<Storage>("mutable");
  const [period, setPeriod] = useState<Period>("month");
  const [retention, setRetention] = useState(12);
  const create = useCreateDevice(profileId);
  const about = (field: string) => (create.error instanceof ApiError ? create.error.about(field) : undefined);
  return (
    <Page title={t.devices.createTitle} profile={profileName}>
      <Allowed profileId={profileId} least="developer">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const device =
              type === "immutable"
                ? { name: name.trim(), type, chunk_period: period, chunk_retention: retention }
                : { name: name.trim(), type };
            create.mutate(device, {
              onSuccess: ({ device_id: deviceId }) =>
                void navigate({ to: "/p/$profileId/devices/$deviceId", params: { profileId, deviceId } }),
            });
          }}
        >
          <Stack maw={480}>
            <TextInput
              label={t.devices.createName}
              placeholder={t.devices.createPlaceholder}
              name="name"
              required
              maxLength={100}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={about("name")}
            />
            <Radio.Group
              label={t.devices.createType}
              value={type}
              onChange={(value) => setType(value === "immutable" ? "immutable" : "mutable")}
              error={about("type")}
            >
              <Stack gap="xs" mt="xs">
                <Radio value="mutable" label={t.devices.mutable} description={t.devices.mutableHint} />
                <Radio value="immutable" label={t.devices.immutable} description={t.devices.immutableHint} />
              </Stack>
            </Radio.Group>
            {type === "immutable" && (
              <Group align="flex-start" grow>
                <Select
                  label={t.devices.period}
                  data={periods}
                  allowDeselect={false}
                  value={period}
                  onChange={(value) => {
                    if (!value) return;
                    const next = value as Period;
                    setPeriod(next);
                    setRetention((kept) => Math.min(kept, mostChunks[next]));
                  }}
                  error={about("chunk_period")}
                />
                <NumberInput
                  label={t.devices.retention}
                  description={t.devices.retentionHint(mostChunks[period])}
                  inputWrapperOrder={["label", "input", "description", "error"]}
                  min={0}
                  max={mostChunks[period]}
                  allowDecimal={false}
                  value={retention}
                  onChange={(value) => setRetention(Number(value) || 0)}
                  error={about("chunk_retention")}
                />
              </Group>
            )}
            <ErrorNote error={create.error} />
            <Group>
              <Button type="submit" loading={create.isPending}>
                {t.devices.createButton}
              </Button>
              <ButtonLink variant="default" to="/p/$profileId/devices" params={{ profileId }}>
                {t.cancel}
              </ButtonLink>
            </Group>
          </Stack>
        </form>
      </Allowed>
    </Page>
  );
}
