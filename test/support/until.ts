import { vi } from "vitest";

/**
 * How long is waited for what must come, ms. Nothing is measured by it, it only names what did not come: a loaded
 * computer takes ten times as long as a quiet one, and may do nothing at all for seconds. `expect.poll` waits as long.
 */
export const WAIT_MS = 240_000;

/** Resolves when `is` gives something true. */
export async function until(is: () => unknown): Promise<void> {
  await vi.waitUntil(is, { timeout: WAIT_MS, interval: 1 });
}
