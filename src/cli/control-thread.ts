import { parentPort, workerData } from "node:worker_threads";
import { toWireError } from "../transport/codec.ts";
import { type ServingNote, type ServingTask, serveHere } from "./serving.ts";
import { setThreadPriority } from "./thread-priority.ts";
import { collectInSteps } from "./v8-flags.ts";

/** Before all others, where the system permits it. */
const CONTROL_NICENESS = -10;

/** Serves in a thread of its own, which nothing but its own short work can hold up. */
const port = parentPort;
if (port !== null) {
  setThreadPriority(CONTROL_NICENESS);
  collectInSteps();
  const stop = new AbortController();
  port.on("message", () => stop.abort());
  const tell = (note: ServingNote): void => port.postMessage(note);
  serveHere(
    workerData as ServingTask,
    {
      out: (text) => tell({ kind: "out", text }),
      err: (text) => tell({ kind: "err", text }),
      signal: stop.signal,
    },
    (addresses) => tell({ kind: "ready", addresses }),
  )
    .then(
      () => tell({ kind: "ended" }),
      (error: unknown) => tell({ kind: "ended", error: toWireError(error) }),
    )
    // Deno 2.9 gives the port no close(); what was posted has been sent by then.
    .finally(() => ("close" in port ? port.close() : setImmediate(() => process.exit(0))));
}
