import type { CallOptions } from "../core/async.ts";
import type { Names } from "../core/names.ts";
import type { Pixels, PixelType } from "../core/ndarray.ts";
import type { CallMethod, CallParams, CallResult, StreamItem, StreamMethod, StreamParams } from "./methods.ts";

/** Returns the memory for the pixels of the next frame of a detector; it must have the requested length and type. */
export type FrameMemory = (detId: string, length: number, type: PixelType) => Pixels;

export interface StreamOptions extends CallOptions {
  /**
   * Memory for the frames, so that a reader gets them where it computes, without a copy.
   * @default memory that the stream reuses
   */
  readonly memory?: FrameMemory | undefined;
}

/**
 * What answers requests about the facility: the simulated facility, an HDF5 archive, a server elsewhere. Wrappers take
 * an Endpoint and return one.
 */
export interface Endpoint {
  /** What signals and detectors may be called besides their ids; see `withNames`. */
  readonly names?: Names | undefined;
  /** A request with one answer. Typed arrays in the answer belong to the caller. */
  call<M extends CallMethod>(method: M, params: CallParams<M>, options?: CallOptions): Promise<CallResult<M>>;
  /**
   * A request with many answers, which are made only as fast as they are read. Typed arrays in an item are valid
   * **until the next item is requested**; copy what must live longer. Leaving the loop ends the stream at the source.
   */
  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>>;
  /** Releases everything; a second call does nothing. */
  close(): Promise<void>;
}
