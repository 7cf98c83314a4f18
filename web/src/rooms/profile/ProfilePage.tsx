import { Alert, Badge, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError } from "../../api/client";
import type { LimitRow, ProfileInfo } from "../../api/types";
import { t } from "../../texts";
import { CopyButton } from "../../ui/CopyButton";
import { ErrorNote } from "../../ui/ErrorNote";
import { TextLink } from "../../ui/links";
import { Loading } from "../../ui/Loading";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { filled, TagRows } from "../../ui/TagRows";
import { Unsaved } from "../../ui/Unsaved";
import { ProfileCost } from "../billing/ProfileCost";
import { useHouse } from "../billing/queries";
import { type Edits, limitsQuery, noEdits, type Part, pending, refusedCell, type ServiceRow, serviceRows, useSaveProfile } from "../usage/services";
import { ServicesEditor } from "../usage/ServicesEditor";
import { atLeast, Lacks } from "./Allowed";
import { Colors } from "./Colors";
import { LogoDrop } from "./LogoDrop";
import { Name } from "./Name";
import { profileQuery, profilesQuery, type ProfileChange, useEditProfile } from "./queries";

const route = getRouteApi("/_in/p/$profileId/_about/profile");

/** What a profile is called and looks like, and what it may use of each service: changed in place, saved at once. */
export function ProfilePage() {
  const { profileId } = route.useParams();
  const profile = useQuery(profileQuery(profileId));
  const limits = useQuery(limitsQuery(profileId));
  if (profile.isPending || limits.isPending) return <Loading />;
  if (!profile.data || !limits.data)
    return (
      <ErrorNote
        error={profile.error ?? limits.error}
        retry={() => {
          void profile.refetch();
          void limits.refetch();
        }}
      />
    );
  return <Form key={profileId} profile={profile.data} limits={limits.data} />;
}

function Form({ profile, limits }: { profile: ProfileInfo; limits: LimitRow[] }) {
  const { info } = profile;
  const may = atLeast(info.role, "admin");
  const owner = info.role === "owner";
  const alone = useQuery(profilesQuery).data?.filter((row) => row.role === "owner").length === 1;
  const [reference, setReference] = useState<string>();
  const [tags, setTags] = useState<ProfileInfo["info"]["tags"]>();
  const [edits, setEdits] = useState(noEdits);
  const [saved, setSaved] = useState(false);
  const color = useEditProfile(info.id);
  const [chosen, setChosen] = useState<string | null>(); // until it is saved
  const save = useSaveProfile(info.id);
  const [stored, setStored] = useState<string[]>([]); // by the last attempt, before it failed

  const change: ProfileChange = {};
  if (reference !== undefined && reference.trim() !== (info.reference ?? "")) change.reference = reference.trim() || null;
  if (tags && JSON.stringify(filled(tags)) !== JSON.stringify(info.tags)) change.tags = filled(tags);
  const rows = serviceRows(limits, profile.allocation);
  const left = pending(edits, rows);
  const changes = Object.keys(change).length + Object.keys(left.amounts).length + Object.keys(left.policies).length;
  const missing = rows.some((row) => edits.amounts[row.service] === "" && row.free !== null);
  const refused = refusedCell(save.error);
  const about = (field: string) => (save.error instanceof ApiError ? save.error.about(field) : undefined);
  const discard = () => {
    setReference(undefined);
    setTags(undefined);
    setEdits(noEdits);
    save.reset();
  };

  return (
    <Page title={t.nav.profile} profile={info.name}>
      {info.paused && (
        <Alert color="yellow" title={t.profiles.pausedTitle}>
          {t.profiles.pausedText(info.pause_reason ?? "")}
        </Alert>
      )}
      <Lacks profileId={info.id} least="admin" what={t.profiles.changing} />
      <Section title={t.settings.about}>
        <Stack gap="lg">
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
            <Stack gap="lg">
              <Stack gap={4}>
                <Name info={info} disabled={!may} />
                <Group gap="xs">
                  <Text size="xs" c="dimmed" className="mono">
                    {info.id}
                  </Text>
                  <CopyButton value={info.id} label={`${t.copy}: ${t.profiles.id}`} size="compact-xs" />
                </Group>
              </Stack>
              <LogoDrop info={info} disabled={!may} />
              <Stack gap={6}>
                <Colors
                  value={chosen === undefined ? info.color : chosen}
                  hint={t.settings.colorHint}
                  disabled={!may}
                  onChange={(value) => {
                    setChosen(value);
                    color.mutate({ color: value }, { onSettled: () => setChosen(undefined) });
                  }}
                />
                <ErrorNote error={color.error} />
              </Stack>
            </Stack>
            <Stack gap="lg">
              <TextInput
                label={t.settings.reference}
                description={t.settings.referenceHint}
                placeholder={t.settings.referencePlaceholder}
                maxLength={100}
                disabled={!may}
                value={reference ?? info.reference ?? ""}
                onChange={(event) => setReference(event.currentTarget.value)}
                error={about("reference")}
              />
              <fieldset className="swatches" disabled={!may}>
                <TagRows label={t.tags.title} description={t.tags.ofProfile} rows={tags ?? info.tags} onChange={setTags} />
              </fieldset>
            </Stack>
          </SimpleGrid>
        </Stack>
      </Section>
      <Section title={t.settings.services} text={t.settings.servicesText}>
        {!owner && (
          <Text size="sm" c="dimmed">
            {t.settings.servicesOwner}
          </Text>
        )}
        {owner && alone && (
          <Text size="sm" c="dimmed">
            {t.settings.servicesOne}
          </Text>
        )}
        <ServicesEditor
          rows={rows}
          edits={edits}
          onChange={(next) => {
            setEdits(next);
            save.reset();
          }}
          amounts={owner && !alone}
          policies={owner}
          {...(refused ? { refused } : {})}
        />
      </Section>
      <Addons profile={profile} />
      <ProfileCost profileId={info.id} />
      <Unsaved
        changes={changes}
        saving={save.isPending}
        saved={saved || save.isError} // where nothing is left, what was refused an answer was saved all the same
        disabled={missing}
        discard={discard}
        save={() => {
          const done: Part[] = [];
          const names = namesOf(change, left);
          setStored([]);
          save.mutate(
            { change, edits: left, saved: (part) => done.push(part) },
            {
              onSuccess: () => {
                discard();
                setSaved(true);
              },
              onError: () => {
                setStored(done.flatMap((part) => names[part]));
                setEdits((typed) => ({ ...typed, ...(done.includes("amounts") ? { amounts: {} } : {}) }));
              },
            },
          );
        }}
      >
        <ErrorNote error={named(save.error, rows)} />
        {save.error && stored.length > 0 && (
          <Text size="sm">
            {t.settings.partSaved(stored)} {t.settings.partLeft(Object.values(namesOf(change, left)).flat(), answered(save.error))}
          </Text>
        )}
      </Unsaved>
    </Page>
  );
}

