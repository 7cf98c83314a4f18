import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { whenUnauthorized } from "../../api/client";
import { readSession, sessionQuery } from "./session";

// Nothing of it is needed by a page that is opened.
const SignInAgain = lazy(() => import("./SignInAgain"));

/** Watches for a session that ends while somebody works. The password is asked for over the page, so that nothing typed
 *  is lost. A 401 alone proves nothing (a wrong password answers it too): the session itself is asked. */
export function SessionEnded() {
  const client = useQueryClient();
  const [email, setEmail] = useState<string>();
  useEffect(() => {
    let asking = false;
    whenUnauthorized(() => {
      const before = client.getQueryData(sessionQuery.queryKey);
      if (!before || asking) return;
      asking = true;
      readSession()
        .then((session) => {
          if (session === null) setEmail(before.account.email);
        })
        .catch(() => {}) // not reachable: the page shows its own error
        .finally(() => {
          asking = false;
        });
    });
    return () => whenUnauthorized(() => {});
  }, [client]);
  if (email === undefined) return null;
  return (
    <Suspense>
      <SignInAgain
        email={email}
        onDone={() => {
          setEmail(undefined);
          void client.invalidateQueries();
        }}
      />
    </Suspense>
  );
}
