import { Button, Kbd } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { lazy, Suspense, useEffect } from "react";
import { t } from "../../texts";

const load = () => import("./SearchDialog");
const SearchDialog = lazy(load);

/** The way to everything, in the header: also by Ctrl+K, in whatever field one is. */
export function SearchButton({ profileId }: { profileId: string | undefined }) {
  const [shown, { open, close }] = useDisclosure(false);
  useHotkeys([["mod+K", open]], []);
  useEffect(() => {
    // It is there before it is asked for: what is typed right after the keys would be lost.
    const later = setTimeout(() => void load().catch(() => undefined), 500);
    return () => clearTimeout(later);
  }, []);
  return (
    <>
      <Button
        variant="default"
        size="sm"
        px="xs"
        color="gray"
        fw={400}
        onClick={open}
        aria-label={`${t.search.open} ${t.search.keys}`}
        aria-keyshortcuts="Control+K"
        leftSection={<Glass />}
        classNames={{ section: "glass" }}
      >
        <Kbd size="xs" visibleFrom="md">
          {t.search.keys}
        </Kbd>
      </Button>
      {shown && (
        <Suspense>
          <SearchDialog profileId={profileId} close={close} />
        </Suspense>
      )}
    </>
  );
}

function Glass() {
  return (
    <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" aria-hidden="true">
      <circle cx="10.5" cy="10.5" r="6.5" />
      <path d="M15.5 15.5 21 21" />
    </svg>
  );
}
