import { badArgument } from "./guards.ts";
import type { Ledger } from "./ledger.ts";
import {
  asImage,
  contiguous,
  newPixels,
  type Pixels,
  type PixelType,
  pixelTypeOf,
  type RawImage,
  shapeOf,
} from "./ndarray.ts";
import type { SyncValue } from "./syncdb.ts";

/** One shot: its images and its 0-D values. */
export interface Shot {
  readonly tag: number;
  /**
   * Images by sensor id, shape [rows, columns], float32 or uint16 as they are stored. They share memory that is
   * **used again for a later shot**: `keep()` of a {@link KeepableShot} gives them their own. An id is absent only
   * under the policy `"partial"`.
   */
  readonly images: Readonly<Record<string, RawImage>>;
  /** Why an image is absent, by sensor id, where the reader tells: `frame-missing`, `frame-not-written`, … */
  readonly missing?: Readonly<Record<string, string>>;
  /**
   * A 0-D value of this shot: a number with its unit, or the reason why there is none.
   * @throws BAD_ARGUMENT when the signal was not asked for
   */
  value(equipId: string): SyncValue;
  /** The same as a bare number, NaN where there is none. */
  number(equipId: string): number;
}

/** A shot of a source, whose images can be kept. */
export interface KeepableShot extends Shot {
  /**
   * Copies the images to memory of their own, which no later shot uses, and gives the shot itself: for a list of shots,
   * or to send `image.data.buffer` to a worker. Memory that was sent away without it is replaced for the next shots,
   * but the images of this one are gone.
   * @throws MEMORY_TRANSFERRED when an image has been sent away already
   * @example
   * const bright = [];
   * for await (const shot of facility.shots({ run, detectors })) if (shot.number(bm1) > 1e-9) bright.push(shot.keep());
   */
  keep(): this;
}

/** What the images of one sensor look like. */
export interface ImageSpec {
  /** Sensor or camera id. */
  readonly detId: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: PixelType;
}

/** Returns memory for one image; called once for each sensor and each shot that is held at a time. */
export type PixelMemory = (length: number, type: PixelType) => Pixels;

/**
 * Shots one after another, from wherever they come: a stored run, the running beam, memory, or a script of your own.
 * Any async iterable of shots is one. Each further member tells the reader more, and is used when it is there.
 *
 * @example
 * // Shots of your own, with an account of what was left out and a total for the progress:
 * const book = new Map<string, number[]>();
 * const mine: ShotStream = {
 *   count: async () => tags.length,
 *   get ledger() { return { asked, used, dropped: [{ reason: "too-dim", tags: dim }] }; },
 *   async *[Symbol.asyncIterator]() { for (const tag of tags) yield await readMine(tag); },
 * };
 * const { average, ledger } = await reduce(mine, { average: mean() });
 */
export interface ShotStream<S extends Shot = Shot> extends AsyncIterable<S> {
  /** Account of the last loop. What it dropped is added to the ledger of the result. @default nothing was dropped */
  readonly ledger?: Ledger;
  /** Number of shots that will come. @default unknown */
  count?(): Promise<number>;
  /** What the images of each sensor will look like. @default unknown before the first image */
  describe?(): Promise<readonly ImageSpec[]>;
  /** The same shots, with their images in the memory given: for readers that can then compute without a copy. */
  into?(memory: PixelMemory): AsyncIterable<S>;
  /** Images held at a time for each sensor. @default 1 */
  readonly depth?: number;
  /** Shots whose images are all in memory already: they are read many at a time. */
  readonly inMemory?: ShotsInMemory<S> | undefined;
}

/** Shots by number, and their images sensor by sensor. */
export interface ShotsInMemory<S extends Shot = Shot> {
  readonly length: number;
  shot(k: number): S;
  /** `data`: all images of the sensor, one after another, row-major. */
  readonly sensors: readonly { readonly spec: ImageSpec; readonly data: Pixels }[];
}

/** Memory for one image of each sensor, used again for the next shot. */
export class ImageMemory {
  readonly #memory: PixelMemory;
  readonly #kept = new Map<string, Pixels>();

  constructor(memory: PixelMemory = newPixels) {
    this.#memory = memory;
  }

  /** The memory for an image of a sensor. */
  readonly pixels = (detId: string, length: number, type: PixelType): Pixels => {
    let pixels = this.#kept.get(detId);
    if (pixels === undefined || pixels.length !== length) {
      pixels = this.#memory(length, type);
      this.#kept.set(detId, pixels);
    }
    return pixels;
  };

  /** The images of a shot in this memory: there already, unless the carrier could only give memory of its own. */
  images(
    frames: readonly { readonly detId: string; readonly shape: readonly [number, number]; readonly data: Pixels }[],
  ): Record<string, RawImage> {
    const images: Record<string, RawImage> = {};
    for (const { detId, shape, data } of frames) {
      const kept = this.pixels(detId, data.length, pixelTypeOf(data));
      if (kept.buffer !== data.buffer || kept.byteOffset !== data.byteOffset) kept.set(data);
      images[detId] = asImage(kept, shape[0], shape[1]);
    }
    return images;
  }
}

/** A shot as a source gave it. */
export class ReceivedShot implements KeepableShot {
  readonly tag: number;
  images: Readonly<Record<string, RawImage>>;
  readonly missing: Readonly<Record<string, string>>;
  readonly #equipIds: readonly string[];
  readonly #valueAt: (index: number) => SyncValue;

  /** @param valueAt - the 0-D value of signal number `index` of `equipIds` */
  constructor(
    tag: number,
    images: Readonly<Record<string, RawImage>>,
    equipIds: readonly string[],
    valueAt: (index: number) => SyncValue,
    missing: Readonly<Record<string, string>> = {},
  ) {
    this.tag = tag;
    this.images = images;
    this.missing = missing;
    this.#equipIds = equipIds;
    this.#valueAt = valueAt;
  }

  keep(): this {
    this.images = Object.fromEntries(
      Object.entries(this.images).map(([detId, image]) => {
        const [rows, columns] = shapeOf(detId, image);
        return [detId, asImage(contiguous(image).slice(), rows, columns)];
      }),
    );
    return this;
  }

  value(equipId: string): SyncValue {
    const index = this.#equipIds.indexOf(equipId);
    if (index < 0)
      throw badArgument("signal", equipId, `one of those asked for: ${this.#equipIds.join(", ") || "none"}`);
    return this.#valueAt(index);
  }

  number(equipId: string): number {
    const value = this.value(equipId);
    return "value" in value ? value.value : NaN;
  }
}

/** The spec of an image of a sensor. */
export function imageSpecOf(detId: string, image: RawImage): ImageSpec {
  const [rows, columns] = shapeOf(detId, image);
  return { detId, rows, columns, type: pixelTypeOf(image.data) };
}
