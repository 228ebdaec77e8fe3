import { badArgument } from "../core/guards.ts";
import { contiguous, type Pixels, type PixelType, type RawImage, shapeOf } from "../core/ndarray.ts";
import { Arena } from "../core/wasm.ts";
import type { FrameSpec, Shot } from "../st/shots.ts";
import { subtractDark } from "./dark-means.ts";
import { SensorKernel } from "./kernel.ts";
import type { Layout, Reducer, State } from "./reducer.ts";

/** A reducer and what it has remembered of one sensor. */
export interface Question {
  readonly reducer: Reducer<unknown>;
  readonly state: State<Layout>;
}

/** Smaller images are not worth the memory of a kernel. */
const FEWEST_PIXELS = 4096;

/** Whether the kernel takes images of this many pixels for some of the reducers. */
export function kernelFor(
  reducers: Iterable<Reducer<unknown>>,
  { rows, columns }: FrameSpec,
  type: PixelType,
  dark: Float64Array | undefined,
): SensorKernel | undefined {
  const tallies = [...reducers].flatMap(({ kernel }) => kernel?.tallies ?? []);
  if (rows * columns < FEWEST_PIXELS || tallies.length === 0) return undefined;
  return new SensorKernel({ pixels: rows * columns, type, tallies, dark });
}

/** How the images of a sensor come to the reducers. */
export interface IntakeOptions {
  readonly dark?: Float64Array | undefined;
  /** Corrects an image, instead of the dark. */
  readonly correct?: ((pixels: Pixels) => Float32Array) | undefined;
  /** Memory in which images come, with room for the kernel. @default memory of its own, into which images are copied */
  readonly arena?: Arena | undefined;
}

/** Shows the images of one sensor to each reducer: by the kernel those it knows, or one by one. */
export class Intake {
  readonly #frame: FrameSpec;
  readonly #type: PixelType;
  readonly #questions: readonly Question[];
  readonly #kernel: SensorKernel | undefined;
  /** Those the kernel does not know. */
  readonly #others: readonly Question[];
  readonly #dark: Float64Array | undefined;
  readonly #correct: IntakeOptions["correct"];
  #difference: Float32Array = new Float32Array();

  /** @param frame - of the images that come, which may be of another type than earlier ones of the sensor */
  constructor(frame: FrameSpec, questions: readonly Question[], { dark, correct, arena }: IntakeOptions = {}) {
    this.#frame = frame;
    this.#questions = questions;
    this.#dark = dark;
    this.#correct = correct;
    this.#type = correct === undefined ? frame.type : "float32";
    const kernel = kernelFor(
      questions.map(({ reducer }) => reducer),
      frame,
      this.#type,
      dark,
    );
    this.#kernel = kernel !== undefined && (placed(kernel, arena) || placed(kernel, undefined)) ? kernel : undefined;
    this.#others = this.#kernel === undefined ? questions : questions.filter(({ reducer }) => reducer.kernel === undefined);
  }

  add(image: RawImage, shot: Shot): void {
    const { detId, rows, columns } = this.#frame;
    const [imageRows, imageColumns] = shapeOf(detId, image);
    if (imageRows !== rows || imageColumns !== columns)
      throw badArgument(`shape of ${detId} at tag ${shot.tag}`, image.shape, `[${rows}, ${columns}] as before`);
    const stored = contiguous(image);
    const pixels = this.#correct === undefined ? stored : this.#correct(stored);
    if (this.#kernel === undefined || typeOf(pixels) !== this.#type) this.#ask(this.#questions, pixels, shot);
    else {
      this.#take(this.#kernel, pixels, 0, 1);
      this.#ask(this.#others, pixels, shot);
    }
  }

  /**
   * Takes in consecutive images of the frame's shape and type, at most GROUP; they must not need a correction.
   * @param first - number of the first in `data`
   */
  addGroup(data: Pixels, first: number, shots: readonly Shot[]): void {
    if (this.#kernel !== undefined) this.#take(this.#kernel, data, first, shots.length);
    const pixels = this.#frame.rows * this.#frame.columns;
    if (this.#others.length === 0) return;
    for (const [k, shot] of shots.entries()) this.#ask(this.#others, data.subarray((first + k) * pixels, (first + k + 1) * pixels), shot);
  }

  /** Puts what the kernel has counted into the states. */
  settle(): void {
    const kernel = this.#kernel;
    kernel?.finish();
    if (kernel === undefined || kernel.images === 0) return;
    for (const { reducer, state } of this.#questions) reducer.kernel?.settle(state, kernel);
    kernel.clear();
  }

  #take(kernel: SensorKernel, data: Pixels, first: number, images: number): void {
    if (kernel.room < images) this.settle();
    kernel.take(data, first, images);
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
