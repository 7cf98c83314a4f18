import { PasswordInput, Select, TextInput } from "@mantine/core";
import { ApiError } from "../../api/client";
import { codeOf, language, t } from "../../texts";
import { ownZone, zones } from "./zones";

export interface Person {
  name: string;
  email: string;
  password: string;
  timezone: string;
  language: string;
}

/** A person not yet filled in, in the time zone and the language of this browser. */
export const newPerson = (): Person => ({
  name: "",
  email: "",
  password: "",
  language: codeOf(language),
  timezone: ownZone,
});

/** What an account is made from. `error` marks the field the server complained of. */
export function PersonFields(props: { value: Person; onChange: (person: Person) => void; error: unknown }) {
  const { value, onChange } = props;
  const about = (field: string) => (props.error instanceof ApiError ? props.error.about(field) : undefined);
  return (
    <>
      <TextInput
        label={t.account.name}
        name="name"
        autoComplete="name"
        required
        value={value.name}
        onChange={(event) => onChange({ ...value, name: event.currentTarget.value })}
        error={about("name")}
      />
      <TextInput
        label={t.account.email}
        name="email"
        type="email"
        autoComplete="username"
        required
        value={value.email}
        onChange={(event) => onChange({ ...value, email: event.currentTarget.value })}
        error={about("email")}
      />
      <PasswordInput
        label={t.account.password}
        description={t.account.passwordHint}
        name="password"
        autoComplete="new-password"
        required
        minLength={8}
        value={value.password}
        onChange={(event) => onChange({ ...value, password: event.currentTarget.value })}
        visibilityToggleButtonProps={{ "aria-label": t.show }}
        error={about("password")}
      />
      <Select
        label={t.account.timezone}
        description={t.account.timezoneHint}
        data={zones}
        searchable
        limit={60}
        allowDeselect={false}
        nothingFoundMessage={t.account.nothingFound}
        value={value.timezone}
        onChange={(timezone) => timezone && onChange({ ...value, timezone })}
        error={about("timezone")}
      />
    </>
  );
}
