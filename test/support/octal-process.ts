import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ZmqOptions } from "../../src/transport/zmq/client.ts";
import { bundled } from "./bundled.ts";

/** A program of {@link bundled} in a process of its own, from which lines of JSON come. */
export class ScriptProcess {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, args: readonly string[]) {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line it writes. */
  async line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the process has ended");
    return JSON.parse(value) as unknown;
  }

  /** Sends a line and gives the one that answers it. */
  async ask(text = ""): Promise<unknown> {
    this.child.stdin?.write(`${text}\n`);
    return await this.line();
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.child.kill(signal);
  }
}

/** A server of an OctalSource in a process of its own. */
export async function startOctal(
  shots: number,
  { delayMs = 0, address = "tcp://127.0.0.1:*", curve = false, silenceMs = 30_000 } = {},
): Promise<{ process: ScriptProcess; address: string; options: ZmqOptions }> {
  const program = await bundled(fileURLToPath(new URL("octal-server.ts", import.meta.url)));
  const child = new ScriptProcess(program, [
    String(shots),
    String(delayMs),
    address,
    curve ? "curve" : "plain",
    String(silenceMs),
  ]);
  const { address: bound, curve: keys } = (await child.line()) as { address: string; curve?: ZmqOptions["curve"] };
  return { process: child, address: bound, options: keys === undefined ? {} : { curve: keys } };
}
