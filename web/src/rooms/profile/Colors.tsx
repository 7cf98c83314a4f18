// The colours a profile may have: calm ones, on each of which white is readable.
import { Group, Text, Tooltip } from "@mantine/core";
import { useId } from "react";
import { t } from "../../texts";

interface Props {
  value: string | null;
  onChange: (color: string | null) => void;
  hint?: string;
  disabled?: boolean;
}

/** One of the colours, or none. A colour that was set elsewhere stands behind them. */
export function Colors({ value, onChange, hint, disabled }: Props) {
  const name = useId();
  const codes = Object.keys(t.settings.colors).filter((code) => code !== "");
  if (value !== null && !codes.includes(value)) codes.push(value);
  return (
    <fieldset className="swatches" disabled={disabled}>
      <Text component="legend" size="sm" fw={500} p={0}>
        {t.settings.color}
      </Text>
      {hint && (
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      )}
      <Group gap={10} mt={6}>
        {["", ...codes].map((code) => {
          const label = t.settings.colors[code] ?? t.settings.ownColor(code);
          return (
            <Tooltip key={code} label={label} openDelay={300}>
              <label className="swatch" data-none={code === "" || undefined}>
                <input
                  type="radio"
                  name={name}
                  aria-label={label}
                  checked={(value ?? "") === code}
                  onChange={() => onChange(code === "" ? null : code)}
                />
                <svg viewBox="0 0 24 24" aria-hidden="true">
                  {code === "" ? (
                    <path d="M5 19 19 5" stroke="currentColor" strokeWidth="1.5" />
                  ) : (
                    <circle cx="12" cy="12" r="12" fill={code} />
                  )}
                </svg>
              </label>
            </Tooltip>
          );
        })}
      </Group>
    </fieldset>
  );
}
