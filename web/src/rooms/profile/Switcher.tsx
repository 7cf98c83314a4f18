import { Badge, Combobox, Group, Kbd, Text, UnstyledButton, useCombobox, VisuallyHidden } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate, useRouter } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Profile } from "../../api/types";
import { t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useOutsider } from "./Guest";
import { Logo } from "./Logo";
import { profilesQuery, statusesQuery, usePin } from "./queries";
import { useRecent } from "./recent";
import { samePage } from "./samePage";
import { StatusDot } from "./StatusDot";

const all = "all";
const add = "add";
const pinHere = "pin";
/** How many rows are drawn; of more profiles a part of the name finds them. */
const most = 40;

/** The profile one is in, top left, and the way to the others: the same page there. From the keyboard: Alt+P, arrow, enter. */
export function Switcher({ current }: { current?: string }) {
  const profiles = useQuery(profilesQuery).data ?? [];
  const recent = useRecent();
  const outsider = useOutsider();
  const navigate = useNavigate();
  const router = useRouter();
  const { pathname, searchStr } = useLocation();
  const [search, setSearch] = useState("");
  const target = useRef<HTMLButtonElement>(null);
  const pin = usePin();
  const searchable = profiles.length > 5;
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      combobox.focusTarget();
      setSearch("");
      pin.reset();
    },
    onDropdownOpen: () => {
      if (searchable) combobox.focusSearchInput();
    },
  });
  const statuses = useQuery({ ...statusesQuery, enabled: combobox.dropdownOpened }).data;
  useHotkeys(
    [
      [
        "alt+P",
        () => {
          target.current?.focus();
          combobox.openDropdown();
        },
        { usePhysicalKeys: true },
      ],
    ],
    ["INPUT", "TEXTAREA", "SELECT"],
  );
  const here = profiles.find((row) => row.id === current);

  const wanted = search.trim().toLowerCase();
  const fits = (row: Profile): boolean =>
    row.name.toLowerCase().includes(wanted) || (row.reference ?? "").toLowerCase().includes(wanted) || row.id === wanted;
  const shown = wanted ? profiles.filter(fits) : profiles;
  const pinned = shown.filter((row) => row.pinned);
  const lately = recent.flatMap((id) => shown.filter((row) => row.id === id && !row.pinned));
  const others = shown.filter((row) => !row.pinned && !lately.includes(row));
  const groups = [
    { label: t.frame.pinned, rows: pinned },
    { label: t.frame.recent, rows: lately },
    { label: t.frame.others, rows: others.slice(0, Math.max(0, most - pinned.length - lately.length)) },
  ].filter(({ rows }) => rows.length > 0);
  const hidden = shown.length - groups.reduce((n, { rows }) => n + rows.length, 0);

  // What is typed is followed by Enter: that opens the first profile it fits, and never something else of the list.
  useEffect(() => {
    if (wanted && groups.length > 0) combobox.selectFirstOption();
    else combobox.resetSelectedOption();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the combobox is another object in each rendering
  }, [wanted]);

  const go = (value: string): void => {
    if (value === pinHere) {
      if (here) pin.mutate({ id: here.id, pinned: !here.pinned });
      return;
    }
    combobox.closeDropdown();
    if (value === all) void navigate({ to: "/profiles" });
    else if (value === add) void navigate({ to: "/profiles/add" });
    else if (value !== current) router.history.push(router.basepath + samePage(pathname, searchStr, value));
  };

  const name = here?.name ?? t.switcher.choose;
  return (
    <Combobox store={combobox} onOptionSubmit={go} width={320} position="bottom-start" shadow="md">
      <Combobox.Target targetType="button">
        <UnstyledButton
          ref={target}
          onClick={() => combobox.toggleDropdown()}
          px="xs"
          py={6}
          style={{ borderRadius: 8, minWidth: 0 }}
        >
          <Group gap="xs" wrap="nowrap">
            {here && <Logo name={here.name} url={here.logo_url} />}
            <span style={{ minWidth: 0 }}>
              <Text fw={600} truncate maw={{ base: 130, sm: 260 }} component="span" display="block" lh={1.2}>
                {name}
              </Text>
              {here?.owner && (
                <Text size="xs" c="dimmed" truncate maw={{ base: 130, sm: 260 }} component="span" display="block" lh={1.2}>
                  {t.frame.owner(here.owner)}
                </Text>
              )}
            </span>
            {here && <VisuallyHidden>{t.switcher.switch}</VisuallyHidden>}
            <Combobox.Chevron />
          </Group>
        </UnstyledButton>
      </Combobox.Target>
      <Combobox.Dropdown>
        {searchable && (
          <Combobox.Search
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
            placeholder={t.switcher.search}
            aria-label={t.switcher.search}
          />
        )}
        <Combobox.Options tabIndex={0} mah="min(480px, 70vh)" style={{ overflowY: "auto" }} aria-label={t.switcher.choose}>
          {groups.map(({ label, rows }) => (
            <Combobox.Group key={label} label={groups.length > 1 ? label : undefined}>
              {rows.map((row) => (
                <Combobox.Option key={row.id} value={row.id} active={row.id === current} className="profile-option">
                  <Group gap="xs" wrap="nowrap">
                    <Logo name={row.name} url={row.logo_url} size={24} />
                    <span style={{ minWidth: 0, flex: 1 }}>
                      <Text size="sm" truncate fw={row.id === current ? 600 : undefined} component="span" display="block">
                        {row.name}
                      </Text>
                      {row.owner && (
                        <Text size="xs" c="dimmed" truncate component="span" display="block">
                          {t.frame.owner(row.owner)}
                        </Text>
                      )}
                    </span>
                    {row.from_share && (
                      <Badge variant="light" color="gray" miw="max-content" tt="none">
                        {row.look ? t.support.look.badge : t.switcher.shared(t.team.roles[row.role] ?? row.role)}
                      </Badge>
                    )}
                    <StatusDot status={statuses?.find((one) => one.id === row.id)?.status} />
                    {!outsider && (
                      // For the mouse; from the keyboard the profile one is in is pinned by the entry below.
                      <span
                        className="pin"
                        data-pinned={row.pinned}
                        data-testid={`pin-${row.id}`}
                        aria-hidden="true"
                        title={row.pinned ? t.frame.unpin(row.name) : t.frame.pin(row.name)}
                        onMouseDown={(event) => event.preventDefault()}
                        onClick={(event) => {
                          event.stopPropagation();
                          pin.mutate({ id: row.id, pinned: !row.pinned });
                        }}
                      >
                        <Star />
                      </span>
                    )}
                  </Group>
                </Combobox.Option>
              ))}
            </Combobox.Group>
          ))}
          {shown.length === 0 && <Combobox.Empty>{t.switcher.empty}</Combobox.Empty>}
          {hidden > 0 && (
            <Text size="xs" c="dimmed" px="sm" py={6}>
              {t.frame.moreProfiles(hidden)}
            </Text>
          )}
          {!outsider && (
            <Combobox.Group label=" ">
              {here && !wanted && (
                <Combobox.Option value={pinHere}>{here.pinned ? t.frame.unpin(here.name) : t.frame.pin(here.name)}</Combobox.Option>
              )}
              <Combobox.Option value={all}>{t.switcher.all}</Combobox.Option>
              <Combobox.Option value={add}>{t.switcher.add}</Combobox.Option>
            </Combobox.Group>
          )}
        </Combobox.Options>
        <ErrorNote error={pin.error} />
        {!outsider && (
          <Group justify="flex-end" px="sm" py={4} visibleFrom="sm" aria-hidden="true">
            <Kbd size="xs">{t.frame.keys}</Kbd>
          </Group>
        )}
      </Combobox.Dropdown>
    </Combobox>
  );
}

function Star() {
  return (
    <svg width="16" height="16" viewBox="0 0 24 24" strokeWidth="2" strokeLinejoin="round">
      <path d="M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z" />
    </svg>
  );
}
