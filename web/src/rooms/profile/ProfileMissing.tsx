import { t } from "../../texts";
import { Empty } from "../../ui/Empty";
import { ButtonLink } from "../../ui/links";
import { Page } from "../../ui/Page";

/** The address names a profile that this account has not. */
export function ProfileMissing() {
  return (
    <Page title={t.notFound.profile}>
      <Empty title={t.notFound.profile} text={t.notFound.profileText}>
        <ButtonLink to="/profiles">{t.switcher.all}</ButtonLink>
      </Empty>
    </Page>
  );
}
