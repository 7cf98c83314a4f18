// What was opened from the search lately, until this tab is closed: names of devices and people are not left behind in the browser.
const key = "paddock.found";
const most = 8;

export interface Item {
  /** Unique among all. */
  id: string;
  path: string;
  label: string;
  hint: string;
}

export function opened(account: string): Item[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(`${key}.${account}`) ?? "[]");
    return Array.isArray(kept) ? (kept as Item[]) : [];
  } catch {
    return [];
  }
}

export function noteOpened(account: string, item: Item): void {
  const kept = [item, ...opened(account).filter(({ id }) => id !== item.id)].slice(0, most);
  sessionStorage.setItem(`${key}.${account}`, JSON.stringify(kept));
}
