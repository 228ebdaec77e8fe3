import { chmodSync } from "node:fs";
import { sleep } from "../core/async.ts";
import { SaclaError, show } from "../core/errors.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import { replaceFile } from "../files/index.ts";
import type { BatchFolder, LogEntry, Manifest } from "./folder.ts";
import type { JobPlan, Scheduler, SubmittedJobs } from "./scheduler.ts";
import { shardState } from "./shard.ts";

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Longest time between two questions to the scheduler; after a change the next ones come sooner. @default 5000 */
  readonly pollMs?: number | undefined;
  readonly onProgress?: ((done: number, total: number, jobs: string) => void) | undefined;
}

/** A merge job that is gone without a word is submitted again so often. */
const RESUBMISSIONS = 2;
/** A job must be missing in so many answers one after another, `pollMs` apart, before it counts as gone. */
const MISSING_POLLS = 3;
/** Time after a change to the next question to the scheduler; while nothing changes it grows by half each time. */
const SOONEST_MS = 500;
/** How often the log of the folder is looked at. */
const LOOK_MS = 500;

/** Writes the scripts of a plan into its folder. @throws WRITE_FAILED */
function writeScripts(scheduler: Scheduler, plan: JobPlan): void {
  for (const { path, text } of [...scheduler.shardScripts(plan), scheduler.mergeScript(plan)]) {
    replaceFile(path, text);
    chmodSync(path, 0o755);
  }
}

/** Submits the shards that are not whole, and the merge after them; notes the jobs. @throws INCOMPLETE */
export async function submitJobs(scheduler: Scheduler, plan: JobPlan): Promise<SubmittedJobs> {
  const { folder, shards } = plan;
  writeScripts(scheduler, plan);
  const ids = shards.length === 0 ? [] : await scheduler.submitShards(plan);
  const merge = await scheduler.submitMerge(plan, ids);
  const jobs = { shards: ids, merge };
  folder.log(folder.logPath, "submitted", { scheduler: scheduler.name, ...jobs });
  return jobs;
}

/** The jobs that were submitted last, and what became of them. */
export function lastJobs(
  folder: BatchFolder,
): { readonly jobs: SubmittedJobs; readonly later: LogEntry[] } | undefined {
  const entries = folder.entries(folder.logPath);
  const at = entries.findLastIndex(({ event }) => event === "submitted");
  const entry = entries[at];
  if (entry === undefined) return undefined;
  const { shards, merge } = entry as unknown as SubmittedJobs;
  return { jobs: { shards, merge }, later: entries.slice(at + 1) };
}

/**
 * Waits until the merge job says in the folder that it is done. What the scheduler says of exit codes is not asked.
 * @throws INCOMPLETE with the sentence of the merge job, or when jobs were lost again and again
 * @throws ABORTED when the signal fires: the jobs go on
 */
export async function watchJobs(scheduler: Scheduler, plan: JobPlan, options: WatchOptions): Promise<void> {
  const { pollMs } = resolveOptions("watchJobs", options, {
    signal: any,
    pollMs: optional(integer(10), 5000),
    onProgress: any,
  });
  const { signal, onProgress } = options;
  const { folder, manifest } = plan;
  let [missing, resubmitted] = [0, 0];
  let [wait, before] = [SOONEST_MS, ""];
  for (;;) {
    const last = lastJobs(folder);
    if (last === undefined) throw new SaclaError("INTERNAL", `No job of ${show(folder.path)} was submitted.`);
    const outcome = outcomeOf(last.later);
    if (outcome?.event === "merged") return;
    if (outcome !== undefined) throw new SaclaError("INCOMPLETE", String(outcome["message"]));
    const { shards, merge } = last.jobs;
    const alive = await scheduler.alive([...shards, merge]);
    onProgress?.(...progressOf(folder, manifest), wordOn(alive, merge));
    missing = alive === undefined || alive.has(merge) ? 0 : missing + 1;
    if (missing >= MISSING_POLLS) {
      if (resubmitted++ === RESUBMISSIONS)
        throw new SaclaError(
          "INCOMPLETE",
          `The merge job ${merge} is not there any more and left no word, ${RESUBMISSIONS + 1} times: it was ` +
            `canceled, or its node or time was lost. Its output is in ${show(folder.path)}.`,
          { details: { folder: folder.path, job: merge } },
        );
      missing = 0;
      const left = shards.filter((id) => alive?.has(id) === true);
      const jobs = { shards, merge: await scheduler.submitMerge(plan, left) };
      folder.log(folder.logPath, "submitted", { scheduler: scheduler.name, ...jobs, instead: merge });
    }
    const told = JSON.stringify([...(alive ?? [])]);
    wait = missing > 0 ? pollMs : Math.min(pollMs, told === before ? 1.5 * wait : SOONEST_MS);
    before = told;
    await untilMerged(folder, wait, signal);
  }
}

/** What the merge job said of its end. */
function outcomeOf(entries: readonly LogEntry[]): LogEntry | undefined {
  return entries.find(({ event }) => event === "merged" || event === "merge-failed");
}

/** Sleeps, but not longer than until the merge job has said that it is done. */
async function untilMerged(folder: BatchFolder, ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms; left > 0; left -= LOOK_MS) {
    await sleep(Math.min(left, LOOK_MS), signal);
    if (outcomeOf(lastJobs(folder)?.later ?? []) !== undefined) return;
  }
}

function wordOn(alive: ReadonlyMap<string, string> | undefined, merge: string): string {
  if (alive === undefined) return "the scheduler does not answer";
  const [shards] = [...alive].filter(([id]) => id !== merge);
  return shards === undefined ? `merge ${alive.get(merge) ?? "ended"}` : `shards ${shards[1]}`;
}

function progressOf(folder: BatchFolder, manifest: Manifest): [done: number, total: number] {
  const states = manifest.shards.map((_, index) => {
    const state = shardState(folder, manifest, index, false);
    if (state.state === "whole") return state;
    // Between two checkpoints the log knows more.
    const said = folder.entries(folder.shard(index).log).findLast(({ done }) => typeof done === "number");
    return { ...state, done: Math.max(state.done, Number(said?.["done"] ?? 0)) };
  });
  return [states.reduce((n, { done }) => n + done, 0), states.reduce((n, { total }) => n + total, 0)];
}
