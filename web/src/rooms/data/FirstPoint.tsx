import { Card, Group, Text } from "@mantine/core";
import { t } from "../../texts";
import { useTime, valueText } from "../../ui/format";
import type { Point } from "../../api/types";

/** Waits for the first point of a device, and turns green with it. */
export function FirstPoint({ point }: { point: Point | null | undefined }) {
  const time = useTime();
  const state = point ? "received" : "waiting";
  return (
    <Card
      withBorder
      role="status"
      data-testid="first-point"
      data-state={state}
      bg={point ? "var(--mantine-color-paddock-light)" : undefined}
      style={point ? { borderColor: "var(--mantine-color-paddock-6)" } : undefined}
    >
      <Group wrap="nowrap" align="flex-start">
        <div className="pulse" data-state={state} style={{ marginTop: 6 }} />
        <div>
          <Text fw={600} c={point ? "var(--paddock-good)" : undefined}>
            {point ? t.devices.received : t.devices.waiting}
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {point
              ? t.devices.receivedText(point.variable, valueText(point.value, point.unit), time(point.time))
              : t.devices.waitingText}
          </Text>
        </div>
      </Group>
    </Card>
  );
}
