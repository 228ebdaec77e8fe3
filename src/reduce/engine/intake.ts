import { badArgument } from "../../core/guards.ts";
import { contiguous, type Pixels, type PixelType, type RawImage, shapeOf } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { Arena } from "../../core/wasm.ts";
import { subtractDark } from "../dark-means.ts";
import type { Layout, Reducer, Sharing, State } from "../reducer.ts";
import { SensorKernel, talliesOf } from "./kernel.ts";

/** A reducer and what it has remembered of one sensor. */
export interface Question {
  readonly reducer: Reducer<unknown>;
  readonly state: State<Layout>;
}

/** Classes of shots that get a kernel, the first ones that appear: each takes the memory of a dozen images. */
const MOST_CLASSES = 8;

/** The kernel for images like these, not yet in memory; undefined when it can do nothing for the reducers. */
export function kernelFor(
  reducers: readonly Reducer<unknown>[],
  frame: ImageSpec,
  type: PixelType,
  dark: Float64Array | undefined,
): SensorKernel | undefined {
  const tallies = talliesOf(reducers, frame);
  return tallies.length === 0
    ? undefined
    : new SensorKernel({ pixels: frame.rows * frame.columns, type, tallies, dark });
}

/** Bytes of the kernels of all classes of shots, at most. */
export function classBytes(
  reducers: readonly Reducer<unknown>[],
  frame: ImageSpec,
  type: PixelType,
  dark: Float64Array | undefined,
): number {
  const sharing = reducers.flatMap(({ sharing }) => (sharing === undefined ? [] : [{ sharing }]));
  return [...byFunction(sharing).values()].reduce((bytes, group) => {
    const inner = group.map(({ sharing: { reducer } }) => reducer);
    const each = (kernelFor(inner, frame, type, dark)?.bytes ?? 0) + classBytes(inner, frame, type, dark);
    return bytes + each * Math.min(MOST_CLASSES, ...group.map(({ sharing: { classes } }) => classes.length));
  }, 0);
}

type ClassOf = Sharing<Layout>["classOf"];

/** Those that share images out alike. */
function byFunction<T extends { readonly sharing: Sharing<Layout> }>(items: readonly T[]): Map<ClassOf, T[]> {
  const groups = new Map<ClassOf, T[]>();
  for (const item of items) groups.set(item.sharing.classOf, [...(groups.get(item.sharing.classOf) ?? []), item]);
  return groups;
}

/** How the images of a sensor come to the reducers. */
export interface IntakeOptions {
  readonly dark?: Float64Array | undefined;
  /** Corrects an image, instead of the dark. */
  readonly correct?: ((pixels: Pixels) => Float32Array) | undefined;
  /** Memory in which images come, with room for the kernel. @default memory of its own, into which images are copied */
  readonly arena?: Arena | undefined;
  /** False: never by the kernel. @default true */
  readonly kernel?: boolean | undefined;
}

/** Questions that share images out alike, and the intake of each class that has appeared. */
interface Classes {
  readonly classOf: ClassOf;
  readonly questions: readonly { readonly sharing: Sharing<Layout>; readonly state: State<Layout> }[];
  readonly intakes: Map<string, Intake>;
}

/** Shows the images of one sensor to each reducer: by the kernel those it knows, or one by one. */
export class Intake {
  readonly #frame: ImageSpec;
  readonly #type: PixelType;
  /** Those the kernel knows, those that share images out, and all others. */
  readonly #counted: readonly Question[];
  readonly #shared: readonly Classes[];
  readonly #others: readonly Question[];
  readonly #mayCount: boolean;
  readonly #kernel: SensorKernel | undefined;
  readonly #dark: Float64Array | undefined;
  readonly #correct: IntakeOptions["correct"];
  #difference: Float32Array = new Float32Array();

