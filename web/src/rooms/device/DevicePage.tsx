import { Badge, Group, Switch, Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { ApiError } from "../../api/client";
import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ErrorNote } from "../../ui/ErrorNote";
import { ButtonLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { DataTab } from "../data/DataTab";
import { useProfileName } from "../profile/useProfileName";
import { atLeast, useOwnRole } from "../profile/Allowed";
import { Alive } from "./Alive";
import { Connect } from "./Connect";
import { useDevice, useEditDevice } from "./queries";
import { Requests } from "./Requests";
import { Settings } from "./Settings";
import type { DeviceTab } from "./search";

const route = getRouteApi("/_in/p/$profileId/devices/$deviceId");

export function DevicePage() {
  const { profileId, deviceId } = route.useParams();
  const { tab = "data", range = "24h", from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const profileName = useProfileName(profileId);
  const device = useDevice(profileId, deviceId);
  const may = atLeast(useOwnRole(profileId), "developer");
  const toggle = useEditDevice(profileId, deviceId);
  if (device.isPending) return <Loading />;
  if (!device.data) {
    if (device.error instanceof ApiError && device.error.status === 404)
      return (
        <Page title={t.notFound.device} profile={profileName}>
          <Empty text={t.notFound.deviceText}>
            <ButtonLink to="/p/$profileId/devices" params={{ profileId }}>
              {t.notFound.toDevices}
            </ButtonLink>
          </Empty>
        </Page>
      );
    return <ErrorNote error={device.error} retry={() => void device.refetch()} />;
  }
  const info = device.data;
  return (
    <Page
      title={info.name}
      profile={profileName}
      actions={
        <Group gap="xs">
          <Badge variant="light" color="gray">
            {t.devices.types[info.type] ?? info.type}
          </Badge>
          <Badge variant="light" color={info.active ? "paddock" : "gray"}>
            {info.active ? t.devices.active : t.devices.inactive}
          </Badge>
          {may && (
            <Switch
              aria-label={t.fleet.activeFor(info.name)}
              checked={toggle.isPending ? toggle.variables.active : info.active}
              onChange={(event) => toggle.mutate({ active: event.currentTarget.checked })}
            />
          )}
        </Group>
      }
    >
      <Alive profileId={profileId} device={info} />
      <ErrorNote error={toggle.error} />
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(value) => void navigate({ search: ({ tab: _, ...old }) => ({ ...old, tab: value === "data" ? undefined : (value as DeviceTab) }) })}
      >
        <Tabs.List aria-label={t.devices.tabs} mb="lg">
          <Tabs.Tab value="data">{t.devices.tabData}</Tabs.Tab>
          <Tabs.Tab value="connect">{t.devices.tabConnect}</Tabs.Tab>
          <Tabs.Tab value="requests">{t.devices.tabRequests}</Tabs.Tab>
          <Tabs.Tab value="settings">{t.devices.tabSettings}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="data">
          <DataTab
            key={deviceId}
            profileId={profileId}
            deviceId={deviceId}
            range={from !== undefined && to !== undefined ? { from, to } : { name: range }}
            setRange={(next) =>
              void navigate({
                search: (old) =>
                  "name" in next
                    ? { tab: old.tab, range: next.name === "24h" ? undefined : next.name }
                    : { tab: old.tab, range: old.range, from: next.from, to: next.to },
              })
            }
            connect={<Connect profileId={profileId} deviceId={deviceId} />}
          />
        </Tabs.Panel>
        <Tabs.Panel value="connect">
          <Connect profileId={profileId} deviceId={deviceId} />
        </Tabs.Panel>
        <Tabs.Panel value="requests">
          <Requests profileId={profileId} deviceId={deviceId} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <Settings key={deviceId} profileId={profileId} device={info} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
