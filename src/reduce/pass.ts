import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../core/async.ts";
import type { LedgerBook } from "../core/ledger.ts";
import { newPixels, type Pixels, type PixelType, type RawImage } from "../core/ndarray.ts";
import {
  type ImageSpec,
  imageSpecOf,
  type PixelMemory,
  type Shot,
  type ShotStream,
  type ShotsInMemory,
} from "../core/shots.ts";
import { Arena } from "../core/wasm.ts";
import { CorrectionChain } from "./corrections/chain.ts";
import type { Correction } from "./corrections/correction.ts";
import { dark as darkStep } from "./corrections/dark.ts";
import { type DarkMeans, darkOf } from "./dark-means.ts";
import { BATCH, statisticsOf } from "./engine/kernel.ts";
import type { PartialResult } from "./engine/partial-result.ts";
import { classBytes, kernelFor, SensorFeed } from "./engine/sensor-feed.ts";
import { arenaOf } from "./engine/stack.ts";
import { imageBytes } from "./images/in-place.ts";
import type { Reducer } from "./reducer.ts";

export interface AccumulateOptions {
  /** Subtract this from every image first. @default nothing */
  readonly dark?: { readonly mean: DarkMeans } | undefined;
  /** Done to every image, after the dark, in this order; see {@link correct}. @default nothing */
  readonly corrections?: readonly Correction[] | undefined;
  /** Told after each shot how many are done, and of how many when that is known. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Reducers = Record<string, Reducer<unknown>>;

/** Work on images in memory for this long, then let the rest of the program have its turn. */
const TURN_MS = 50;

/** One pass of shots into what is accumulated. */
export class ReducePass<R extends Reducers> {
  readonly #into: PartialResult<R>;
  readonly #reducers: R;
  readonly #options: AccumulateOptions;
  readonly #book: LedgerBook;
  readonly #chain: CorrectionChain | undefined;
  readonly #feeds = new Map<string, SensorFeed>();
  /** Memory that is lent to this pass, and what gives it back. */
  readonly #borrowed = new Map<Arena, () => void>();
  /** Tags of the shots that were used. */
  readonly used: number[] = [];
  #done = 0;

  constructor(into: PartialResult<R>, reducers: R, options: AccumulateOptions, book: LedgerBook) {
    const { dark, corrections = [] } = options;
    this.#into = into;
    this.#reducers = reducers;
    this.#options = options;
    this.#book = book;
    // A dark alone goes the faster way, through the reducers.
    if (corrections.length > 0) {
      this.#chain = new CorrectionChain([...(dark === undefined ? [] : [darkStep(dark)]), ...corrections], {
        note: (what) => book.note(what),
        amount: (what, value) => book.amount(what, value),
      });
    }
  }

  async run(shots: ShotStream): Promise<void> {
    const { inMemory } = shots;
    // What is not the same for all shots is done shot by shot.
    if (inMemory !== undefined && this.#chain?.isSteady !== false) await this.#runInMemory(inMemory);
    else await this.#runOneByOne(shots);
  }

  async #runOneByOne(shots: ShotStream): Promise<void> {
    const { signal, onProgress } = this.#options;
    const total = await shots.count?.();
    const ring = this.#chain === undefined ? await this.#ringFor(shots) : undefined;
    throwIfAborted(signal);
    for await (const shot of ring?.shots ?? shots) {
      const reason = this.#chain?.reject(shot) ?? null;
      if (reason === null) {
        for (const [detId, image] of Object.entries(shot.images))
          this.#feed(detId, image, ring?.arena).add(image, shot);
        this.#use(shot);
      } else this.#book.drop(shot.tag, reason);
      onProgress?.(++this.#done, total);
      // Not before it is taken in: Shots has a shot that it handed out in its account as used.
      throwIfAborted(signal);
    }
  }

  async #runInMemory(shots: ShotsInMemory): Promise<void> {
    const { signal, onProgress } = this.#options;
    let turn = performance.now();
    for (let first = 0; first < shots.length; first += BATCH) {
      throwIfAborted(signal);
      const group = Array.from({ length: Math.min(BATCH, shots.length - first) }, (_, k) => shots.shot(first + k));
      // A steady chain drops none: it is asked so that it refuses shots without the signals that it needs.
      for (const shot of group) this.#chain?.reject(shot);
      for (const { spec, data } of shots.sensors) {
        this.#stackFeed(spec, data).addGroup(data, first, group);
        if (performance.now() - turn > TURN_MS) {
          await setImmediate();
          turn = performance.now();
        }
      }
      for (const shot of group) {
        this.#use(shot);
        onProgress?.(++this.#done, shots.length);
      }
    }
  }

  #use({ tag }: Shot): void {
    this.#book.use();
    this.used.push(tag);
  }

  /** Puts everything into the states, and gives borrowed memory back. Nothing can be taken in afterwards. */
  flush(): void {
    for (const intake of this.#feeds.values()) intake.flush();
    this.#feeds.clear();
    for (const giveBack of this.#borrowed.values()) giveBack();
    this.#borrowed.clear();
  }

  #feed(detId: string, image: RawImage, arena: Arena | undefined): SensorFeed {
    return this.#feeds.get(detId) ?? this.#begin(imageSpecOf(detId, image), arena);
  }

  #stackFeed(frame: ImageSpec, data: Pixels): SensorFeed {
    const known = this.#feeds.get(frame.detId);
    if (known !== undefined) return known;
    const arena = arenaOf(data);
    return this.#begin(frame, arena !== undefined && this.#borrows(arena) ? arena : undefined);
  }

  /** Whether the memory is this pass's, which may have the images of several sensors in it. */
  #borrows(arena: Arena): boolean {
    const giveBack = this.#borrowed.get(arena) ?? borrow(arena);
    if (giveBack !== undefined) this.#borrowed.set(arena, giveBack);
    return giveBack !== undefined;
  }

  #begin(frame: ImageSpec, arena: Arena | undefined): SensorFeed {
    const { detId, rows, columns } = frame;
    const { dark: means } = this.#options;
    const dark =
      means === undefined || this.#chain !== undefined ? undefined : darkOf(means.mean, detId, rows, columns);
    const { states } = this.#into.sensor(frame, dark);
    const questions = Object.entries(this.#reducers).flatMap(([name, reducer]) => {
      const state = states.get(name);
      return state === undefined ? [] : [{ reducer, state }];
    });
    const intake = new SensorFeed(frame, questions, { dark, correct: this.#chain?.sensor(frame), arena });
    this.#feeds.set(detId, intake);
    return intake;
  }

  /** The shots read into memory that has room for the kernels; undefined when that cannot be. */
  async #ringFor(shots: ShotStream): Promise<{ arena: Arena; shots: AsyncIterable<Shot> } | undefined> {
    const frames = await shots.describe?.();
    if (frames === undefined || shots.into === undefined) return undefined;
    const depth = shots.depth ?? 1;
    const reducers = Object.values(this.#reducers);
    if (!frames.some((frame) => statisticsOf(reducers, frame).length > 0)) return undefined;
    const hasDark = this.#options.dark !== undefined;
    const likeDark = darksLike(hasDark);
    const bytes = frames.reduce((sum, frame) => sum + ringBytes(frame, reducers, depth, likeDark(frame)), 0);
    const arena = attempt(() => new Arena(bytes));
    if (arena === undefined) return undefined;
    const make = (length: number, type: PixelType): Pixels =>
      type === "uint16" ? arena.uint16(length) : arena.float32(length);
    const memory: PixelMemory = (length, type) => attempt(() => make(length, type)) ?? newPixels(length, type);
    return { arena, shots: shots.into(memory) };
  }
}

