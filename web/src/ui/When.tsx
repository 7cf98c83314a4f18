import { Fragment } from "react";
import { useTime } from "./format";

/** An instant in the account's zone and format, which breaks only between its date and its time. */
export function When({ at }: { at: string }) {
  const time = useTime();
  return time(at)
    .split(", ")
    .map((part, i) => (
      <Fragment key={part}>
        {i > 0 && ", "}
        <span className="nowrap">{part}</span>
      </Fragment>
    ));
}
