import { Box, Group, Modal, ScrollArea, Stack, Text, TextInput, VisuallyHidden } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import type { Found } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useSession } from "../account/session";
import { useGuest } from "../profile/Guest";
import { profilesQuery } from "../profile/queries";
import { useRecent } from "../profile/recent";
import { pages } from "./pages";
import { foundQuery } from "./queries";
import { type Item, noteOpened, opened } from "./recent";

interface Group {
  label: string;
  items: Item[];
}

/** Finds devices, people and profiles by what the server knows of them, and pages by their names. */
export default function SearchDialog({ profileId, close }: { profileId: string | undefined; close: () => void }) {
  const router = useRouter();
  const session = useSession().data;
  const account = session?.account.id ?? "";
  const profiles = useQuery(profilesQuery).data ?? [];
  const guest = useGuest() !== false;
  const recent = useRecent();
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text.trim(), 150);
  const found = useQuery(foundQuery(q));
  const [at, setAt] = useState(0);
  const list = useId();

  const wanted = text.trim().toLowerCase();
  const here = profiles.find((row) => row.id === profileId);
  const all = pages({ profile: here, guest, operator: session?.operator === true });
  const groups: Group[] = wanted
    ? [
        ...(found.data && q ? things(found.data) : []),
        {
          label: t.search.pages,
          items: all
            .filter(({ label }) => label.toLowerCase().includes(wanted))
            .slice(0, 6)
            .map((page) => ({ id: page.path, path: page.path, label: page.label, hint: page.where })),
        },
      ]
    : [
        { label: t.search.recent, items: opened(account) },
        {
          label: t.search.profiles,
          items: recent
            .flatMap((id) => profiles.filter((row) => row.id === id && id !== profileId))
            .slice(0, 4)
            .map((row) => ({ id: row.id, path: `/p/${row.id}`, label: row.name, hint: row.owner ? t.frame.owner(row.owner) : "" })),
        },
        { label: t.search.pages, items: all.slice(0, 6).map((page) => ({ id: page.path, path: page.path, label: page.label, hint: page.where })) },
      ];
  const shown = groups.filter(({ items }) => items.length > 0);
  const rows = shown.flatMap(({ items }) => items);
  const chosen = Math.min(at, rows.length - 1);
  const searching = wanted !== "" && (q !== text.trim() || found.isFetching);

  const chosenRow = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void chosenRow.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const go = (item: Item): void => {
    if (!all.some(({ path }) => path === item.path)) noteOpened(account, item);
    close();
    router.history.push(router.basepath + item.path);
  };
  const press = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows.length > 0) {
      event.preventDefault();
      setAt((chosen + step + rows.length) % rows.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const item = rows[chosen];
      // What is drawn may still be of what was typed before.
      if (item && !searching) go(item);
    }
  };

  let n = -1;
  return (
    <Modal opened onClose={close} title={t.search.title} withCloseButton size="lg" padding="md" yOffset="8vh" transitionProps={{ duration: 80 }}>
      <Stack gap="sm">
        <TextInput
          data-autofocus
          size="md"
          tabIndex={0}
          role="combobox"
          aria-label={t.search.open}
          aria-expanded={rows.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={chosen >= 0 ? `${list}-${chosen}` : undefined}
          placeholder={t.search.placeholder}
          description={t.search.hint}
          autoComplete="off"
          maxLength={100}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={press}
        />
        <ErrorNote error={found.error} retry={() => void found.refetch()} />
        <ScrollArea.Autosize mah="55vh" type="auto" viewportProps={{ tabIndex: 0, "aria-label": t.search.found(rows.length) }}>
          <div id={list} role="listbox" aria-label={t.search.open} aria-busy={searching}>
            {shown.map(({ label, items }) => (
              <div key={label} role="group" aria-label={label}>
                <Text size="xs" c="dimmed" fw={600} px="xs" pt="xs" pb={4} aria-hidden="true">
                  {label}
                </Text>
                {items.map((item) => {
                  n += 1;
                  const index = n;
                  return (
                    <Box
                      key={item.id}
                      ref={index === chosen ? chosenRow : undefined}
                      id={`${list}-${index}`}
                      role="option"
                      tabIndex={-1}
                      aria-selected={index === chosen}
                      className="found"
                      onMouseMove={() => setAt(index)}
                      onClick={() => go(item)}
                    >
                      <Group justify="space-between" wrap="nowrap" gap="sm">
                        <Text size="sm" truncate fw={500}>
                          {item.label}
                        </Text>
                        <Text size="xs" c="dimmed" truncate maw="60%">
                          {item.hint}
                        </Text>
                      </Group>
                    </Box>
                  );
                })}
              </div>
            ))}
          </div>
        </ScrollArea.Autosize>
        {wanted !== "" && !searching && rows.length === 0 && !found.error && (
          <Text size="sm" c="dimmed" ta="center" py="md">
            {t.search.none(text.trim())}
          </Text>
        )}
        <Text size="xs" c="dimmed" visibleFrom="sm">
          {t.search.keysHint}
        </Text>
        <VisuallyHidden role="status">{wanted && !searching ? t.search.found(rows.length) : ""}</VisuallyHidden>
      </Stack>
    </Modal>
  );
}

/** What the server found, as rows. */
function things(found: Found): Group[] {
  const hint = (...parts: (string | undefined)[]): string => parts.filter(Boolean).join(" · ");
  return [
    {
      label: t.search.devices,
      items: found.devices.map((d) => ({
        id: d.id,
        path: `/p/${d.profile}/devices/${d.id}`,
        label: d.name,
        hint: hint(
          d.matched === "serial" && d.serial ? t.search.serial(d.serial) : undefined,
          d.matched === "token" && d.token_tail ? t.search.token(d.token_tail) : undefined,
          d.matched === "id" ? t.search.byId(d.id) : undefined,
          d.profile_name,
        ),
      })),
    },
    {
      label: t.search.profiles,
      items: found.profiles.map((p) => ({
        id: p.id,
        path: `/p/${p.id}`,
        label: p.name,
        hint: p.matched === "reference" && p.reference ? t.search.reference(p.reference) : p.matched === "id" ? t.search.byId(p.id) : "",
      })),
    },
    {
      label: t.search.people,
      items: found.people.map((p) => ({
        id: p.id,
        path: p.staff || !p.profile ? "/staff" : `/p/${p.profile}/team`,
        label: p.name || p.email,
        hint: hint(
          p.name ? p.email : undefined,
          p.pending ? t.search.invited : undefined,
          p.staff ? t.search.staff : p.profile_name && t.search.inProfiles(p.profile_name, p.profiles),
        ),
      })),
    },
  ];
}
