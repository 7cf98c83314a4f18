import { Text, VisuallyHidden } from "@mantine/core";
import { type ClipboardEvent, forwardRef, type KeyboardEvent, memo, useCallback, useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import type { Table } from "../../api/usage";
import { t } from "../../texts";
import { amount } from "../../ui/format";
import { cellKey, type Edit, type Edits, plainText } from "./allocation";
import { nameOf, shareColor, shareOf } from "./names";

export interface SheetParts {
  table: Table;
  rows: Table["profiles"];
  /** By service what is left; null for no limit. */
  rests: ReadonlyMap<string, number | null>;
  edits: Edits;
  /** By cell the server's reason. */
  refused: ReadonlyMap<string, string>;
  change: (cells: [profile: string, service: string, text: string][], step: string) => void;
  paste: (event: ClipboardEvent, profile: string, service: string) => void;
  undo: () => void;
}

export interface GridHandle {
  /** Brings a cell into view, and puts the cursor there. */
  show: (profile: string, service: string) => void;
}

const rowHeight = 58;
const headHeight = 84;
/** Rows above and below those in sight. */
const spare = 6;

/** Profiles as rows and services as columns. Only rows in sight are there, so a thousand are as quick as ten. */
export const AllocationGrid = forwardRef<GridHandle, SheetParts>(function AllocationGrid({ table, rows, rests, edits, refused, change, paste, undo }, handle) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const wanted = useRef("");

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);

  const focus = useCallback((key: string): boolean => {
    const cell = box.current?.querySelector<HTMLInputElement>(`[data-cell="${key}"]`);
    cell?.focus();
    cell?.select();
    return cell != null;
  }, []);
  // A cell that was scrolled to is there after the next drawing.
  useLayoutEffect(() => {
    if (wanted.current && focus(wanted.current)) wanted.current = "";
  });

  const go = (down: number, right: number) => {
    const row = rows[down];
    const column = table.services[right];
    const element = box.current;
    if (!row || !column || !element) return;
    const y = down * rowHeight;
    const room = element.clientHeight - (element.querySelector("thead")?.offsetHeight ?? headHeight);
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + rowHeight > element.scrollTop + room) element.scrollTop = y + rowHeight - room;
    const key = cellKey(row.id, column.service);
    if (!focus(key)) wanted.current = key;
  };
  useImperativeHandle(handle, () => ({
    show: (profile, service) =>
      go(
        rows.findIndex((row) => row.id === profile),
        Math.max(0, table.services.findIndex((one) => one.service === service)),
      ),
  }));

  // Handed to every cell, so that typing in one draws only that one anew.
  const now = useRef({ rows, table, change, paste, undo, go });
  now.current = { rows, table, change, paste, undo, go };
  const onText = useCallback((profile: string, service: string, text: string) => now.current.change([[profile, service, text]], cellKey(profile, service)), []);
  const onPaste = useCallback((event: ClipboardEvent, profile: string, service: string) => now.current.paste(event, profile, service), []);
  const onKey = useCallback((event: KeyboardEvent<HTMLInputElement>, profile: string, service: string) => {
    const { rows: list, table: all, go: to, undo: back } = now.current;
    const field = event.currentTarget;
    const whole = field.selectionStart === 0 && field.selectionEnd === field.value.length;
    const move = (down: number, right: number) => {
      event.preventDefault();
      to(list.findIndex((row) => row.id === profile) + down, all.services.findIndex((one) => one.service === service) + right);
    };
    if (event.key === "ArrowDown" || event.key === "Enter") move(1, 0);
    else if (event.key === "ArrowUp") move(-1, 0);
    else if (event.key === "PageDown") move(Math.min(10, list.length - 1 - list.findIndex((row) => row.id === profile)), 0);
    else if (event.key === "PageUp") move(-Math.min(10, list.findIndex((row) => row.id === profile)), 0);
    else if (event.key === "ArrowLeft" && (whole || field.selectionEnd === 0)) move(0, -1);
    else if (event.key === "ArrowRight" && (whole || field.selectionStart === field.value.length)) move(0, 1);
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      back();
    }
  }, []);

  const first = Math.max(0, Math.min(rows.length, Math.floor(top / rowHeight)) - spare);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + spare);
  return (
    <div ref={box} className="sheet" onScroll={(event) => setTop(event.currentTarget.scrollTop)} tabIndex={-1}>
      <table aria-label={t.nav.allocation} aria-rowcount={rows.length + 1} aria-colcount={table.services.length + 1}>
        <thead>
          <tr style={{ height: headHeight }} aria-rowindex={1}>
            <th scope="col">
              <Text size="xs" c="dimmed">
                {t.allocation.profiles(rows.length)}
              </Text>
            </th>
            {table.services.map((service) => (
              <th key={service.service} scope="col">
                <Pool service={service} rest={rests.get(service.service) ?? null} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && (
            <tr aria-hidden style={{ height: first * rowHeight }} />
          )}
          {rows.slice(first, last).map((row, at) => (
            <tr key={row.id} style={{ height: rowHeight }} aria-rowindex={first + at + 2}>
              <th scope="row" title={row.name}>
                {row.name}
                {row.automatic && (
                  <Text size="xs" c="dimmed" fw={400}>
                    {t.allocation.automatic}
                  </Text>
                )}
              </th>
              {table.services.map(({ service }) => (
                <Cell
                  key={service}
                  profile={row.id}
                  name={row.name}
                  service={service}
                  has={row.allocation[service] ?? null}
                  used={row.used[service] ?? 0}
                  edit={edits[cellKey(row.id, service)]}
                  reason={refused.get(cellKey(row.id, service))}
                  onText={onText}
                  onKey={onKey}
                  onPaste={onPaste}
                />
              ))}
            </tr>
          ))}
          {last < rows.length && (
            <tr aria-hidden style={{ height: (rows.length - last) * rowHeight }} />
          )}
        </tbody>
      </table>
    </div>
  );
});

