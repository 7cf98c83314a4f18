import { VisuallyHidden } from "@mantine/core";
import { t } from "../../texts";

/** How a profile is, as a dot; its words are for those who do not see it, and for who points at it. */
export function StatusDot({ status }: { status: string | undefined }) {
  if (!status) return null;
  const words = t.frame.statuses[status] ?? status;
  return (
    <span className="status-dot" data-status={status} title={words}>
      <VisuallyHidden>{words}</VisuallyHidden>
    </span>
  );
}
