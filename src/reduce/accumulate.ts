/**
 * How one pass over the shots works. The path of an image of one sensor:
 *
 * ```text
 * ShotStream          reads the image; where it can, straight into the memory of the kernel
 *     │
 * ReducePass          one loop over the shots; counts each shot in the ledger as used or dropped
 *     │
 * CorrectionChain     only when corrections are given: drops a shot, or gives a corrected float32 image. Where all that
 *     │               is asked goes by SensorKernel, and each pixel is corrected by itself, that kernel corrects too
 *     │
 * SensorFeed          one for each sensor; gives the image to each reducer in one of three ways
 *     ├─▶ SensorKernel      sums, squares, least and greatest value, histogram, and what a reducer counts itself
 *     │       │             (OwnStatistic): in WebAssembly, 8 images at a time, in an AccumulatorSet; later added to
 *     │       │             the state by `kernel.flush`
 *     ├─▶ Reducer.add       any other reducer, image by image; the dark is subtracted before, in WebAssembly too
 *     └─▶ SensorFeed        of the class of the shot, for `byClass`
 *             │
 * State               plain arrays in the `layout` of the reducer, one state for each reducer and sensor
 *     │
 * PartialResult       all states and the ledger; can be merged, saved and loaded
 *     │
 * resultsOf           calls `Reducer.result` for each state
 * ```
 *
 * A cube takes another way after the corrections: each bin has states of its own, and TiledBatch counts a few images
 * of a bin slice by slice. reduceInParallel runs such a pass in each thread and merges the partial results.
 * All sums are exact (exact.ts), so every way gives the same bits.
 * @module
 */
import { LedgerBook, onlyDropped } from "../core/ledger.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { ImageSpec, ShotStream } from "../core/shots.ts";
import { PartialResult } from "./engine/partial-result.ts";
import { layoutBytes } from "./engine/state.ts";
import { type AccumulateOptions, ReducePass, workingBytes } from "./pass.ts";
import type { Reducer } from "./reducer.ts";

type Reducers = Record<string, Reducer<unknown>>;

/** How images will be read, for {@link memoryOf}. */
export interface Reading {
  /** Images held at a time of each sensor: `depth` of the shots. */
  readonly depth: number;
  /** Whether a dark is subtracted. */
  readonly dark?: boolean;
}

/**
 * Bytes the reducers will remember for images like these, before anything is read; series grow with the shots on top.
 * @param reading - also count what is needed while shots are read: images read ahead, and the memory of the kernel
 * @example
 * const shots = facility.shots({ run, detectors });
 * memoryOf(await shots.describe(), { average: mean(), adu: histogram() }, { depth: shots.depth, dark: true });
 */
export function memoryOf(frames: readonly ImageSpec[], reducers: Reducers, reading?: Reading): number {
  const all = Object.values(reducers);
  const states = frames.reduce(
    (bytes, frame) => bytes + all.reduce((sum, reducer) => sum + layoutBytes(reducer.layout(frame)), 0),
    0,
  );
  return reading === undefined ? states : states + workingBytes(frames, all, reading.depth, reading.dark ?? false);
}

/**
 * Takes in the shots, once each. The result can be merged with other parts, saved and asked for its answers
 * ({@link resultsOf}).
 * @param into - goes on from these; they are changed and returned. When the reading fails or is aborted on the way,
 *   they hold the shots that their ledger has, and no others: go on with the tags that `shots.ledger` has as `not-read`
 * @throws BAD_ARGUMENT when a correction needs a signal that the shots do not carry, or `into` has images of another
 *   shape or dark
 */
export async function accumulate<R extends Reducers>(
  shots: ShotStream,
  reducers: R,
  options: AccumulateOptions = {},
  into: PartialResult<R> = new PartialResult(reducers),
): Promise<PartialResult<R>> {
  resolveOptions("reduce", options, { dark: any, corrections: any, onProgress: any, signal: any });
  const book = new LedgerBook();
  const pass = new ReducePass(into, reducers, options, book);
  try {
    await pass.run(shots);
  } finally {
    // Also when it fails on the way: the states hold the shots seen so far.
    pass.flush();
    if (shots.ledger !== undefined) into.account(onlyDropped(shots.ledger));
    into.account(book.ledger);
    into.took(pass.used);
  }
  return into;
}
