import { SegmentedControl, Text, useMantineColorScheme } from "@mantine/core";
import { t } from "../../texts";

const schemes = ["light", "dark", "auto"] as const;

/** Light, dark, or as the system has it. Kept in this browser. */
export default function SchemeChoice() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <div style={{ padding: "4px 12px 8px" }}>
      <Text size="xs" c="dimmed" mb={4} id="scheme">
        {t.frame.scheme}
      </Text>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-labelledby="scheme"
        data={schemes.map((value) => ({ value, label: t.frame.schemes[value] }))}
        value={colorScheme}
        onChange={(value) => setColorScheme(value as (typeof schemes)[number])}
      />
    </div>
  );
}
