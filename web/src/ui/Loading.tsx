import { Center, Loader } from "@mantine/core";
import { t } from "../texts";

export function Loading() {
  return (
    <Center py="xl" role="status" aria-label={t.loading}>
      <Loader type="dots" />
    </Center>
  );
}
