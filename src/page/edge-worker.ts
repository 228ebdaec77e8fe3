import type { Worker } from "node:worker_threads";
import { SaclaError } from "../core/errors.ts";
import { contiguous, type Pixels, type RawImage, shapeOf } from "../core/ndarray.ts";
import type { EdgeFinderState, ShotEdge } from "../timing/index.ts";
import { fromWireError, type WireError } from "../transport/codec.ts";
import { besideModule, startThread } from "../transport/threads.ts";

/** What the thread is given when it begins. */
export interface EdgeTask {
  /** What a finder has learnt; null: it learns by itself. */
  readonly finder: EdgeFinderState | null;
  /** Whether the shots until "learn" are only to learn from; else it learns from the first ones. */
  readonly learnsFirst: boolean;
}

/** What the thread is told. */
export type EdgeOrder =
  | {
      readonly kind: "shot";
      readonly tag: number;
      readonly xrays: boolean;
      readonly image: { readonly data: Pixels; readonly shape: readonly [number, number] };
    }
  | { readonly kind: "learn" };

/** What it answers. */
export type EdgeAnswer =
  | { readonly kind: "taken" }
  | { readonly kind: "edge"; readonly edge: ShotEdge }
  | { readonly kind: "failed"; readonly error: WireError };

/** A thread that finds timing edges. */
export class EdgeWorker {
  readonly #thread: Worker;

  constructor(task: EdgeTask) {
    this.#thread = startThread(besideModule(import.meta.url, "edge-thread"), { workerData: task });
    this.#thread.unref();
  }

  /**
   * Learns from a shot, or finds its edge. The memory of the image is given away.
   * @returns undefined: it was taken to learn from
   * @throws as `findEdges` and `learnEdges`
   */
  async take(tag: number, xrays: boolean, image: RawImage): Promise<ShotEdge | undefined> {
    const data = contiguous(image);
    const answer = await this.#ask({ kind: "shot", tag, xrays, image: { data, shape: shapeOf("image", image) } }, [
      data.buffer as ArrayBuffer,
    ]);
    return answer.kind === "edge" ? answer.edge : undefined;
  }

  /** Resolves when it has learnt from the shots so far. @throws NO_LASER_ONLY, NO_SHOTS, NO_EDGES */
  async learn(): Promise<void> {
    await this.#ask({ kind: "learn" });
  }

  close(): void {
    void this.#thread.terminate();
  }

  async #ask(order: EdgeOrder, memory: ArrayBuffer[] = []): Promise<EdgeAnswer> {
    const thread = this.#thread;
    const answer = await new Promise<EdgeAnswer>((resolve, reject) => {
      const done = (): void => void thread.off("message", answered).off("error", failed).off("exit", ended);
      const answered = (found: EdgeAnswer): void => {
        done();
        resolve(found);
      };
      const failed = (error: unknown): void => {
        done();
        reject(error);
      };
      const ended = (): void => failed(new SaclaError("ABORTED", "The thread that finds timing edges has ended."));
      thread.on("message", answered).on("error", failed).on("exit", ended);
      thread.postMessage(order, memory);
    });
    if (answer.kind === "failed") throw fromWireError(answer.error);
    return answer;
  }
}