/** What is left of a service, and of how much. */
export function Pool({ service, rest }: { service: Table["services"][number]; rest: number | null }) {
  const over = rest !== null && rest < 0;
  return (
    <>
      <Text size="xs" fw={600}>
        {nameOf(service.service)}
      </Text>
      {rest === null || service.pool === null ? (
        <Text size="xs" c="dimmed" fw={400}>
          {t.usage.noLimit}
        </Text>
      ) : (
        <>
          <Text size="sm" fw={600} c={over ? "red" : undefined} className="tabular" aria-live="polite">
            {over ? t.allocation.tooMuch(amount(-rest)) : t.allocation.free(amount(rest))}
          </Text>
          <Text size="xs" c="dimmed" fw={400} className="tabular">
            {t.allocation.given(amount(Math.round((service.pool - rest) * 1e6) / 1e6), amount(service.pool))}
          </Text>
        </>
      )}
    </>
  );
}

interface CellProps {
  profile: string;
  name: string;
  service: string;
  has: number | null;
  used: number;
  edit: Edit | undefined;
  reason: string | undefined;
  onText: (profile: string, service: string, text: string) => void;
  onKey: (event: KeyboardEvent<HTMLInputElement>, profile: string, service: string) => void;
  onPaste: (event: ClipboardEvent, profile: string, service: string) => void;
}

const Cell = memo(function Cell(props: CellProps) {
  return (
    <td>
      <CellField {...props} />
    </td>
  );
});

/** An amount to be typed, and below it how much of it is used. */
export function CellField({ profile, name, service, has, used, edit, reason, onText, onKey, onPaste }: CellProps) {
  const [inside, setInside] = useState(false);
  const about = useId();
  const value = edit ? edit.value : has;
  const share = value == null ? undefined : shareOf(used, value);
  const bad = edit !== undefined && edit.value === undefined;
  const why = reason ?? (bad ? t.allocation.bad : undefined);
  return (
    <div className="cell" data-state={why ? "refused" : edit ? "edited" : undefined}>
      <input
        data-cell={cellKey(profile, service)}
        inputMode="decimal"
        autoComplete="off"
        aria-label={t.allocation.cell(name, nameOf(service))}
        aria-invalid={why ? true : undefined}
        aria-describedby={about}
        title={why}
        placeholder={t.usage.noLimit}
        value={edit?.text ?? (inside ? plainText(has) : has === null ? "" : amount(has))}
        onChange={(event) => onText(profile, service, event.currentTarget.value)}
        onFocus={() => setInside(true)}
        onBlur={() => setInside(false)}
        onKeyDown={(event) => onKey(event, profile, service)}
        onPaste={(event) => onPaste(event, profile, service)}
      />
      <span className="use">
        {share !== undefined && <span className="bar" style={{ width: `${share}%`, background: `var(--mantine-color-${shareColor(share)}-6)` }} />}
      </span>
      <small id={about}>
        {why && <VisuallyHidden>{why} </VisuallyHidden>}
        {t.allocation.usedOf(amount(used))}
      </small>
    </div>
  );
}
