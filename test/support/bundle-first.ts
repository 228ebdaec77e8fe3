/** Makes the command line's bundle once, before several files that want it begin at the same time. */
import { bundled } from "./bundled.ts";

export default async function setup(): Promise<void> {
  await bundled();
}
