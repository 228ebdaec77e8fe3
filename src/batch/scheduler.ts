import { execFile } from "node:child_process";
import { SaclaError } from "../core/errors.ts";
import { shellWord } from "../core/shell-word.ts";
import type { BatchFolder, Manifest } from "./folder.ts";

/** A file that a scheduler runs. */
export interface JobScript {
  readonly path: string;
  readonly text: string;
}

/** What a job of a reduction is made of. */
export interface JobPlan {
  readonly folder: BatchFolder;
  readonly manifest: Manifest;
  /** The shards to do. */
  readonly shards: readonly number[];
  /** What `sacla` is on the nodes: program and first arguments. */
  readonly command: readonly string[];
  /** Where the jobs run. */
  readonly cwd: string;
  /** Further lines for the scheduler, as its command line takes them: `--partition=main`. */
  readonly options: readonly string[];
}

/** Jobs that were submitted. */
export interface SubmittedJobs {
  readonly shards: readonly string[];
  readonly merge: string;
}

/** A batch scheduler. Of what it says only one thing is relied on: whether it still knows a job. */
export interface Scheduler {
  readonly name: "slurm" | "pbs";
  /** Most shards that one submission may have. */
  mostShards(): Promise<number>;
  shardScripts(plan: JobPlan): readonly JobScript[];
  mergeScript(plan: JobPlan): JobScript;
  /** @throws INCOMPLETE with what the scheduler said */
  submitShards(plan: JobPlan): Promise<readonly string[]>;
  /** The merge begins when these have ended, however. @throws INCOMPLETE */
  submitMerge(plan: JobPlan, after: readonly string[]): Promise<string>;
  /** Those that wait or run, with a word on each; a scheduler that does not answer gives undefined. */
  alive(jobs: readonly string[]): Promise<ReadonlyMap<string, string> | undefined>;
}

/** The exit of a program of the scheduler; never throws. */
export async function answerOf(
  program: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return await new Promise((resolve) => {
    execFile(program, [...args], { timeout: 60_000, maxBuffer: 1 << 26 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, out, err: err === "" && error !== null ? error.message : err });
    });
  });
}

/** @throws INCOMPLETE with what the program said */
export async function submit(program: string, args: readonly string[]): Promise<string> {
  const { code, out, err } = await answerOf(program, args);
  // Federated clusters say ID;CLUSTER.
  const id = out.trim().split("\n").at(-1)?.split(";")[0] ?? "";
  if (code === 0 && id !== "") return id;
  const why = code === 127 ? `${program} is not here; submit on a login node.` : err.trim();
  throw new SaclaError("INCOMPLETE", `The job could not be submitted. ${why}`);
}

/**
 * The end of each script: the shell becomes the program, so that signals of the scheduler reach it. A shell that waits
 * for a program keeps them to itself.
 */
export function becomes({ command, cwd, folder }: JobPlan, ...words: string[]): string {
  const [what = "", ...rest] = words;
  const all = [...command, "reduce-job", what, folder.path].map(shellWord);
  return `cd ${shellWord(cwd)} || exit 1\nexec ${[...all, ...rest].join(" ")}\n`;
}
