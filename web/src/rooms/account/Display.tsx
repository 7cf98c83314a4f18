import { Paper, SegmentedControl, Select, SimpleGrid, Stack, Text } from "@mantine/core";
import type { Account } from "../../api/types";
import { type Language, language, languages, setLanguage, t } from "../../texts";
import { ErrorNote } from "../../ui/ErrorNote";
import { useZone } from "../../ui/format";
import { type Formats, numberText, timeFormat } from "../../ui/formats";
import { Section } from "../../ui/Section";
import { useEditAccount } from "./queries";
import { zones } from "./zones";

/** What the API calls a language of the console. */
const codes: Record<Language, string> = { en: "en", pt: "pt-br" };

/** Language, time zone, and how dates and numbers are written. Each choice is kept at once. */
export function Display({ account }: { account: Account }) {
  const speak = useEditAccount();
  const move = useEditAccount();
  return (
    <>
      <Section title={t.person.language} text={t.person.languageText}>
        <Select
          aria-label={t.person.language}
          maw={280}
          allowDeselect={false}
          data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
          value={language}
          onChange={(value) => {
            const code = value as Language | null;
            if (code && code !== language) speak.mutate({ language: codes[code] }, { onSuccess: () => setLanguage(code) });
          }}
        />
        <ErrorNote error={speak.error} />
      </Section>
      <Section title={t.person.zone} text={t.person.zoneText}>
        <Select
          aria-label={t.person.zone}
          maw={280}
          searchable
          limit={60}
          allowDeselect={false}
          nothingFoundMessage={t.account.nothingFound}
          data={zones.includes(account.timezone) ? zones : [account.timezone, ...zones]}
          value={account.timezone}
          onChange={(timezone) => timezone && move.mutate({ timezone })}
        />
        <ErrorNote error={move.error} />
      </Section>
      <FormatChoice formats={account.options} />
    </>
  );
}

const dates = ["YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY", "D MMM YYYY", "MMM D, YYYY"];

/** Decimal, then thousand separator. */
const separators: [string, string][] = [
  [".", ","],
  [",", "."],
  [",", " "],
  [".", "'"],
  [".", ""],
  [",", ""],
];

const number = 1_234_567.89;

function FormatChoice({ formats }: { formats: Formats }) {
  const edit = useEditAccount();
  const zone = useZone();
  const now = Date.now();
  const numbered = (as: Formats) => numberText(number, { minimumFractionDigits: 2 }, as);
  const own: [string, string] = [formats.decimal_separator, formats.thousand_separator];
  const pairs = separators.some(([d, th]) => d === own[0] && th === own[1]) ? separators : [own, ...separators];
  const days = dates.includes(formats.date_format) ? dates : [formats.date_format, ...dates];
  const looks = timeFormat(zone, formats);
  return (
    <Section title={t.person.formats} text={t.person.formatsText}>
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
          <Select
            label={t.person.date}
            allowDeselect={false}
            data={days.map((value) => ({ value, label: timeFormat(zone, { ...formats, date_format: value }).day(now) }))}
            value={formats.date_format}
            onChange={(value) => value && edit.mutate({ options: { date_format: value } })}
          />
          <Select
            label={t.person.numbers}
            allowDeselect={false}
            data={pairs.map(([decimal_separator, thousand_separator]) => ({
              value: `${decimal_separator}${thousand_separator}`,
              label: numbered({ ...formats, decimal_separator, thousand_separator }),
            }))}
            value={own.join("")}
            onChange={(value) =>
              value && edit.mutate({ options: { decimal_separator: value.slice(0, 1), thousand_separator: value.slice(1) } })
            }
          />
        </SimpleGrid>
        <div>
          <Text size="sm" fw={500} mb={4} id="time-format">
            {t.person.time}
          </Text>
          <SegmentedControl
            aria-labelledby="time-format"
            data={["24", "12"].map((value) => ({ value, label: t.person.hours[value] }))}
            value={formats.time_format}
            onChange={(time_format) => edit.mutate({ options: { time_format } })}
          />
        </div>
        <Paper p="sm" withBorder role="status">
          <Text size="sm" c="dimmed">
            {t.person.example}
          </Text>
          <Text fz="lg" className="tabular" data-testid="example">
            {`${looks.day(now)}, ${looks.clock(now)} · ${numbered(formats)}`}
          </Text>
        </Paper>
        <ErrorNote error={edit.error} />
      </Stack>
    </Section>
  );
}
