import { badArgument } from "../../core/guards.ts";
import { contiguous, type Pixels, type PixelType, pixelTypeOf, type RawImage, shapeOf } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { Arena } from "../../core/wasm.ts";
import { imageInPlace, type SensorCorrection, takeDifference } from "../images/in-place.ts";
import type { ClassDispatch, Layout, Reducer, State } from "../reducer.ts";
import { checkGrid, isUsual } from "./exact.ts";
import { needsWhole, SensorKernel, statisticsOf, workOf } from "./kernel.ts";

/** A reducer and what it has remembered of one sensor. */
interface BoundReducer {
  readonly reducer: Reducer<unknown>;
  readonly state: State<Layout>;
}

/** Classes of shots that get a kernel, the first ones that appear: each takes the memory of a dozen images. */
const MOST_CLASSES = 8;

/**
 * The kernel for images like these, not yet in memory; undefined when it can do nothing for the reducers.
 * @param waits - see {@link SensorKernel}
 * @param correct - what is done to the images first: by the kernel itself, or before they come
 */
export function kernelFor(
  reducers: readonly Reducer<unknown>[],
  frame: ImageSpec,
  type: PixelType,
  dark: Float64Array | undefined,
  waits: boolean,
  { itself, before }: { itself?: SensorCorrection | undefined; before?: SensorCorrection | undefined } = {},
): SensorKernel | undefined {
  const statistics = statisticsOf(reducers, frame, itself === undefined ? type : "float32", dark);
  if (statistics.length === 0) return undefined;
  const pixels = frame.rows * frame.columns;
  return new SensorKernel({ pixels, type, statistics, dark, frame, correct: itself, before }, waits);
}

/** Bytes of the kernels of all classes of shots, at most. */
export function classBytes(
  reducers: readonly Reducer<unknown>[],
  frame: ImageSpec,
  type: PixelType,
  dark: Float64Array | undefined,
): number {
  const dispatches = reducers.flatMap(({ dispatch }) => (dispatch === undefined ? [] : [{ dispatch }]));
  return [...byFunction(dispatches).values()].reduce((bytes, group) => {
    const inner = group.map(({ dispatch: { reducer } }) => reducer);
    const each = (kernelFor(inner, frame, type, dark, false)?.bytes ?? 0) + classBytes(inner, frame, type, dark);
    return bytes + each * Math.min(MOST_CLASSES, ...group.map(({ dispatch: { classes } }) => classes.length));
  }, 0);
}

type ClassOf = ClassDispatch<Layout>["classOf"];

/** Those that share images out alike. */
function byFunction<T extends { readonly dispatch: ClassDispatch<Layout> }>(items: readonly T[]): Map<ClassOf, T[]> {
  const groups = new Map<ClassOf, T[]>();
  for (const item of items) groups.set(item.dispatch.classOf, [...(groups.get(item.dispatch.classOf) ?? []), item]);
  return groups;
}

/** How the images of a sensor come to the reducers. */
interface SensorFeedOptions {
  readonly dark?: Float64Array | undefined;
  /** Done to each image, instead of the dark. */
  readonly correct?: SensorCorrection | undefined;
  /** Memory in which images come, with room for the kernel. @default memory of its own, into which images are copied */
  readonly arena?: Arena | undefined;
  /** False: never by the kernel. @default true */
  readonly kernel?: boolean | undefined;
  /** Whether images with fractions may wait for others, in memory of a few images. @default true */
  readonly waits?: boolean | undefined;
}

/** Questions that share images out alike, and the feed of each class that has appeared. */
interface Classes {
  readonly classOf: ClassOf;
  readonly reducers: readonly { readonly dispatch: ClassDispatch<Layout>; readonly state: State<Layout> }[];
  readonly feeds: Map<string, SensorFeed>;
}

/** Shows the images of one sensor to each reducer: by the kernel those it knows, or one by one. */
export class SensorFeed {
  readonly #frame: ImageSpec;
  /** Of the images that the reducers are given. */
  readonly #type: PixelType;
  /** Those the kernel knows, those that dispatch images by class, and all others. */
  readonly #counted: readonly BoundReducer[];
  /** Of those the kernel knows, those for which images must have whole numbers. */
  readonly #needWhole: readonly BoundReducer[];
  readonly #dispatched: readonly Classes[];
  readonly #others: readonly BoundReducer[];
  readonly #mayCount: boolean;
  readonly #kernel: SensorKernel | undefined;
  readonly #dark: Float64Array | undefined;
  readonly #correct: SensorFeedOptions["correct"];
  /** Whether values too small for exact sums must be refused. */
  readonly #sumsOnGrid: boolean;
  #difference: Float32Array | undefined;

