import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Jobs that a process has at a time. */
const AHEAD = 32;
const LONGEST_MS = 120_000;

/** A process that ended, or gave no answer in two minutes; it is started anew for the jobs that follow. */
export type Failed = "crashed" | "hung";

/** A process that answers one line of JSON to each line, in order. */
export class Answering<T> {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #jobs: readonly string[];
  #process: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;
  #asked = 0;
  #answered = 0;

  constructor(command: string, args: readonly string[], jobs: readonly string[]) {
    this.#command = command;
    this.#args = args;
    this.#jobs = jobs;
  }

  /** The answer to the next job. */
  async next(): Promise<T | Failed> {
    if (this.#process === undefined) this.#start();
    while (this.#asked < Math.min(this.#jobs.length, this.#answered + AHEAD))
      this.#process?.stdin?.write(`${this.#jobs[this.#asked++]}\n`);
    this.#answered++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), LONGEST_MS);
    });
    const line = await Promise.race([this.#lines?.next(), late]);
    clearTimeout(timer);
    if (line !== "late" && line?.done === false) return JSON.parse(line.value) as T;
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
    return line === "late" ? "hung" : "crashed";
  }

  async close(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.stdin?.end();
    await ended;
  }

  #start(): void {
    this.#process = spawn(this.#command, this.#args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin?.on("error", () => {
      // It ended: the next line that does not come says so.
    });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("no output");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    this.#asked = this.#answered;
  }
}
