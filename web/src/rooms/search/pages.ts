// The pages of the console by their names, as a search finds them.
import { t } from "../../texts";

export interface Place {
  /** The address in the console. */
  path: string;
  label: string;
  /** Where it belongs: the profile's name, the account, the server. */
  where: string;
}

interface Of {
  profile: { id: string; name: string } | undefined;
  guest: boolean;
  operator: boolean;
}

/** All pages this person has, those of the profile they are in first. */
export function pages({ profile, guest, operator }: Of): Place[] {
  const out: Place[] = [];
  const add = (where: string, list: [path: string, label: string][]): void => {
    for (const [path, label] of list) out.push({ path, label, where });
  };
  if (profile) {
    const at = `/p/${profile.id}`;
    add(profile.name, [
      [at, t.nav.home],
      [`${at}/devices`, t.nav.devices],
      [`${at}/devices/add`, t.search.addDevice],
      [`${at}/profile`, t.nav.profile],
      [`${at}/usage`, t.nav.usage],
      [`${at}/team`, t.nav.team],
      [`${at}/tokens`, t.nav.tokens],
      [`${at}/auditlog`, t.nav.audit],
      [`${at}/more`, t.nav.more],
      [`${at}/backups`, t.nav.backups],
      [`${at}/alerts`, t.nav.alerts],
      [`${at}/limits`, t.nav.limits],
    ]);
  }
  if (!guest)
    add(t.nav.account, [
      ["/profiles", t.nav.profiles],
      ["/profiles/add", t.switcher.add],
      ["/profiles/import", t.import.title],
      ["/allocation", t.nav.allocation],
      ["/cost/what-if", t.nav.whatIf],
      ["/cost", t.nav.cost],
      ["/cost/statements", t.billing.statements],
      ["/cost/cards", t.billing.cards],
      ["/cost/budgets", t.billing.budgets],
      ["/staff", t.nav.staff],
    ]);
  add(t.nav.account, [
    ["/account", t.account.page],
    ["/notifications", t.notify.title],
    ["/transfer", t.nav.transfers],
    ["/support", t.nav.support],
  ]);
  if (operator)
    add(t.nav.server, [
      ["/operator", t.nav.operator],
      ["/operator/accounts", t.nav.accounts],
      ["/operator/settings", t.nav.settings],
      ["/desk", t.support.desk],
      ["/outbox", t.notify.outbox],
    ]);
  return out;
}
