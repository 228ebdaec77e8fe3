import { useSyncExternalStore } from "react";
import type { Control } from "../../src/ec/control.ts";
import type { Experiment } from "../../src/ec/experiment.ts";
import { ec } from "../server/connection.ts";
import { textOf } from "../server/use-poll.ts";

/** The lease of this window: at most one. */
interface Held {
  readonly control: Control | null;
  /** What went wrong last, or how the lease ended. */
  readonly error: string | null;
}

let held: Held = { control: null, error: null };
const listeners = new Set<() => void>();

/** Motion goes on at most so long after the window has died. Browsers run hidden windows once a second, later rarer. */
const TTL_MS = 15_000;

export function useHeld(): Held {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => held,
  );
}

export async function takeLease(
  bl: number,
  name: string,
  reason: string,
  experiment: Experiment | undefined,
): Promise<void> {
  try {
    const control = await ec.control(bl, { name, reason, experiment, ttlMs: TTL_MS });
    control.signal.addEventListener("abort", () => {
      if (held.control === control)
        tell({ control: null, error: `The lease is lost: ${textOf(control.signal.reason)}` });
    });
    tell({ control, error: null });
  } catch (error) {
    tell({ control: null, error: textOf(error) });
  }
}

/** Gives the lease back: axes that still move are stopped. */
export async function releaseLease(): Promise<void> {
  const { control } = held;
  tell({ control: null, error: null });
  await control?.release();
}

export function forgetError(): void {
  tell({ ...held, error: null });
}

/** Does something under the lease; what goes wrong is shown by `HeldAlert`. */
export async function underLease(work: (control: Control) => Promise<unknown>): Promise<void> {
  const { control } = held;
  if (control === null) return;
  tell({ ...held, error: null });
  try {
    await work(control);
  } catch (error) {
    tell({ ...held, error: textOf(error) });
  }
}

function tell(next: Held): void {
  held = next;
  for (const listener of listeners) listener();
}
