import { useEffect, useRef, useState } from "react";
import { isSaclaError } from "../../src/core/errors.ts";

/** What was asked for last, and what went wrong when it was asked again. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
}

/** What fails so is asked again soon: the server is started anew, say. */
const PASSING = ["UNREACHABLE", "TIMEOUT", "CLOSED", "TOO_MANY_REQUESTS"] as const;
const AGAIN_MS = 2000;

/**
 * Asks again and again while the page is seen: the next time `everyMs` after the answer, so that a slow server is not
 * asked more than it answers. `key` says what is asked; when it changes, the value before is forgotten.
 */
export function usePoll<T>(
  ask: ((signal: AbortSignal) => Promise<T>) | null,
  everyMs: number,
  key: string,
): Polled<T> & { readonly refresh: () => void } {
  const [state, setState] = useState<Polled<T> & { readonly key: string }>({
    key,
    value: undefined,
    error: undefined,
  });
  const latest = useRef(ask);
  latest.current = ask;
  const wake = useRef<() => void>(() => {});
  const isOn = ask !== null;
  useEffect(() => {
    if (!isOn) return;
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        let waitMs = everyMs;
        try {
          const value = await latest.current?.(stop.signal);
          if (!stop.signal.aborted) setState({ key, value, error: undefined });
        } catch (error) {
          if (isSaclaError(error, ...PASSING)) waitMs = Math.min(everyMs, AGAIN_MS);
          if (!stop.signal.aborted)
            setState((before) => ({ key, value: before.key === key ? before.value : undefined, error: textOf(error) }));
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake.current = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        await untilSeen();
      }
    };
    void loop();
    return () => {
      stop.abort("no longer wanted");
      wake.current();
    };
  }, [isOn, everyMs, key]);
  const isOfKey = state.key === key;
  return {
    value: isOfKey ? state.value : undefined,
    error: isOfKey ? state.error : undefined,
    refresh: () => wake.current(),
  };
}

/** Asked until there is an answer, once for each key. */
export function useAsked<T>(ask: ((signal: AbortSignal) => Promise<T>) | null, key: string): Polled<T> {
  return usePoll(ask, 2 ** 30, key);
}

/** Resolves when the page can be seen: nobody is asked for what nobody looks at. */
export async function untilSeen(): Promise<void> {
  while (document.hidden)
    await new Promise<void>((resolve) =>
      document.addEventListener("visibilitychange", () => resolve(), { once: true }),
    );
}

/** Resolves when what has been given to the screen is drawn. */
export async function nextDrawn(): Promise<void> {
  await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
