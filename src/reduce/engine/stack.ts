import ndarray, { type NdArray } from "ndarray";
import { SaclaError } from "../../core/errors.ts";
import { asInteger, asOneOf, badArgument } from "../../core/guards.ts";
import type { Pixels, PixelType, RawImage } from "../../core/ndarray.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { ImageSpec, Shot, ShotStream, ShotsInMemory } from "../../core/shots.ts";
import { type Column, emptyColumn, entryOf, type SyncValue, setEntry } from "../../core/syncdb.ts";
import { asTags } from "../../core/tags.ts";
import { Arena } from "../../core/wasm.ts";

/** Images of one sensor in memory, shape [images, rows, columns]. */
export type ImageStack<P extends Pixels = Pixels> = NdArray<P>;

/**
 * Bytes kept free beside a stack for what the kernel counts: per pixel, and for histograms. Untouched, they take no
 * memory.
 */
const ROOM_PER_PIXEL = 128;
const ROOM = 64 * 2 ** 20;

const arenas = new WeakMap<ArrayBufferLike, Arena>();

/**
 * The memory in which {@link createStack} made an array, where the kernel can work on it; undefined for any other
 * array.
 */
export function arenaOf(pixels: Pixels): Arena | undefined {
  return arenas.get(pixels.buffer);
}

/**
 * Zeroed memory for a stack of images, in which {@link reduce} works without a copy. Any other array does as well, a
 * little slower.
 *
 * @param shape - [images, rows, columns]
 * @param type - "uint16" or "float32"
 * @throws BAD_ARGUMENT when the shape is not of whole numbers, or the stack has no room in the 4 GiB of a WebAssembly
 * memory
 * @example
 * const stack = createStack([1000, 1024, 512]);
 * stack.data.set(pixels, 1024 * 512 * k);
 */
export function createStack(
  shape: readonly [images: number, rows: number, columns: number],
  type?: "uint16",
): ImageStack<Uint16Array>;
export function createStack(
  shape: readonly [images: number, rows: number, columns: number],
  type: "float32",
): ImageStack<Float32Array>;
export function createStack(
  shape: readonly [images: number, rows: number, columns: number],
  type: PixelType = "uint16",
): ImageStack {
  for (const [k, length] of shape.entries()) asInteger(`shape[${k}]`, length, 1, 2 ** 32);
  asOneOf("type", type, ["uint16", "float32"]);
  const [images, rows, columns] = shape;
  const length = images * rows * columns;
  const bytes = length * (type === "uint16" ? 2 : 4);
  let arena: Arena;
  try {
    arena = new Arena(bytes + ROOM_PER_PIXEL * rows * columns + ROOM);
  } catch (cause) {
    throw new SaclaError(
      "BAD_ARGUMENT",
      `A stack of shape [${shape.join(", ")}] takes ${bytes} bytes, ` +
        "more than there is room for (at most 4 GiB); make several.",
      {
        cause,
      },
    );
  }
  const data = type === "uint16" ? arena.uint16(length) : arena.float32(length);
  arenas.set(data.buffer, arena);
  return ndarray<Pixels>(data, [images, rows, columns]);
}

/**
 * Images already in memory as shots, for {@link reduce} and {@link accumulate}: they are taken in many at a time,
 * without waiting in between.
 *
 * @param images - by sensor id, each of shape [images, rows, columns], the same number of images for all; uint16 or
 * float32
 * @param options.tags - the tag of each image. @default 0, 1, 2, …
 * @param options.signals - 0-D signals by equipment id, for covariance, normalisation and cubes: one number for each
 *   image, NaN where there is none; or a column, such as `table.column(id)` with the very tags, which has a unit and
 *   says why a number is missing. @default none
 * @throws BAD_ARGUMENT when shapes are not 3-D or the numbers of images, tags and values differ
 * @example
 * const shots = shotsFrom({ "MPCCD-1N0-M06-002": stack });
 * const { average, adu } = await reduce(shots, { average: mean(), adu: histogram() }, { dark });
 */
export function shotsFrom(images: Readonly<Record<string, ImageStack>>, options: StackOptions = {}): StackedShots {
  resolveOptions("shotsFrom", options, { tags: any, signals: any });
  const sensors = Object.entries(images).map(([detId, stack]) => new StackedSensor(detId, stack));
  const length = sensors[0]?.length ?? 0;
  const odd = sensors.find((sensor) => sensor.length !== length);
  if (odd !== undefined)
    throw badArgument(
      `the number of images of ${odd.frame.detId}`,
      odd.length,
      `${length}, that of ${sensors[0]?.frame.detId}`,
    );
  const tags = options.tags === undefined ? Uint32Array.from({ length }, (_, k) => k) : asTags(options.tags);
  if (tags.length !== length) throw badArgument("the number of tags", tags.length, `${length}, that of the images`);
  const signals = Object.entries(options.signals ?? {}).map(
    ([id, values]) => [id, columnOf(id, values, tags)] as const,
  );
  return new StackedShots(sensors, tags, new Map(signals));
}

