// Which profiles this person was in lately, in this browser. Only ids are kept: names come from the list of what one may see.
import { useEffect, useState } from "react";
import { useSession } from "../account/session";

const most = 6;
const heard = "paddock.recent";

const keyOf = (account: string): string => `paddock.recent.${account}`;

function read(account: string | undefined): string[] {
  if (!account) return [];
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(account)) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}

/** Ids of profiles, the latest first. */
export function useRecent(): string[] {
  const account = useSession().data?.account.id;
  const [recent, setRecent] = useState<string[]>(() => read(account));
  useEffect(() => {
    const again = (): void => setRecent(read(account));
    again();
    window.addEventListener(heard, again);
    return () => window.removeEventListener(heard, again);
  }, [account]);
  return recent;
}

/** Notes the profile one is in. */
export function useNoteRecent(profile: string | undefined): void {
  const account = useSession().data?.account.id;
  useEffect(() => {
    if (!profile || !account) return;
    const before = read(account);
    if (before[0] === profile) return;
    localStorage.setItem(keyOf(account), JSON.stringify([profile, ...before.filter((id) => id !== profile)].slice(0, most)));
    window.dispatchEvent(new Event(heard));
  }, [profile, account]);
}