const lent = new WeakSet<Arena>();

/**
 * Lends what is free in the arena, to one at a time: gives the way to give it back, or undefined when it is lent out.
 */
function borrow(arena: Arena): (() => void) | undefined {
  if (lent.has(arena)) return undefined;
  lent.add(arena);
  const { mark } = arena;
  return () => {
    arena.rewind(mark);
    lent.delete(arena);
  };
}

/** What `work` gives, or undefined when there is no memory for it. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Bytes for images read ahead, for the kernels of their sensors and of classes of shots, and for an image less the
 * dark.
 */
export function workingBytes(
  frames: readonly ImageSpec[],
  reducers: readonly Reducer<unknown>[],
  depth: number,
  hasDark: boolean,
): number {
  const likeDark = darksLike(hasDark);
  return frames.reduce((sum, frame) => {
    const dark = likeDark(frame);
    const difference =
      hasDark && reducers.some(({ appliesDark }) => appliesDark === undefined)
        ? imageBytes(frame.rows * frame.columns, 1)
        : 0;
    return sum + ringBytes(frame, reducers, depth, dark) + classBytes(reducers, frame, frame.type, dark) + difference;
  }, 0);
}

/** Bytes for images of a sensor read ahead and for its kernel. */
function ringBytes(
  frame: ImageSpec,
  reducers: readonly Reducer<unknown>[],
  depth: number,
  dark: Float64Array | undefined,
): number {
  const images = Array.from({ length: depth }, () => frame.rows * frame.columns * (frame.type === "uint16" ? 2 : 4));
  return Arena.bytesFor(images) + (kernelFor(reducers, frame, frame.type, dark, true)?.bytes ?? 0);
}

/**
 * In place of darks that are not known yet, one for all sensors of a size: with a value that no 16-bit number is near,
 * a histogram takes up to 6 bytes per pixel more.
 */
function darksLike(hasDark: boolean): (frame: ImageSpec) => Float64Array | undefined {
  const made = new Map<number, Float64Array>();
  return ({ rows, columns }) => {
    if (!hasDark) return undefined;
    const dark = made.get(rows * columns) ?? new Float64Array(rows * columns);
    made.set(dark.length, dark);
    return dark;
  };
}
