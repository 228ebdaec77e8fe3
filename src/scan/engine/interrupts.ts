import type { Engine } from "./engine.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Ctrl+C for a scan, and the same when the system asks the process to end or the terminal is closed: once stops it at
 * the next checkpoint, and at once when it waits for the beam; twice aborts it, three times leaves its cleanup out.
 * Each says one line. Ends when disposed.
 * @param say - gets the line, with its line break
 */
export function onCtrlC(engine: Engine, say: (line: string) => void): Disposable {
  let times = 0;
  const interrupted = (): void => {
    times++;
    if (times === 1) {
      engine.stop();
      say(`${engine.line}; it ends at the next checkpoint, a wait for the beam at once. Ctrl+C again aborts it.\n`);
    } else {
      engine.abort();
      say(`${engine.line}; the devices go to the safe state.\n`);
    }
  };
  for (const signal of signals) process.on(signal, interrupted);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, interrupted);
    },
  };
}
