import type { Pixels, PixelType } from "../core/ndarray.ts";
import type { ImageSpec, Shot } from "../core/shots.ts";
import type { ShotSeries } from "./engine/shot-series.ts";
import type { BatchStatistics, Statistic } from "./engine/statistic.ts";

/** One array of a reducer's state: how long it is, and how the arrays of two parts of the shots become one. */
export interface ArrayField {
  readonly type: "float64" | "uint32";
  readonly length: number;
  /** `"readings"`: as `countReading` keeps them. */
  readonly merge: "sum" | "min" | "max" | "readings";
  /**
   * Of the lower part of a sum in two: the field before it takes multiples of this step, once there are many.
   * @default it has one part
   */
  readonly carry?: number | undefined;
}

/** One value per shot, or several: grows with the shots, because it is the answer. */
export interface SeriesField {
  readonly type: "series";
  /** Values per shot. */
  readonly width: number;
}

/**
 * Work memory beside the state, such as a table or a scratch image: counted, but neither saved nor merged. The reducer
 * makes it itself when it first needs it; what sensors share is counted for each of them.
 */
export interface ScratchField {
  readonly type: "scratch";
  readonly bytes: number;
}

/** The state of a reducer by name: all of its memory. */
export type Layout = Readonly<Record<string, ArrayField | SeriesField | ScratchField>>;

/** Memory for a layout. Sums and readings begin at 0, minima at Infinity, maxima at −Infinity. */
export type State<L extends Layout> = {
  readonly [K in keyof L as L[K] extends { type: "scratch" } ? never : K]: L[K] extends { type: "series" }
    ? ShotSeries
    : L[K] extends { type: "uint32" }
      ? Uint32Array
      : Float64Array;
};

/**
 * One question asked of every image of one sensor in a pass. All it remembers is in its state, so that the state can be
 * counted, saved, moved to another process and merged by the engine.
 *
 * Sums must be **exact**, so that neither order nor splitting changes a bit of the answer: round what is added with
 * {@link quantize}.
 */
export interface Reducer<T, L extends Layout = Layout> {
  /**
   * What it is, with **every** setting that changes what is remembered or answered: parts and checkpoints of reducers
   * of unlike names are not joined.
   */
  readonly name: string;
  /** 0-D signals it reads from the shots. @default none */
  readonly signals?: readonly string[] | undefined;
  /**
   * `add` gets the images as they are stored, and `dark` beside them, instead of their difference as float32. `true`:
   * the dark is taken into account once at the end, in `result`; parts with unlike darks then cannot be merged.
   * `"in-add"`: `add` takes it off.
   */
  readonly appliesDark?: true | "in-add" | undefined;
  /**
   * True: it adds values on the grid of {@link quantize}. Images whose values are so small that the grid would change
   * them are then refused.
   */
  readonly sumsOnGrid?: true | undefined;
  /** How the WebAssembly kernel can do the work of `add`; only for reducers with `appliesDark`. @default it cannot */
  readonly kernel?: KernelWork<L> | undefined;
  /**
   * For a reducer that forwards each image to an inner reducer, chosen by the class of the shot: the kernel can then do
   * the work of the inner one. @default none
   */
  readonly dispatch?: ClassDispatch<L> | undefined;
  layout(frame: ImageSpec): L;
  /**
   * Takes in one image, row-major. `pixels` is only valid during the call.
   * @param dark - of each pixel; only for reducers with `appliesDark`, and only when there is one
   */
  add(state: State<L>, pixels: Pixels, shot: Shot, frame: ImageSpec, dark?: Float64Array): void;
  /**
   * The answer over all images added so far; must not change the state.
   * @param dark - as in `add`
   * @param isLast - true: nobody needs the state afterwards, and the answer may be written over its arrays
   */
  result(state: State<L>, frame: ImageSpec, dark?: Float64Array, isLast?: boolean): T;
}

/**
 * What a reducer has the kernel count, and how that goes into its state. The state must be the same to the bit as after
 * `add` of the same images, or one that gives the same result to the bit: images may come by either way.
 */
export interface KernelWork<L extends Layout> {
  readonly statistics: readonly Statistic[];
  /**
   * Only for images of this type: others go through `add`. float32 images of whole numbers from 0 to 65535 are taken as
   * uint16 ones where every statistic is one of the reducer's own.
   * @default any
   */
  readonly type?: PixelType | undefined;
  /** Whether it can do so with this dark; images go through `add` otherwise. @default it can */
  fits?(frame: ImageSpec, dark: Float64Array | undefined): boolean;
  /**
   * Called after many images at a time.
   * @param dark - as in `add`
   */
  flush(state: State<L>, block: BatchStatistics, frame: ImageSpec, dark?: Float64Array): void;
}

/** How a reducer forwards images to an inner reducer by class of shot; the state must be the same as after `add`. */
export interface ClassDispatch<L extends Layout> {
  readonly reducer: Reducer<unknown>;
  readonly classes: readonly string[];
  /** The class of a shot, null for none. For reducers with one and the same function, images are counted together. */
  readonly classOf: (tag: number) => string | null;
  /**
   * Counts a shot, and gives the part of the state that its image goes into: always the same for a class; undefined for
   * none.
   */
  select(state: State<L>, tag: number, name: string | null, frame: ImageSpec): State<Layout> | undefined;
}

/** A reducer whose state is typed by its layout inside and hidden outside. */
export function defineReducer<T, const L extends Layout>(reducer: Reducer<T, L>): Reducer<T> {
  return reducer as unknown as Reducer<T>;
}
