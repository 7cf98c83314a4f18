import { Container } from "@mantine/core";
import { t } from "../texts";
import { Empty } from "./Empty";
import { ButtonLink } from "./links";
import { Page } from "./Page";

/** No page at this address. */
export function NotFound() {
  return (
    <Container size="sm" py="xl" component="main">
      <Page title={t.notFound.title}>
        <Empty text={t.notFound.text}>
          <ButtonLink to="/">{t.notFound.home}</ButtonLink>
        </Empty>
      </Page>
    </Container>
  );
}
