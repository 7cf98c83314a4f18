import { Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { t } from "../../texts";
import { Gate } from "../../ui/Gate";
import { TextLink } from "../../ui/links";
import { SignInForm } from "./SignInForm";
import { statusQuery } from "./session";

const route = getRouteApi("/sign-in");

export function SignInPage() {
  const { next } = route.useSearch();
  const router = useRouter();
  const signup = useQuery(statusQuery).data?.signup;
  return (
    <Gate title={t.account.signInTitle}>
      <SignInForm onDone={() => router.history.replace(next ?? "/console/")} />
      <Group justify="space-between" gap="xs">
        <TextLink to="/recover" size="sm">
          {t.account.forgot}
        </TextLink>
        {signup === "open" && (
          <Text size="sm">
            {t.account.noAccount} <TextLink to="/sign-up">{t.account.signUpLink}</TextLink>
          </Text>
        )}
      </Group>
    </Gate>
  );
}
