import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { throwIfAborted } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { any, integer, optional, resolveOptions } from "../../core/options.ts";
import type { TagList } from "../../core/tags.ts";
import { fromWireError } from "../../transport/codec.ts";
import { besideModule, startThread } from "../../transport/threads.ts";
import { type Reduced, resultsOf } from "../reduce.ts";
import type { Reducer } from "../reducer.ts";
import type { Part, PartAnswer, PartModule } from "./part.ts";
import { PartialResult } from "./partial-result.ts";

export interface ParallelOptions {
  /** The shots to share out. */
  readonly tags: TagList;
  /**
   * Threads that work at a time. By default the first shots are taken in by this thread, and as many threads as there
   * are cores, 4 at most, begin only when they would be done sooner: a thread needs a while to start.
   */
  readonly workers?: number | undefined;
  /**
   * Pieces the tags are cut into; a piece is what is lost and done again when a worker dies. Each makes its sums anew,
   * which are merged. @default as many as workers
   */
  readonly parts?: number | undefined;
  /** Given to each part: any value that can be cloned, which is done once for each worker. */
  readonly data?: unknown | undefined;
  /** Told how many shots are done, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How often a part is given to a new worker after one has died over it. */
const TRIES = 3;
/** How often progress is looked at. */
const PROGRESS_MS = 100;

/**
 * Reduces the shots in several threads. Each part of the tags is taken in by a {@link PartModule}, which opens a
 * connection of its own; the parts merge to the same bits as one pass, however many workers there are. A worker that
 * dies is replaced and its part is done again; an error of the part itself ends the work.
 *
 * Threads help where a core is the limit (gzip, simulated images, corrections); images that are only summed from memory
 * are limited by the memory, which one core nearly saturates.
 *
 * @param module - a file that exports `reducers` and `accumulatePart`, as {@link PartModule} says
 * @throws WORKER_LOST when workers die over the same part again and again
 * @throws ABORTED when the signal fires
 * @example
 * // average-part.ts
 * export const reducers = () => ({ average: mean() });
 * export const accumulatePart = async ({ tags, data, progress }) => {
 *   await using facility = await connect(data.url);
 *   const shots = facility.shots({ run: data.run, detectors: data.detectors, tags });
 *   return await accumulate(shots, reducers(), { onProgress: progress });
 * };
 * // main.ts
 * const part = new URL("./average-part.ts", import.meta.url);
 * const { average, ledger } = await reduceInParallel<typeof import("./average-part.ts")>(part, { tags, data });
 */
export async function reduceInParallel<M extends PartModule<Record<string, Reducer<unknown>>>>(
  module: URL,
  options: ParallelOptions,
): Promise<Reduced<ReturnType<M["reducers"]>>> {
  const { workers, parts } = resolveOptions("reduceInParallel", options, {
    tags: any,
    workers: optional(integer(1, 256)),
    parts: optional(integer(1, 100_000)),
    data: any,
    onProgress: any,
    signal: any,
  });
  const { reducers, accumulatePart } = (await import(module.href)) as PartModule<ReturnType<M["reducers"]>>;
  throwIfAborted(options.signal);
  const total = new PartialResult(reducers());
  const here = async (tags: TagList, before: number, onProgress?: (done: number) => void): Promise<void> => {
    const progress = (done: number): void => {
      onProgress?.(done);
      options.onProgress?.(before + done, options.tags.length);
    };
    total.merge(await abortable(accumulatePart({ tags, data: options.data, progress }), options.signal));
  };
  const inThreads = async (size: number, pieces: readonly TagList[], before: number): Promise<void> => {
    const pool = new WorkerPool(module, size, pieces.length, before, options);
    try {
      for await (const checkpoint of pool.work(pieces)) total.merge(PartialResult.adopt(total.reducers, checkpoint));
    } finally {
      await pool.terminate();
    }
  };
  if (workers !== undefined) await inThreads(workers, piecesOf(options.tags, parts ?? workers), 0);
  else await asItPays(options.tags, parts, here, inThreads);
  return resultsOf(total);
}

/** Shots of the trial, at least and at most; of many shots this part: meanwhile the other cores have nothing to do. */
const TRIAL_SHOTS = [4, 32] as const;
const TRIAL_PART = 1 / 8;
const MOST_DEFAULT_WORKERS = 4;
/** What threads cost before their first shot and after the last one, in seconds: start, connection, merge. */
const THREAD_SECONDS = 0.6;
/** How much longer a shot may take beside others, which share the memory. */
const CROWDED = 1.5;

/** @internal The first shots by this thread; the others by it too, or by as many threads as there are cores. */
export async function asItPays(
  tags: TagList,
  parts: number | undefined,
  here: (tags: TagList, before: number, onProgress?: (done: number) => void) => Promise<void>,
  inThreads: (size: number, pieces: readonly TagList[], before: number) => Promise<void>,
): Promise<void> {
  const size = Math.min(availableParallelism(), MOST_DEFAULT_WORKERS);
  const [least, most] = TRIAL_SHOTS;
  const trial = size === 1 ? tags.length : Math.max(least, Math.min(most, Math.ceil(tags.length * TRIAL_PART)));
  const times: number[] = [];
  await here(tags.slice(0, trial), 0, () => times.push(performance.now()));
  const rest = tags.slice(trial);
  if (rest.length === 0) return;
  // The first shot pays for what is done once. A part that tells no progress is not known to be long.
  const msPerShot = times.length < 2 ? 0 : ((times.at(-1) ?? 0) - (times[0] ?? 0)) / (times.length - 1);
  const alone = (msPerShot * rest.length) / 1000;
  if (THREAD_SECONDS + (CROWDED * alone) / size < alone) await inThreads(size, piecesOf(rest, parts ?? size), trial);
  else await here(rest, trial);
}

function piecesOf(tags: TagList, parts: number): readonly TagList[] {
  return tags.split(parts).filter((piece) => piece.length > 0);
}

/** As `work`, until the signal fires; what goes on then is not waited for. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = abortOf(signal);
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    aborted.release();
  }
}

type Done = { readonly thread: Thread; readonly part: number } & (
  | { readonly answer: PartAnswer }
  | { readonly died: Error }
);

/** The threads, and which part each has in hand. */
class WorkerPool {
  readonly #module: URL;
  readonly #size: number;
  readonly #options: ParallelOptions;
  readonly #threads: Set<Thread> = new Set();
  /** Shots done, by part; shared with the threads. */
  readonly #progress: Int32Array;
  /** Shots done before the pool began. */
  readonly #before: number;

