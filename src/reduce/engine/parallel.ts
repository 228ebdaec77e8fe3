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
  /** Threads that work at a time. @default 2 */
  readonly workers?: number | undefined;
  /** Pieces the tags are cut into; a piece is what is lost and done again when a worker dies. @default 4 per worker */
  readonly parts?: number | undefined;
  /** Given to each part: any value that can be cloned. */
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
    workers: optional(integer(1, 256), 2),
    parts: optional(integer(1, 100_000)),
    data: any,
    onProgress: any,
    signal: any,
  });
  const pieces = options.tags.split(parts ?? 4 * workers).filter((piece) => piece.length > 0);
  const { reducers } = (await import(module.href)) as { reducers: M["reducers"] };
  throwIfAborted(options.signal);
  const total = new PartialResult(reducers() as ReturnType<M["reducers"]>);
  const pool = new WorkerPool(module, workers, pieces.length, options);
  try {
    for await (const checkpoint of pool.work(pieces)) total.merge(PartialResult.adopt(total.reducers, checkpoint));
  } finally {
    await pool.terminate();
  }
  return resultsOf(total);
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

  constructor(module: URL, size: number, parts: number, options: ParallelOptions) {
    this.#module = module;
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
    const reporter = setInterval(() => this.#report(pieces), PROGRESS_MS);
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
              data: this.#options.data,
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
      this.#report(pieces);
    } finally {
      clearInterval(reporter);
      aborted.release();
    }
  }

  async terminate(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #spawn(): Thread {
    const thread = new Thread(this.#module);
    this.#threads.add(thread);
    return thread;
  }

  #report(pieces: readonly TagList[]): void {
    const total = pieces.reduce((n, piece) => n + piece.length, 0);
    this.#options.onProgress?.(
      this.#progress.reduce((a, b) => a + b, 0),
      total,
    );
  }
}

/** One worker thread. Thread pools on npm wait for ever when a thread exits without an error; this one notices. */
class Thread {
  readonly #worker: Worker;

  constructor(module: URL) {
    const entry = besideModule(import.meta.url, "part-worker");
    this.#worker = startThread(entry, { workerData: { module: module.href } }, module);
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
