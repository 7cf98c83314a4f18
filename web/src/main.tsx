// The texts come first, then everything that is drawn with them.
import { preferred, speak } from "./texts";

await speak(preferred());
await import("./console");
