import type { TagList } from "../../core/tags.ts";
import type { WireError } from "../../transport/codec.ts";
import type { Reducer } from "../reducer.ts";
import type { Checkpoint, PartialResult } from "./partial-result.ts";

/** What a worker is asked to take in. */
export interface PartTask {
  readonly tags: TagList;
  /** What the main program gave. */
  readonly data: unknown;
  /** Tell it after each shot how many are done, as `onProgress` of accumulate does. */
  readonly progress: (done: number) => void;
}

/**
 * A file whose exports say how a part of the shots is taken in; it is loaded by the main program and by each worker.
 */
export interface PartModule<R extends Record<string, Reducer<unknown>>> {
  /** The same reducers each time. */
  reducers(): R;
  /** Opens a connection of its own, accumulates the tags, closes. */
  accumulatePart(task: PartTask): Promise<PartialResult<R>>;
}

/** @internal A part as it travels to a thread. */
export interface Part {
  readonly part: number;
  readonly hightag: number;
  readonly tags: Uint32Array;
  readonly progress: Int32Array;
}

/** @internal What a thread answers. */
export type PartAnswer = { readonly checkpoint: Checkpoint } | { readonly error: WireError };
