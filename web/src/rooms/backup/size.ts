// Sizes of files as people read them.
import { numberText } from "../../ui/formats";

const units = ["B", "kB", "MB", "GB", "TB"];

export function bytes(n: number): string {
  let size = n;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${numberText(size, { maximumFractionDigits: unit === 0 ? 0 : 1 })} ${units[unit]}`;
}
