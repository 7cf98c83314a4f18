import { Modal, Stack, Text } from "@mantine/core";
import { t } from "../../texts";
import { SignInForm } from "./SignInForm";

/** Asks for the password over the page. */
export default function SignInAgain({ email, onDone }: { email: string; onDone: () => void }) {
  return (
    <Modal
      opened
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t.account.sessionEnded}
      centered
    >
      <Stack gap="md">
        <Text size="sm">{t.account.sessionEndedText}</Text>
        <SignInForm email={email} onDone={onDone} />
      </Stack>
    </Modal>
  );
}