  /** @param frame - of the images that come, which may be of another type than earlier ones of the sensor */
  constructor(
    frame: ImageSpec,
    questions: readonly Question[],
    { dark, correct, arena, kernel: mayCount = true }: IntakeOptions = {},
  ) {
    this.#frame = frame;
    this.#dark = dark;
    this.#correct = correct;
    this.#type = correct === undefined ? frame.type : "float32";
    this.#mayCount = mayCount;
    this.#counted = questions.filter(({ reducer }) => reducer.kernel !== undefined);
    this.#others = questions.filter(({ reducer }) => reducer.kernel === undefined && reducer.sharing === undefined);
    const sharing = questions.flatMap(({ reducer, state }) =>
      reducer.sharing === undefined ? [] : [{ sharing: reducer.sharing, state }],
    );
    this.#shared = Array.from(byFunction(sharing), ([classOf, group]) => ({
      classOf,
      questions: group,
      intakes: new Map(),
    }));
    const reducers = this.#counted.map(({ reducer }) => reducer);
    const kernel = mayCount ? kernelFor(reducers, frame, this.#type, dark) : undefined;
    this.#kernel = kernel !== undefined && (placed(kernel, arena) || placed(kernel, undefined)) ? kernel : undefined;
  }

  add(image: RawImage, shot: Shot): void {
    const { detId, rows, columns } = this.#frame;
    const [imageRows, imageColumns] = shapeOf(detId, image);
    if (imageRows !== rows || imageColumns !== columns)
      throw badArgument(`shape of ${detId} at tag ${shot.tag}`, image.shape, `[${rows}, ${columns}] as before`);
    const stored = contiguous(image);
    this.#enter(this.#correct === undefined ? stored : this.#correct(stored), shot);
  }

  /**
   * Takes in consecutive images of the frame's shape and type, at most GROUP; they must not need a correction.
   * @param first - number of the first in `data`
   */
  addGroup(data: Pixels, first: number, shots: readonly Shot[]): void {
    if (this.#kernel !== undefined) this.#take(this.#kernel, data, first, shots.length);
    const pixels = this.#frame.rows * this.#frame.columns;
    for (const [k, shot] of shots.entries())
      this.#show(data.subarray((first + k) * pixels, (first + k + 1) * pixels), shot, this.#kernel !== undefined);
  }

  /** Puts what the kernel has counted into the states. */
  settle(): void {
    for (const { intakes } of this.#shared) for (const intake of intakes.values()) intake.settle();
    const kernel = this.#kernel;
    kernel?.finish();
    if (kernel === undefined || kernel.images === 0) return;
    for (const { reducer, state } of this.#counted) reducer.kernel?.settle(state, kernel);
    kernel.clear();
  }

  /** Takes in an image that is corrected. */
  #enter(pixels: Pixels, shot: Shot): void {
    const isCounted = this.#kernel !== undefined && typeOf(pixels) === this.#type;
    if (isCounted) this.#take(this.#kernel, pixels, 0, 1);
    this.#show(pixels, shot, isCounted);
  }

  #take(kernel: SensorKernel, data: Pixels, first: number, images: number): void {
    if (kernel.room < images) this.settle();
    kernel.take(data, first, images);
  }

  /** @param isCounted - the kernel has it already */
  #show(pixels: Pixels, shot: Shot, isCounted: boolean): void {
    if (!isCounted) this.#ask(this.#counted, pixels, shot);
    this.#ask(this.#others, pixels, shot);
    for (const classes of this.#shared) this.#share(classes, pixels, shot);
  }

  #share({ classOf, questions, intakes }: Classes, pixels: Pixels, shot: Shot): void {
    const name = classOf(shot.tag);
    const parts = questions.flatMap(({ sharing, state }) => {
      const part = sharing.place(state, shot.tag, name, this.#frame);
      return part === undefined ? [] : [{ reducer: sharing.reducer, state: part }];
    });
    if (name === null) return;
    let intake = intakes.get(name);
    if (intake === undefined) {
      const kernel = this.#mayCount && intakes.size < MOST_CLASSES;
      intake = new Intake({ ...this.#frame, type: this.#type }, parts, { dark: this.#dark, kernel });
      intakes.set(name, intake);
    }
    intake.#enter(pixels, shot);
  }

  #ask(questions: readonly Question[], pixels: Pixels, shot: Shot): void {
    const dark = this.#dark;
    let difference: Pixels | undefined;
    for (const { reducer, state } of questions) {
      if (reducer.raw === true || dark === undefined) reducer.add(state, pixels, shot, this.#frame, dark);
      else {
        difference ??= this.#subtract(pixels, dark);
        reducer.add(state, difference, shot, this.#frame);
      }
    }
  }

  #subtract(pixels: Pixels, dark: Float64Array): Float32Array {
    if (this.#difference.length === 0) this.#difference = new Float32Array(pixels.length);
    subtractDark(pixels, dark, this.#difference);
    return this.#difference;
  }
}

function typeOf(pixels: Pixels): PixelType {
  return pixels instanceof Uint16Array ? "uint16" : "float32";
}

/** Whether the kernel got its memory. */
function placed(kernel: SensorKernel, arena: Arena | undefined): boolean {
  try {
    kernel.place(arena ?? new Arena(kernel.bytes));
    return true;
  } catch (error) {
    // No room: the plain way gives the same.
    if (error instanceof RangeError) return false;
    throw error;
  }
}
