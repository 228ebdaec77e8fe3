import { useEffect, useRef, useState } from "react";

/** What was asked for last, and what went wrong when it was asked again. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
}

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
        try {
          const value = await latest.current?.(stop.signal);
          if (!stop.signal.aborted) setState({ key, value, error: undefined });
        } catch (error) {
          if (!stop.signal.aborted)
            setState((before) => ({ key, value: before.key === key ? before.value : undefined, error: textOf(error) }));
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, everyMs);
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

/** Asked once for each key. */
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
