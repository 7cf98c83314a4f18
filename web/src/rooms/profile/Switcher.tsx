import { Combobox, Group, Text, UnstyledButton, useCombobox, VisuallyHidden } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMatchRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { t } from "../../texts";
import { Logo } from "./Logo";
import { profilesQuery } from "./queries";

const all = "all";
const add = "add";

/** The profile one is in, top left, and the way to the others. From the keyboard: open, arrow, enter. */
export function Switcher({ current }: { current?: string }) {
  const profiles = useQuery(profilesQuery).data ?? [];
  const navigate = useNavigate();
  const matchRoute = useMatchRoute();
  const [search, setSearch] = useState("");
  const searchable = profiles.length > 5;
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption();
      combobox.focusTarget();
      setSearch("");
    },
    onDropdownOpen: () => {
      if (searchable) combobox.focusSearchInput();
    },
  });
  const here = profiles.find((row) => row.id === current);
  const shown = profiles.filter((row) => row.name.toLowerCase().includes(search.trim().toLowerCase()));

  const go = (value: string): void => {
    combobox.closeDropdown();
    if (value === all) void navigate({ to: "/profiles" });
    else if (value === add) void navigate({ to: "/profiles/add" });
    else if (matchRoute({ to: "/p/$profileId/profile" }))
      void navigate({ to: "/p/$profileId/profile", params: { profileId: value } });
    else void navigate({ to: "/p/$profileId/devices", params: { profileId: value } });
  };

  const name = here?.name ?? t.switcher.choose;
  return (
    <Combobox store={combobox} onOptionSubmit={go} width={280} position="bottom-start" shadow="md">
      <Combobox.Target targetType="button">
        <UnstyledButton
          onClick={() => combobox.toggleDropdown()}
          px="xs"
          py={6}
          style={{ borderRadius: 8, minWidth: 0 }}
        >
          <Group gap="xs" wrap="nowrap">
            {here && <Logo name={here.name} url={here.logo_url} />}
            <Text fw={600} truncate maw={{ base: 150, sm: 260 }} component="span">
              {name}
            </Text>
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
        <Combobox.Options mah={360} style={{ overflowY: "auto" }} aria-label={t.switcher.choose}>
          {shown.map((row) => (
            <Combobox.Option key={row.id} value={row.id} active={row.id === current}>
              <Group gap="xs" wrap="nowrap">
                <Logo name={row.name} url={row.logo_url} size={24} />
                <Text size="sm" truncate flex={1} fw={row.id === current ? 600 : undefined}>
                  {row.name}
                </Text>
              </Group>
            </Combobox.Option>
          ))}
          {shown.length === 0 && <Combobox.Empty>{t.switcher.empty}</Combobox.Empty>}
          <Combobox.Group label=" ">
            <Combobox.Option value={all}>{t.switcher.all}</Combobox.Option>
            <Combobox.Option value={add}>{t.switcher.add}</Combobox.Option>
          </Combobox.Group>
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
