import type { Engine } from "./engine.ts";

/**
 * Ctrl+C for a scan: once stops it at the next checkpoint, twice aborts it, three times leaves its cleanup out. Each
 * says one line. Ends when disposed.
 * @param say - gets the line, with its line break
 */
export function onCtrlC(engine: Engine, say: (line: string) => void): Disposable {
  let times = 0;
  const interrupted = (): void => {
    times++;
    if (times === 1) {
      engine.stop();
      say(`${engine.line}; it ends at the next checkpoint. Ctrl+C again aborts it.\n`);
    } else {
      engine.abort();
      say(`${engine.line}; the devices go to the safe state.\n`);
    }
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  return {
    [Symbol.dispose]: () => {
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", interrupted);
    },
  };
}
