import type { Correction } from "../corrections/correction.ts";
import type { DarkMeans } from "../dark-means.ts";
import type { PartialResult } from "../engine/partial-result.ts";
import type { Reducer } from "../reducer.ts";
import type { CubeAxis } from "./axes.ts";
import type { RegionSum } from "./region.ts";
import type { NumberState, RatioState } from "./statistics.ts";

type Reducers = Record<string, Reducer<unknown>>;

/** Shots of a cube stand apart by label; without labels, all are `all`. */
export type CubeLabel = "on" | "off" | "all";

export interface CubeOptions<R extends Reducers = Reducers> {
  /** One to three scan variables. */
  readonly axes: readonly CubeAxis[];
  /** What is asked of the shots of each bin. Each axis's own number is always there, under its name. */
  readonly values?:
    | {
        /** Of the images of each sensor, by a name of your choice: any reducers, such as `variance({ ddof: 1 })`. */
        readonly images?: R;
        /** Sums over parts of images, by a name of your choice. */
        readonly sums?: Readonly<Record<string, RegionSum>>;
        /** Equipment ids. */
        readonly signals?: readonly string[];
        /** Equipment id of the intensity monitor (I0) of `Cube.normalised`. @default none */
        readonly normaliseBy?: string | undefined;
      }
    | undefined;
  /**
   * Subtract this from every image first: once from the sums of a bin where reducers can, as `reduce` does, which takes
   * less time and memory than `correct.dark`. One and the same for all updates. @default nothing
   */
  readonly dark?: { readonly mean: DarkMeans } | undefined;
  /** Done to every image, after the dark, in this order; see {@link correct}. @default nothing */
  readonly corrections?: readonly Correction[] | undefined;
}

/** One bin that some shot has hit. */
export interface CubeBin<R extends Reducers> {
  readonly label: CubeLabel;
  /** Row-major over the axes. */
  readonly bin: number;
  readonly images: PartialResult<R>;
  readonly numbers: ReadonlyMap<string, NumberState>;
  /** Of each sum and signal, with the monitor. */
  readonly ratios: ReadonlyMap<string, RatioState>;
}

/** Under what name the ratio of each shot stands among the numbers. */
export function ratioName(name: string): string {
  return `${name} / I0`;
}
