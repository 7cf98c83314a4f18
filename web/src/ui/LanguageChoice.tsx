import { Group, UnstyledButton } from "@mantine/core";
import { type Language, languages, t } from "../texts";

interface Props {
  value: Language;
  onChange: (language: Language) => void;
}

/** The languages side by side, each as it calls itself. */
export function LanguageChoice({ value, onChange }: Props) {
  return (
    <Group gap="md" justify="center" role="group" aria-label={t.language.choose}>
      {(Object.keys(languages) as Language[]).map((code) => (
        <UnstyledButton
          key={code}
          lang={code}
          fz="sm"
          fw={code === value ? 600 : undefined}
          c={code === value ? undefined : "dimmed"}
          aria-pressed={code === value}
          onClick={() => code !== value && onChange(code)}
        >
          {languages[code]}
        </UnstyledButton>
      ))}
    </Group>
  );
}
