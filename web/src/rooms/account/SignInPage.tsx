import { Alert, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { t } from "../../texts";
import { Gate } from "../../ui/Gate";
import { TextLink } from "../../ui/links";
import { SignInForm } from "./SignInForm";
import { statusQuery } from "./session";

const route = getRouteApi("/login");

export function SignInPage() {
  const { next } = route.useSearch();
  const router = useRouter();
  const status = useQuery(statusQuery).data;
  return (
    <Gate title={t.account.signInTitle}>
      {status?.setup && <Alert color="yellow">{t.account.noneYet}</Alert>}
      <SignInForm onDone={() => router.history.replace(next ?? "/console/")} />
      <Group justify="space-between" gap="xs">
        <TextLink to="/recover" size="sm">
          {t.account.forgot}
        </TextLink>
        {status?.signup === "open" && (
          <Text size="sm">
            {t.account.noAccount} <TextLink to="/sign-up" search={{ email: undefined, next }} underline="always">{t.account.signUpLink}</TextLink>
          </Text>
        )}
      </Group>
    </Gate>
  );
}
