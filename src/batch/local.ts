import { type ChildProcess, spawn } from "node:child_process";
import { any, integer, resolveOptions } from "../core/options.ts";
import type { BatchFolder, Manifest } from "./folder.ts";
import { shardState } from "./shard.ts";

/** Exit code of a shard that was told to stop and saved what it had: give it the same work again. */
export const EXIT_STOPPED = 75;
/** How often a shard is given to a new process after one has died over it. */
const TRIES = 3;

export interface ProcessOptions {
  /** Processes at a time. */
  readonly jobs: number;
  /** What `sacla` is here: program and first arguments. */
  readonly command: readonly string[];
  readonly stop: AbortSignal;
  /** Told how many shots of all shards asked for are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Reduces shards in processes of their own. A process that dies is replaced, a few times; whether a shard is whole
 * then, its checkpoint says.
 */
export async function reduceInProcesses(
  folder: BatchFolder,
  manifest: Manifest,
  shards: readonly number[],
  options: ProcessOptions,
): Promise<void> {
  const { jobs } = resolveOptions("reduceInProcesses", options, {
    jobs: integer(1, 1024),
    command: any,
    stop: any,
    onProgress: any,
  });
  const { stop, onProgress } = options;
  const states = shards.map((index) => shardState(folder, manifest, index, false));
  const done = new Map(states.map((state) => [state.index, state.done]));
  const total = states.reduce((n, state) => n + state.total, 0);
  const report = (index: number, shots: number): void => {
    done.set(index, shots);
    onProgress?.(
      [...done.values()].reduce((a, b) => a + b, 0),
      total,
    );
  };
  const waiting = [...shards];
  const worker = async (): Promise<void> => {
    for (let index = waiting.shift(); index !== undefined && !stop.aborted; index = waiting.shift())
      await tried(folder, manifest, index, options, report);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, shards.length) }, worker));
}

async function tried(
  folder: BatchFolder,
  manifest: Manifest,
  index: number,
  options: ProcessOptions,
  report: (index: number, shots: number) => void,
): Promise<void> {
  for (let tries = 0; tries < TRIES && !options.stop.aborted; tries++) {
    const ended = await runShard(folder, index, options, report);
    if (ended.code === 0 || shardState(folder, manifest, index, false).state === "whole") return;
    folder.log(folder.shard(index).log, ended.code === EXIT_STOPPED ? "ended" : "failed", {
      message: ended.signal === null ? `exit code ${ended.code}: ${ended.text}` : `ended by ${ended.signal}`,
    });
    // What ended with an error would do so again at once: the merge asks once more.
    if (ended.code !== null && ended.code !== EXIT_STOPPED) return;
  }
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it said. */
  readonly text: string;
}

async function runShard(
  folder: BatchFolder,
  index: number,
  { command, stop }: ProcessOptions,
  report: (index: number, shots: number) => void,
): Promise<Ended> {
  const [program = process.execPath, ...first] = command;
  const child: ChildProcess = spawn(program, [...first, "reduce-job", "shard", folder.path, String(index)], {
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl+C at the terminal is for this process, which tells its children.
    detached: true,
  });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (lines: string) => {
    const last = /progress (\d+)\n$/.exec(lines);
    if (last !== null) report(index, Number(last[1]));
  });
  child.stderr?.setEncoding("utf8").on("data", (more: string) => {
    text = `${text}${more}`.slice(-2000);
  });
  const end = (): void => void child.kill("SIGTERM");
  stop.addEventListener("abort", end, { once: true });
  try {
    return await new Promise<Ended>((resolve) => {
      child.on("error", (error) => resolve({ code: null, signal: null, text: error.message }));
      child.on("close", (code, signal) => resolve({ code, signal, text: text.trim() }));
    });
  } finally {
    stop.removeEventListener("abort", end);
  }
}