/** Options of {@link shotsFrom}. */
export interface StackOptions {
  readonly tags?: Iterable<number> | undefined;
  readonly signals?: Readonly<Record<string, ArrayLike<number> | Column>> | undefined;
}

function columnOf(equipId: string, signal: ArrayLike<number> | Column, tags: Uint32Array): Column {
  const isColumn = "values" in signal && "status" in signal;
  const values = isColumn ? signal.values : signal;
  if (values.length !== tags.length)
    throw badArgument(`the number of values of ${equipId}`, values.length, `${tags.length}, that of the images`);
  const of = "tags" in signal && Symbol.iterator in Object(signal.tags) ? [...(signal.tags as Iterable<number>)] : null;
  const odd = of?.findIndex((tag, i) => tag !== tags[i]) ?? -1;
  if (odd >= 0) throw badArgument(`tag ${odd} of ${equipId}`, of?.[odd], `${tags[odd]}, that of the image`);
  if (isColumn) return signal;
  const column = emptyColumn(equipId, "", values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isNaN(value)) setEntry(column, i, value);
  }
  return column;
}

/** The images of one sensor. */
class StackedSensor {
  readonly frame: ImageSpec;
  readonly length: number;
  /** All pixels, image by image; undefined when the array is a view with gaps or in another order. */
  readonly data: Pixels | undefined;
  readonly #stack: ImageStack;

  constructor(detId: string, stack: ImageStack) {
    const [length, rows, columns] = stack.shape;
    if (stack.shape.length !== 3 || length === undefined || rows === undefined || columns === undefined)
      throw badArgument(`shape of ${detId}`, stack.shape, "[images, rows, columns]");
    this.length = length;
    this.frame = { detId, rows, columns, type: stack.data instanceof Uint16Array ? "uint16" : "float32" };
    this.#stack = stack;
    const [imageStep, rowStep, columnStep] = stack.stride;
    if (columnStep === 1 && rowStep === columns && imageStep === rows * columns) {
      this.data = stack.data.subarray(stack.offset, stack.offset + length * rows * columns);
    }
  }

  image(k: number): RawImage {
    return this.#stack.pick(k, null, null);
  }
}

/** What {@link shotsFrom} gives. Images share memory with the arrays it was given. */
export class StackedShots implements ShotStream {
  readonly sensors: readonly StackedSensor[];
  readonly tags: Uint32Array;
  readonly #signals: ReadonlyMap<string, Column>;

  constructor(
    sensors: readonly StackedSensor[],
    tags: Uint32Array,
    signals: ReadonlyMap<string, Column> = new Map<string, Column>(),
  ) {
    this.sensors = sensors;
    this.tags = tags;
    this.#signals = signals;
  }

  get length(): number {
    return this.tags.length;
  }

  async count(): Promise<number> {
    return this.length;
  }

  /** Undefined when one of the arrays is a view with gaps or in another order. */
  get inMemory(): ShotsInMemory | undefined {
    const sensors = this.sensors.flatMap(({ frame: spec, data }) => (data === undefined ? [] : [{ spec, data }]));
    if (sensors.length < this.sensors.length) return undefined;
    return { length: this.length, shot: (k) => this.shot(k), sensors };
  }

  /** Shot number `k`. */
  shot(k: number): Shot {
    const value = (equipId: string): SyncValue => {
      const column = this.#signals.get(equipId);
      if (column !== undefined) return entryOf(column, k);
      const known = [...this.#signals.keys()].join(", ") || "none: signals of shotsFrom gives some";
      throw badArgument("signal", equipId, known);
    };
    const images = (): Shot["images"] =>
      Object.fromEntries(this.sensors.map((sensor) => [sensor.frame.detId, sensor.image(k)]));
    return {
      tag: this.tags[k] ?? 0,
      get images() {
        return images();
      },
      value,
      number: (equipId) => {
        const read = value(equipId);
        return "reason" in read ? NaN : read.value;
      },
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Shot, void, undefined> {
    for (let k = 0; k < this.length; k++) yield this.shot(k);
  }
}
