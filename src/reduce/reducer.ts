import type { Pixels } from "../core/ndarray.ts";
import type { FrameSpec, Shot } from "../st/shots.ts";
import type { Series } from "./series.ts";

/** One array of a reducer's state: how long it is, and how the arrays of two parts of the shots become one. */
export interface ArrayField {
  readonly type: "float64" | "uint32";
  readonly length: number;
  readonly merge: "sum" | "min" | "max";
}

/** One value per shot, or several: grows with the shots, because it is the answer. */
export interface SeriesField {
  readonly type: "series";
  /** Values per shot. */
  readonly width: number;
}

/** The state of a reducer by name: all of its memory. */
export type Layout = Readonly<Record<string, ArrayField | SeriesField>>;

/** Memory for a layout. Sums begin at 0, minima at Infinity, maxima at −Infinity. */
export type State<L extends Layout> = {
  readonly [K in keyof L]: L[K] extends { type: "series" } ? Series : L[K] extends { type: "uint32" } ? Uint32Array : Float64Array;
};

/**
 * One question asked of every image of one sensor in a pass. All it remembers is in its state, so that the state can be
 * counted, saved, moved to another process and merged by the engine.
 *
 * Sums must be **exact**, so that neither order nor splitting changes a bit of the answer: round what is added with
 * {@link onGrid}.
 */
export interface Reducer<T, L extends Layout = Layout> {
  /** For checkpoints and messages. */
  readonly name: string;
  /** 0-D signals it reads from the shots. @default none */
  readonly signals?: readonly string[] | undefined;
  layout(frame: FrameSpec): L;
  /** Takes in one image, row-major. `pixels` is only valid during the call. */
  add(state: State<L>, pixels: Pixels, shot: Shot, frame: FrameSpec): void;
  /** The answer over all images added so far; must not change the state. */
  result(state: State<L>, frame: FrameSpec): T;
}

/** A reducer whose state is typed by its layout inside and hidden outside. */
export function defineReducer<T, const L extends Layout>(reducer: Reducer<T, L>): Reducer<T> {
  return reducer as unknown as Reducer<T>;
}
