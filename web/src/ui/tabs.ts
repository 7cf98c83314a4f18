/** The ref of a row of tabs: where the row does not fit, it opens with the tab one is on in sight. */
export function showCurrent(row: HTMLElement | null): void {
  row?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}