/** Where the server did not answer, a part may be saved all the same. */
const answered = (error: unknown): boolean => error instanceof ApiError && error.status !== 0;

/** What each part of a change is called on the page. */
function namesOf(change: ProfileChange, edits: Edits): Record<Part, string[]> {
  const some = (open: boolean, name: string): string[] => (open ? [name] : []);
  return {
    amounts: some(Object.keys(edits.amounts).length > 0, t.settings.allocation),
    about: [...some("reference" in change, t.settings.reference), ...some("tags" in change, t.tags.title)],
    policies: some(Object.keys(edits.policies).length > 0, t.settings.atLimit),
  };
}

/** A refused amount with the name of its service instead of its place in what was sent; a refused reference likewise. */
function named(error: unknown, rows: ServiceRow[]): unknown {
  if (error instanceof ApiError && error.field === "reference")
    return new ApiError(error.status, `${t.settings.reference}: ${error.about("reference")}`, error.requestId, error.field);
  const cell = refusedCell(error);
  const name = cell && rows.find((row) => row.service === cell.service)?.name;
  return error instanceof ApiError && cell && name ? new ApiError(error.status, `${name}: ${cell.reason}`, error.requestId, error.field) : error;
}

/** Add-ons of a profile: read here, bought in the subscription. A plan that nobody sells has none to speak of. */
function Addons({ profile }: { profile: ProfileInfo }) {
  const owner = profile.info.role === "owner";
  const some = Object.values(profile.addons).some((on) => on === true);
  if (!owner && !some) return null;
  return owner ? <OwnAddons profile={profile} some={some} /> : <AddonList profile={profile} />;
}

function OwnAddons({ profile, some }: { profile: ProfileInfo; some: boolean }) {
  const house = useHouse();
  return house === false || some ? <AddonList profile={profile} /> : null;
}

function AddonList({ profile }: { profile: ProfileInfo }) {
  return (
    <Section title={t.settings.addons}>
      <Group gap="xl">
        {Object.entries(t.settings.addonNames).map(([addon, name]) => {
          const on = profile.addons[addon as keyof ProfileInfo["addons"]];
          return (
            <Group key={addon} gap="xs">
              <Text size="sm">{name}</Text>
              <Badge variant="light" tt="none" color={on ? "paddock" : "gray"}>
                {on ? t.settings.addonOn : t.settings.addonOff}
              </Badge>
            </Group>
          );
        })}
      </Group>
      {profile.info.role === "owner" ? (
        <TextLink to="/cost/subscription" size="sm">
          {t.settings.toSubscription}
        </TextLink>
      ) : (
        <Text size="sm" c="dimmed">
          {t.settings.addonsOwner}
        </Text>
      )}
    </Section>
  );
}
