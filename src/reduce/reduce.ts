import { throwIfAborted } from "../core/async.ts";
import { badArgument, checkOptions } from "../core/guards.ts";
import { type Ledger, LedgerBook } from "../core/ledger.ts";
import { contiguous, type RawImage, shapeOf } from "../core/ndarray.ts";
import { type Shot, Shots } from "../st/shots.ts";
import { type DarkMeans, darkOf, subtractDark } from "./correction.ts";
import type { Accumulator, Reducer } from "./reducer.ts";

export interface ReduceOptions {
  /** Subtract this from every image first. @default nothing */
  readonly dark?: { readonly mean: DarkMeans };
  /** Told after each shot how many are done, and of how many when that is known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly signal?: AbortSignal;
}

type Answer<R> = R extends Reducer<infer T> ? T : never;

/** For each name in `reducers` its answer by sensor id, and the account of the shots. */
export type Reduced<R extends Record<string, Reducer<unknown>>> = {
  readonly [K in keyof R]: Readonly<Record<string, Answer<R[K]>>>;
} & { readonly ledger: Ledger };

/**
 * Asks many questions of the shots in **one pass**, in memory that does not depend on how many shots there are.
 * `ledger` accounts for every shot asked for.
 *
 * @example
 * const { average, adu, ledger } = await reduce(shots, { average: mean(), adu: histogram() }, { dark });
 * average["MPCCD-2B1-M03-001-1"].get(512, 256);
 *
 * @throws BAD_ARGUMENT when a reducer is called `ledger`, or images of a sensor change shape
 * @throws NO_DARK when `dark` lacks a sensor
 */
export async function reduce<R extends Record<string, Reducer<unknown>>>(
  shots: AsyncIterable<Shot>,
  reducers: R,
  options: ReduceOptions = {},
): Promise<Reduced<R>> {
  checkOptions("reduce", options, ["dark", "onProgress", "signal"]);
  if ("ledger" in reducers) throw badArgument("reducer name", "ledger", "another name: the result's ledger is the account of the shots");
  const lanes = new Map<string, Lane>();
  const total = shots instanceof Shots ? await shots.count() : undefined;
  const book = new LedgerBook();
  let done = 0;
  for await (const shot of shots) {
    throwIfAborted(options.signal);
    for (const [detId, image] of Object.entries(shot.images)) {
      let lane = lanes.get(detId);
      if (lane === undefined) {
        lane = new Lane(detId, image, reducers, options.dark);
        lanes.set(detId, lane);
      }
      lane.add(image, shot.tag);
    }
    book.use();
    options.onProgress?.(++done, total);
  }
  const answers = Object.keys(reducers).map((name) => [name, Object.fromEntries([...lanes].map(([detId, lane]) => [detId, lane.result(name)]))]);
  // Only Shots knows what it dropped; any other iterable is what was asked for.
  const ledger = shots instanceof Shots ? shots.ledger : book.ledger;
  return { ...Object.fromEntries(answers), ledger };
}

/** Everything asked of one sensor. */
class Lane {
  readonly #detId: string;
  readonly #rows: number;
  readonly #columns: number;
  readonly #accumulators: Map<string, Accumulator<unknown>>;
  readonly #dark: Float64Array | undefined;
  readonly #corrected: Float32Array;

  constructor(detId: string, image: RawImage, reducers: Record<string, Reducer<unknown>>, dark: ReduceOptions["dark"]) {
    this.#detId = detId;
    [this.#rows, this.#columns] = shapeOf(detId, image);
    this.#dark = dark === undefined ? undefined : darkOf(dark.mean, detId, this.#rows, this.#columns);
    this.#corrected = new Float32Array(this.#dark === undefined ? 0 : this.#rows * this.#columns);
    this.#accumulators = new Map(Object.entries(reducers).map(([name, reducer]) => [name, reducer.create(this.#rows, this.#columns)]));
  }

  add(image: RawImage, tag: number): void {
    const [rows, columns] = shapeOf(this.#detId, image);
    if (rows !== this.#rows || columns !== this.#columns)
      throw badArgument(`shape of ${this.#detId} at tag ${tag}`, image.shape, `[${this.#rows}, ${this.#columns}] as before`);
    let pixels = contiguous(image);
    if (this.#dark !== undefined) {
      subtractDark(pixels, this.#dark, this.#corrected);
      pixels = this.#corrected;
    }
    for (const accumulator of this.#accumulators.values()) accumulator.add(pixels, tag);
  }

  result(name: string): unknown {
    return this.#accumulators.get(name)?.result();
  }
}
