import { NativeSelect, NumberInput, Progress, Text } from "@mantine/core";
import { t } from "../../texts";
import { formats } from "../../ui/formats";
import { amount } from "../../ui/format";
import { untilText } from "../../ui/until";
import type { Edits, ServiceRow } from "./services";

interface Props {
  rows: ServiceRow[];
  edits: Edits;
  onChange: (edits: Edits) => void;
  /** Whether amounts and policies may be changed; else they are read. */
  amounts: boolean;
  policies: boolean;
  refused?: { service: string; reason: string };
}

/** Each service in one row: used of the limit, when it begins again, what it is allotted, and what happens at the limit. */
export function ServicesEditor({ rows, edits, onChange, amounts, policies, refused }: Props) {
  const setAmount = (row: ServiceRow, value: number | "") => {
    const { [row.service]: _, ...others } = edits.amounts;
    onChange({ ...edits, amounts: value === (row.allocation ?? "") ? others : { ...others, [row.service]: value } });
  };
  const setPolicy = (row: ServiceRow, value: string) => {
    const { [row.service]: _, ...others } = edits.policies;
    onChange({ ...edits, policies: value === row.policy ? others : { ...others, [row.service]: value } });
  };
  return (
    <table className="cells">
      <thead>
        <tr>
          <th scope="col">{t.usage.service}</th>
          <th scope="col">{t.settings.used}</th>
          <th scope="col">{t.settings.resets}</th>
          <th scope="col">{t.settings.allocation}</th>
          <th scope="col">{t.settings.atLimit}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const typed = edits.amounts[row.service] ?? row.allocation ?? "";
          // A pool that has a limit has no profile without one.
          const missing = typed === "" && row.free !== null;
          const error = refused?.service === row.service ? refused.reason : missing ? t.settings.needNumber : undefined;
          return (
            <tr key={row.service}>
              <th scope="row">{row.name}</th>
              <td className="wide">
                <Meter row={row} />
              </td>
              <td data-label={t.settings.resets}>
                <Text size="sm" c="dimmed">
                  {row.reset ? untilText(row.reset) : t.settings.held}
                </Text>
              </td>
              <td data-label={t.settings.allocation}>
                {amounts ? (
                  <NumberInput
                    aria-label={t.settings.allocationOf(row.name)}
                    size="xs"
                    w={150}
                    maw="100%"
                    hideControls
                    allowNegative={false}
                    allowDecimal={decimals.has(row.service)}
                    thousandSeparator={formats().thousand_separator}
                    decimalSeparator={formats().decimal_separator}
                    placeholder={t.settings.noLimit}
                    value={typed}
                    onChange={(value) => setAmount(row, typeof value === "number" ? value : value === "" ? "" : Number(value))}
                    error={error}
                    inputWrapperOrder={["label", "input", "error", "description"]}
                    description={row.free === null ? undefined : t.settings.free(amount(row.free))}
                  />
                ) : (
                  <Text size="sm">{row.allocation === null ? t.settings.noLimit : amount(row.allocation)}</Text>
                )}
              </td>
              <td className="wide" data-label={t.settings.atLimit}>
                {policies ? (
                  <NativeSelect
                    aria-label={t.settings.atLimitOf(row.name)}
                    size="xs"
                    w={170}
                    maw="100%"
                    data={Object.entries(t.settings.policies).map(([value, label]) => ({ value, label }))}
                    value={edits.policies[row.service] ?? row.policy}
                    onChange={(event) => setPolicy(row, event.currentTarget.value)}
                  />
                ) : (
                  <Text size="sm">{t.settings.policies[row.policy] ?? row.policy}</Text>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Those that are counted in parts of their unit. */
const decimals = new Set(["analysis", "file_storage"]);

function Meter({ row }: { row: ServiceRow }) {
  const { used, limit } = row;
  if (limit === null)
    return (
      <Text size="sm">
        {amount(used)}{" "}
        <Text span size="sm" c="dimmed">
          · {t.settings.noLimit}
        </Text>
      </Text>
    );
  const percent = limit > 0 ? Math.min(100, Math.floor((used / limit) * 100)) : used > 0 ? 100 : 0;
  const color = percent >= 100 ? "red" : percent >= 80 ? "yellow" : "paddock";
  return (
    <>
      <Text size="sm">
        {amount(used)}{" "}
        <Text span size="sm" c="dimmed">
          / {amount(limit)}
        </Text>
      </Text>
      <Progress.Root size={5} mt={6} maw={220}>
        <Progress.Section value={percent} color={color} aria-label={`${row.name}: ${t.usage.share(percent)}`} />
      </Progress.Root>
      {row.overage > 0 && (
        <Text size="xs" mt={4}>
          {t.settings.overage(amount(row.overage))}
        </Text>
      )}
    </>
  );
}
