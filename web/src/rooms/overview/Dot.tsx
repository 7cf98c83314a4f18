import { Box, type BoxProps } from "@mantine/core";
import type { Status } from "./search";
import { statusColor } from "./words";

/** The colour of a status. The word is always beside it. */
export function Dot({ status, size = 10, ...rest }: { status: Status; size?: number } & BoxProps) {
  return <Box component="span" aria-hidden display="inline-block" w={size} h={size} flex="none" bg={`${statusColor[status]}.6`} style={{ borderRadius: "50%" }} {...rest} />;
}