  constructor(module: URL, size: number, parts: number, before: number, options: ParallelOptions) {
    this.#module = module;
    this.#before = before;
    this.#size = size;
    this.#options = options;
    this.#progress = new Int32Array(new SharedArrayBuffer(4 * parts));
  }

  /** The checkpoint of each part, as they end. */
  async *work(
    pieces: readonly TagList[],
  ): AsyncGenerator<Extract<PartAnswer, { checkpoint: unknown }>["checkpoint"], void, undefined> {
    const waiting = pieces.map((_, part) => ({ part, tries: 0 }));
    const inHand = new Map<Promise<Done>, { part: number; tries: number }>();
    const { signal } = this.#options;
    const aborted = abortOf(signal);
    const reporter = setInterval(() => this.#report(), PROGRESS_MS);
    const idle: Thread[] = [];
    try {
      while (waiting.length > 0 || inHand.size > 0) {
        while (waiting.length > 0 && inHand.size < this.#size) {
          const job = waiting.shift();
          const tags = job === undefined ? undefined : pieces[job.part];
          if (job === undefined || tags === undefined) break;
          const thread = idle.pop() ?? this.#spawn();
          inHand.set(
            thread.run({
              part: job.part,
              hightag: tags.hightag,
              tags: tags.values,
              progress: this.#progress,
            }),
            job,
          );
        }
        const racing = [...inHand.keys()];
        const done = await Promise.race([aborted.promise, ...racing]);
        const finished = racing.find((promise) => inHand.get(promise)?.part === done.part);
        const job = finished === undefined ? undefined : inHand.get(finished);
        if (finished === undefined || job === undefined)
          throw new SaclaError("INTERNAL", `A part nobody asked for came back: ${done.part}.`);
        inHand.delete(finished);
        if ("died" in done) {
          this.#threads.delete(done.thread);
          if (job.tries + 1 >= TRIES) {
            throw new SaclaError(
              "WORKER_LOST",
              `Workers died ${TRIES} times over the same part of the shots: ${done.died.message}`,
              {
                cause: done.died,
                details: { part: job.part },
              },
            );
          }
          Atomics.store(this.#progress, job.part, 0);
          waiting.unshift({ part: job.part, tries: job.tries + 1 });
          continue;
        }
        idle.push(done.thread);
        if ("error" in done.answer) throw fromWireError(done.answer.error);
        yield done.answer.checkpoint;
      }
      this.#report();
    } finally {
      clearInterval(reporter);
      aborted.release();
    }
  }

  async terminate(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #spawn(): Thread {
    const thread = new Thread(this.#module, this.#options.data);
    this.#threads.add(thread);
    return thread;
  }

  #report(): void {
    const done = this.#progress.reduce((a, b) => a + b, this.#before);
    this.#options.onProgress?.(done, this.#options.tags.length);
  }
}

/** One worker thread. Thread pools on npm wait for ever when a thread exits without an error; this one notices. */
class Thread {
  readonly #worker: Worker;

  /** @param data - of each part */
  constructor(module: URL, data: unknown) {
    const entry = besideModule(import.meta.url, "part-worker");
    this.#worker = startThread(entry, { workerData: { module: module.href, data } }, module);
    this.#worker.setMaxListeners(0);
  }

  /** Never rejects: death is an answer too. */
  run(part: Part): Promise<Done> {
    return new Promise((resolve) => {
      const settle = (outcome: { answer: PartAnswer } | { died: Error }): void => {
        this.#worker.off("message", answered).off("error", failed).off("exit", exited);
        resolve({ thread: this, part: part.part, ...outcome });
      };
      const answered = (answer: PartAnswer): void => settle({ answer });
      const failed = (died: Error): void => settle({ died });
      const exited = (code: number): void => settle({ died: new Error(`the thread exited with code ${code}`) });
      this.#worker.on("message", answered).on("error", failed).on("exit", exited);
      this.#worker.postMessage(part);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

function abortOf(signal: AbortSignal | undefined): { promise: Promise<never>; release(): void } {
  let stop = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    stop = () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
  // Nobody may be waiting when it fires.
  promise.catch(() => {});
  return { promise, release: () => signal?.removeEventListener("abort", stop) };
}
