import { SaclaError } from "../../core/errors.ts";

/** The runtime this program runs in when it is not Node.js. */
function otherRuntime(): "Deno" | "Bun" | undefined {
  if (process.versions["deno"] !== undefined) return "Deno";
  return process.versions["bun"] === undefined ? undefined : "Bun";
}

/**
 * Whether ZeroMQ is used here. In Deno and Bun it is not, because its native add-on ends the process: Bun 1.4 at the
 * first socket, Deno 2.9 with a segmentation fault when a server is not there.
 */
export function hasZeromq(): boolean {
  return otherRuntime() === undefined;
}

/** @throws NO_ZEROMQ in Deno and Bun */
export function needZeromq(): void {
  const runtime = otherRuntime();
  if (runtime !== undefined)
    throw new SaclaError(
      "NO_ZEROMQ",
      `tcp:// and ipc:// addresses work in Node.js alone: the native add-on of ZeroMQ ends a process of ${runtime}. ` +
        "Use http://HOST:PORT here; sacla serve has --http.",
      { details: { runtime } },
    );
}

/**
 * The package zeromq, whose native add-on is loaded when the first socket is made.
 * @throws NO_ZEROMQ in Deno and Bun, and where the add-on cannot be loaded
 */
export async function loadZeromq(): Promise<typeof import("zeromq")> {
  needZeromq();
  try {
    return await import("zeromq");
  } catch (cause) {
    throw new SaclaError(
      "NO_ZEROMQ",
      "The native add-on of the package zeromq cannot be loaded on this computer, so tcp:// and ipc:// do not work. " +
        "Use http://HOST:PORT; sacla serve has --http.",
      { cause },
    );
  }
}
