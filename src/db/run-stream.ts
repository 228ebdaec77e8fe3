import { type CallOptions, sleep } from "../core/async.ts";
import { asFinite, asInteger } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { ask } from "./ask.ts";
import { DEFAULT_POLL_MS, Run } from "./run.ts";

export interface RunsOptions {
  readonly bl: number;
  /**
   * How many of the existing runs, the newest ones; with `follow`, how many to begin with, and 0 means only runs that
   * appear later.
   * @default 10, or 1 with follow
   */
  readonly last?: number | undefined;
  /** Never ends: yields each run when it has stopped. @default false */
  readonly follow?: boolean | undefined;
  /** Milliseconds between two requests, with follow. @default 1000 */
  readonly pollMs?: number | undefined;
  /** Ends the loop with ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** The most runs one question may ask for (the method table's limit). */
const MAX_RUNS = 100_000;

/** See `Db.runs`. */
export function streamRuns<N extends string>(
  endpoint: Endpoint,
  options: RunsOptions,
): AsyncGenerator<Run<N>, void, undefined> {
  const {
    bl,
    last,
    follow = false,
    pollMs = DEFAULT_POLL_MS,
    signal,
  } = resolveOptions("runs", options, { bl: any, last: any, follow: any, pollMs: any, signal: any });
  const count = asInteger("last", last ?? (follow ? 1 : 10), follow ? 0 : 1, MAX_RUNS);
  asFinite("pollMs", pollMs, 1);
  return follow ? followRuns(endpoint, bl, count, pollMs, { signal }) : lastRuns(endpoint, bl, count, { signal });
}

/** The run's handle, with what is recorded now. @throws UNKNOWN_RUN */
export async function loadRun<N extends string>(
  endpoint: Endpoint,
  bl: number,
  run: number,
  options: CallOptions | undefined,
): Promise<Run<N>> {
  return new Run<N>(endpoint, bl, run, await ask(endpoint, "db.readRuninfo", { bl, run }, options));
}

async function* lastRuns<N extends string>(
  endpoint: Endpoint,
  bl: number,
  last: number,
  options: CallOptions,
): AsyncGenerator<Run<N>, void, undefined> {
  for (const run of await ask(endpoint, "db.listRuns", { bl, last }, options))
    yield await loadRun(endpoint, bl, run, options);
}

async function* followRuns<N extends string>(
  endpoint: Endpoint,
  bl: number,
  last: number,
  pollMs: number,
  options: CallOptions,
): AsyncGenerator<Run<N>, void, undefined> {
  const existing = await ask(endpoint, "db.listRuns", { bl, last: Math.max(last, 1) }, options);
  let newest = existing.at(-1) ?? 0;
  // Kept as a set: a run that never stops must not hold back those after it.
  const waiting = new Set(last === 0 ? [] : existing);
  for (;;) {
    for (const run of waiting) {
      if ((await ask(endpoint, "db.readRunstatus", { bl, run }, options)) !== 0) continue;
      waiting.delete(run);
      yield await loadRun(endpoint, bl, run, options);
    }
    await sleep(pollMs, options.signal);
    for (const run of await runsAfter(endpoint, bl, newest, options)) {
      waiting.add(run);
      newest = run;
    }
  }
}

/** Every run newer than `newest`, ascending, however many began since. */
async function runsAfter(endpoint: Endpoint, bl: number, newest: number, options: CallOptions): Promise<number[]> {
  for (let last = 8; ; last = Math.min(last * 8, MAX_RUNS)) {
    const runs = await ask(endpoint, "db.listRuns", { bl, last }, options);
    const reachesBack = runs.length < last || (runs[0] ?? 0) <= newest || last === MAX_RUNS;
    if (reachesBack) return runs.filter((run) => run > newest);
  }
}
