import type { ImageSpec, Shot } from "../../core/shots.ts";

/**
 * One step of a chain of corrections. Steps are applied in the order of the chain, each to what the one before it left,
 * so dark comes before gain, and both before photons.
 */
export interface Correction {
  /** For messages. */
  readonly name: string;
  /** 0-D signals it reads from each shot. @default none */
  readonly signals?: readonly string[];
  /**
   * Everything that changes what it does, as plain values and arrays: checkpoint files hold a digest of it. A
   * correction without settings cannot go into one.
   */
  readonly settings?: unknown;
  /**
   * Begins a pass over shots.
   * @param note - tells the ledger of the result something about a used shot that is not the same for all of them
   * @param amount - adds to an amount in the ledger: a multiple of 2^−20 ({@link quantize}), so that parts add up to
   *   the same bits
   */
  begin(note: (what: string) => void, amount: (what: string, value: number) => void): CorrectionStage;
}

/** A correction at work. What it does for a shot must not allocate memory. */
export interface CorrectionStage {
  /**
   * Looks at a shot before any of its images: why it must be dropped, or null. What its images need is kept until the
   * next shot.
   */
  shot?(shot: Shot): string | null;
  /** No correction wants to drop the shot. */
  accepted?(): void;
  /**
   * What it takes off each pixel, row-major, when that is all that `sensor` does: a chain that begins with it is
   * faster.
   * @default it does something else
   */
  level?(frame: ImageSpec): Float64Array;
  /**
   * True: what is done to a pixel depends on no other pixel and on no shot, so what `sensor` gives also takes pieces of
   * images, which is faster.
   * @default it takes whole images, shot by shot
   */
  readonly pixelwise?: true;
  /**
   * Prepares for a sensor, once; gives what is done to each of its images: row-major, in place. `first` is the number
   * of the first pixel: 0 but for pieces of images, see `pixelwise`.
   */
  sensor?(frame: ImageSpec): (pixels: Float32Array, first: number) => void;
}