  /** @param frame - of the images that come, which may be of another type than earlier ones of the sensor */
  constructor(
    frame: ImageSpec,
    reducers: readonly BoundReducer[],
    { dark, correct, arena, kernel: mayCount = true, waits = true }: SensorFeedOptions = {},
  ) {
    this.#frame = frame;
    this.#dark = dark;
    this.#correct = correct;
    this.#type = correct === undefined ? frame.type : "float32";
    this.#mayCount = mayCount;
    this.#sumsOnGrid = reducers.some(({ reducer }) => reducer.sumsOnGrid === true);
    const needWhole = ({ reducer: { kernel } }: BoundReducer): boolean =>
      kernel !== undefined && needsWhole(kernel, this.#type);
    this.#counted = reducers.filter(
      (bound) =>
        workOf(bound.reducer, { ...frame, type: this.#type }, dark) !== undefined &&
        // What a correction leaves is hardly ever whole.
        (correct === undefined || !needWhole(bound)),
    );
    this.#needWhole = this.#counted.filter(needWhole);
    this.#others = reducers.filter((bound) => !this.#counted.includes(bound) && bound.reducer.dispatch === undefined);
    const dispatches = reducers.flatMap(({ reducer, state }) =>
      reducer.dispatch === undefined ? [] : [{ dispatch: reducer.dispatch, state }],
    );
    this.#dispatched = Array.from(byFunction(dispatches), ([classOf, group]) => ({
      classOf,
      reducers: group,
      feeds: new Map(),
    }));
    const counted = this.#counted.map(({ reducer }) => reducer);
    // Where no reducer needs whole images, the kernel corrects piece by piece what it counts.
    const inPieces = correct?.isPixelwise === true && counted.length === reducers.length ? correct : undefined;
    const type = inPieces === undefined ? this.#type : frame.type;
    const corrections = inPieces === undefined ? { before: correct } : { itself: inPieces };
    const kernel = mayCount ? kernelFor(counted, frame, type, dark, waits, corrections) : undefined;
    this.#kernel =
      kernel !== undefined && (hasAllocated(kernel, arena) || hasAllocated(kernel, undefined)) ? kernel : undefined;
    this.#kernel?.bind(this.#counted);
  }

  add(image: RawImage, shot: Shot): void {
    const { detId, rows, columns } = this.#frame;
    const [imageRows, imageColumns] = shapeOf(detId, image);
    if (imageRows !== rows || imageColumns !== columns)
      throw badArgument(`shape of ${detId} at tag ${shot.tag}`, image.shape, `[${rows}, ${columns}] as before`);
    const stored = contiguous(image);
    if (this.#kernel?.corrects === true && pixelTypeOf(stored) === this.#frame.type) {
      this.#checkStored(stored, this.#kernel, shot);
      this.#accumulate(this.#kernel, stored, 0, [shot]);
    } else this.#enter(this.#corrected(stored) ?? stored, shot);
  }

  /**
   * Takes in consecutive images of the frame's shape and type, at most BATCH.
   * @param first - number of the first in `data`
   */
  addGroup(data: Pixels, first: number, shots: readonly Shot[]): void {
    const pixels = this.#frame.rows * this.#frame.columns;
    const imageOf = (k: number): Pixels => data.subarray((first + k) * pixels, (first + k + 1) * pixels);
    if (this.#kernel?.corrects === true) {
      for (const [k, shot] of shots.entries()) this.#checkStored(imageOf(k), this.#kernel, shot);
      this.#accumulate(this.#kernel, data, first, shots);
    } else if (this.#correct !== undefined || this.#type === "float32") {
      if (this.#correct === undefined) for (const [k, shot] of shots.entries()) this.#check(imageOf(k), shot);
      for (const [k, shot] of shots.entries()) this.#enter(this.#corrected(imageOf(k)) ?? imageOf(k), shot);
    } else {
      if (this.#kernel !== undefined) this.#accumulate(this.#kernel, data, first, shots);
      for (const [k, shot] of shots.entries()) this.#show(imageOf(k), shot, this.#kernel !== undefined);
    }
  }

  /** Puts what the kernel has counted into the states. */
  flush(): void {
    for (const { feeds } of this.#dispatched) for (const feed of feeds.values()) feed.flush();
    const kernel = this.#kernel;
    kernel?.finish();
    if (kernel === undefined || kernel.images === 0) return;
    for (const { reducer, state } of this.#counted) reducer.kernel?.flush(state, kernel, this.#frame, this.#dark);
    kernel.clear();
  }

  /** Corrected, where the kernel wants it: else it would be copied there. */
  #corrected(pixels: Pixels): Float32Array | undefined {
    return this.#correct?.image(pixels, this.#kernel?.next);
  }

  /** Takes in an image that is corrected. */
  #enter(pixels: Pixels, shot: Shot): void {
    this.#check(pixels, shot);
    const isCounted = this.#kernel?.corrects === false && pixelTypeOf(pixels) === this.#type;
    if (isCounted && !this.#accumulate(this.#kernel, pixels, 0, [shot])) this.#addEach(this.#needWhole, pixels, shot);
    this.#show(pixels, shot, isCounted);
  }

  /** Whole numbers are never too small. @throws TOO_SMALL */
  #check(pixels: Pixels, { tag }: Shot): void {
    if (this.#sumsOnGrid && pixels instanceof Float32Array) checkGrid(this.#frame.detId, tag, pixels);
  }

  /** The same of an image that the kernel will correct: as a rule the first piece of it tells. @throws TOO_SMALL */
  #checkStored(pixels: Pixels, kernel: SensorKernel, shot: Shot): void {
    if (this.#sumsOnGrid && this.#correct !== undefined && !isUsual(kernel.firstPiece(pixels), true))
      this.#check(this.#correct.image(pixels), shot);
  }

  /** Gives whether all images have whole numbers. */
  #accumulate(kernel: SensorKernel, data: Pixels, first: number, shots: readonly Shot[]): boolean {
    if (kernel.room < shots.length) this.flush();
    return kernel.accumulate(data, first, shots);
  }

  /** @param isCounted - the kernel has it already */
  #show(pixels: Pixels, shot: Shot, isCounted: boolean): void {
    if (!isCounted) this.#addEach(this.#counted, pixels, shot);
    this.#addEach(this.#others, pixels, shot);
    for (const classes of this.#dispatched) this.#dispatch(classes, pixels, shot);
  }

  #dispatch({ classOf, reducers, feeds }: Classes, pixels: Pixels, shot: Shot): void {
    const name = classOf(shot.tag);
    const parts = reducers.flatMap(({ dispatch, state }) => {
      const part = dispatch.select(state, shot.tag, name, this.#frame);
      return part === undefined ? [] : [{ reducer: dispatch.reducer, state: part }];
    });
    if (name === null) return;
    let feed = feeds.get(name);
    if (feed === undefined) {
      const kernel = this.#mayCount && feeds.size < MOST_CLASSES;
      feed = new SensorFeed({ ...this.#frame, type: this.#type }, parts, { dark: this.#dark, kernel, waits: false });
      feeds.set(name, feed);
    }
    feed.#enter(pixels, shot);
  }

  #addEach(reducers: readonly BoundReducer[], pixels: Pixels, shot: Shot): void {
    const dark = this.#dark;
    let difference: Pixels | undefined;
    for (const { reducer, state } of reducers) {
      if (reducer.appliesDark !== undefined || dark === undefined) reducer.add(state, pixels, shot, this.#frame, dark);
      else {
        difference ??= this.#subtract(pixels, dark);
        reducer.add(state, difference, shot, this.#frame);
      }
    }
  }

  #subtract(pixels: Pixels, dark: Float64Array): Float32Array {
    this.#difference ??= imageInPlace(pixels.length, 1);
    takeDifference(pixels, dark, this.#difference);
    return this.#difference;
  }
}

/** Whether the kernel got its memory. */
function hasAllocated(kernel: SensorKernel, arena: Arena | undefined): boolean {
  try {
    kernel.allocate(arena ?? new Arena(kernel.bytes));
    return true;
  } catch (error) {
    // No room: the plain way gives the same.
    if (error instanceof RangeError) return false;
    throw error;
  }
}
