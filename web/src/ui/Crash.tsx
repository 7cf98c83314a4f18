import { Button, Container, Group } from "@mantine/core";
import { t } from "../texts";
import { Empty } from "./Empty";
import { ErrorNote } from "./ErrorNote";
import { Page } from "./Page";

/** A fault in the console itself, caught by the router. */
export function Crash({ error }: { error: unknown }) {
  return (
    <Container size="sm" py="xl" component="main">
      <Page title={t.errors.crashed}>
        <Empty text={t.errors.crashedHint}>
          <Group>
            <Button onClick={() => location.reload()}>{t.errors.reload}</Button>
          </Group>
        </Empty>
        <ErrorNote error={error} />
      </Page>
    </Container>
  );
}
