import { Button, Modal, Stack, Text } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { t } from "../../texts";
import { Loading } from "../../ui/Loading";

const QrCode = lazy(() => import("./QrCode"));

/** A button that shows the token for a camera. */
export function Qr({ value }: { value: string }) {
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={() => setOpened(true)}>
        {t.fleet.qr}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t.fleet.qrTitle} centered size="sm">
        <Stack>
          <Suspense fallback={<Loading />}>
            <QrCode value={value} label={t.fleet.qrAlt} />
          </Suspense>
          <Text size="sm" c="dimmed" ta="center">
            {t.fleet.qrText}
          </Text>
        </Stack>
      </Modal>
    </>
  );
}
