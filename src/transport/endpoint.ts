import type { CallOptions } from "../core/async.ts";
import type { Pixels, PixelType } from "../core/ndarray.ts";
import type { CallMethod, CallParams, CallResult, StreamItem, StreamMethod, StreamParams } from "./methods.ts";

/**
 * Gives the memory in which the pixels of the next frame of a detector shall be put; it must have the length and type
 * asked.
 */
export type FrameMemory = (detId: string, length: number, type: PixelType) => Pixels;

export interface StreamOptions extends CallOptions {
  /**
   * Where frames are put, so that a reader can have them where it computes, without a copy.
   * @default memory of the stream's own
   */
  readonly memory?: FrameMemory | undefined;
}

/**
 * The one seam of the project: everything that answers questions about the facility is an Endpoint — the simulated
 * facility, an HDF5 archive, later a server elsewhere. Wrappers take one and give one.
 */
export interface Endpoint {
  /** One question, one answer. Typed arrays in the answer belong to the caller. */
  call<M extends CallMethod>(method: M, params: CallParams<M>, options?: CallOptions): Promise<CallResult<M>>;
  /**
   * Many answers, made only as fast as they are taken. Typed arrays in an item are valid **until the next item is
   * asked for**; copy what must live longer. Leaving the loop ends the stream at the source.
   */
  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>>;
  /** Releases everything; a second call does nothing. */
  close(): Promise<void>;
}
