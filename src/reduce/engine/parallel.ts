import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { throwIfAborted } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { any, integer, optional, resolveOptions } from "../../core/options.ts";
import { TagCut } from "../../core/tag-cut.ts";
import type { TagList } from "../../core/tags.ts";
import { fromWireError } from "../../transport/codec.ts";
import { besideModule, startThread } from "../../transport/threads.ts";
import { answersOf, type Reduced } from "../reduce.ts";
import type { Reducer } from "../reducer.ts";
import { beginningMs, HelpRule } from "./help-rule.ts";
import type { Part, PartAnswer, PartModule } from "./part.ts";
import { type Checkpoint, PartialResult } from "./partial-result.ts";

export interface ParallelOptions {
  /** The shots to share out. */
  readonly tags: TagList;
  /**
   * Threads that work at a time beside this one, which waits. By default this thread does the work, and when its first
   * shots show that all would be done clearly sooner, others take the last of them: as many as there are cores, 4 at
   * most with this one. They can when the part reads `tags` as they are, by `shots({ tags })`.
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
  const job = new ParallelJob(module, options, reducers(), accumulatePart);
  if (workers === undefined) await job.asItPays(parts);
  else await job.inThreads(workers, piecesOf(options.tags, parts ?? workers));
  return answersOf(job.total, true);
}

class ParallelJob<R extends Record<string, Reducer<unknown>>> {
  readonly #module: URL;
  readonly #options: ParallelOptions;
  readonly #reducers: R;
  readonly #accumulatePart: PartModule<R>["accumulatePart"];
  #total: PartialResult<R> | undefined;
  /** Shots done in this thread. */
  #doneHere = 0;
  #doneInThreads = 0;
  /** Ends the threads when this one fails. */
  readonly #failed = new AbortController();

  constructor(module: URL, options: ParallelOptions, reducers: R, accumulatePart: PartModule<R>["accumulatePart"]) {
    this.#module = module;
    this.#options = options;
    this.#reducers = reducers;
    this.#accumulatePart = accumulatePart;
  }

  get total(): PartialResult<R> {
    return this.#total ?? new PartialResult(this.#reducers);
  }

  /** This thread does it, and others take the end of the tags when that pays. */
  async asItPays(parts: number | undefined): Promise<void> {
    const helpers = Math.min(availableParallelism(), MOST_DEFAULT_THREADS) - 1;
    // Of its own: others may be reading the list that was given.
    const tags = this.#options.tags.slice();
    const cut = new TagCut(tags);
    const rule = new HelpRule(tags.length, helpers, beginningMs(this.#module));
    let help: Promise<void> | undefined;
    const own = new Promise<void>((resolve, reject) => {
      const look = (done: number): void => {
        const mine = help === undefined ? rule.look(done) : undefined;
        if (mine === undefined) return;
        const others = tags.slice(cut.leave(mine));
        if (others.length === 0) return;
        help = this.inThreads(helpers, piecesOf(others, parts ?? helpers));
        help.catch(reject);
      };
      this.#here(tags, look).then(resolve, reject);
    });
    await own;
    await help;
  }

  async #here(tags: TagList, look: (done: number) => void): Promise<void> {
    const { data, signal } = this.#options;
    const progress = (done: number): void => {
      look(done);
      this.#doneHere = done;
      this.#report();
    };
    try {
      this.#add((await abortable(this.#accumulatePart({ tags, data, progress }), signal)).checkpoint());
    } catch (error) {
      this.#failed.abort();
      throw error;
    }
  }

  async inThreads(size: number, pieces: readonly TagList[]): Promise<void> {
    const { data, signal } = this.#options;
    const onProgress = (done: number): void => {
      this.#doneInThreads = done;
      this.#report();
    };
    const end = AbortSignal.any([this.#failed.signal, ...(signal === undefined ? [] : [signal])]);
    const pool = new WorkerPool(this.#module, size, pieces, { data, onProgress, signal: end });
    try {
      for await (const checkpoint of pool.work()) this.#add(checkpoint);
    } finally {
      await pool.terminate();
    }
  }

  /** The first part is the total: to add it to zeros would take as long as to read several shots. */
  #add(part: Checkpoint): void {
    const adopted = PartialResult.adopt(this.#reducers, part);
    this.#total = this.#total?.merge(adopted) ?? adopted;
  }

  #report(): void {
    const { onProgress, tags } = this.#options;
    onProgress?.(this.#doneHere + this.#doneInThreads, tags.length);
  }
}

const MOST_DEFAULT_THREADS = 4;

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

interface PoolOptions {
  /** Of each part. */
  readonly data: unknown;
  /** Told how many shots are done. */
  readonly onProgress: (done: number) => void;
  readonly signal: AbortSignal;
}

type Done = { readonly thread: Thread; readonly part: number } & (
  | { readonly answer: PartAnswer }
  | { readonly died: Error }
);

/** The threads, and which part each has in hand. */
class WorkerPool {
  readonly #module: URL;
  readonly #size: number;
  readonly #pieces: readonly TagList[];
  readonly #options: PoolOptions;
  readonly #threads: Set<Thread> = new Set();
  /** Shots done, by part; shared with the threads. */
  readonly #progress: Int32Array;

  constructor(module: URL, size: number, pieces: readonly TagList[], options: PoolOptions) {
    this.#module = module;
    this.#size = size;
    this.#pieces = pieces;
    this.#options = options;
    this.#progress = new Int32Array(new SharedArrayBuffer(4 * pieces.length));
  }

  /** The checkpoint of each part, as they end. */
  async *work(): AsyncGenerator<Checkpoint, void, undefined> {
    const pieces = this.#pieces;
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
    this.#options.onProgress(this.#progress.reduce((a, b) => a + b, 0));
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
