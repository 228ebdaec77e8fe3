import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Sets the niceness of this thread alone, which Linux allows. Where it is not allowed nothing happens. */
export function setThreadPriority(niceness: number): void {
  try {
    setPriority(Number(readlinkSync("/proc/thread-self").split("/").at(-1)), niceness);
  } catch {
    // Another system, or a niceness below 0 without the permission for it.
  }
}
