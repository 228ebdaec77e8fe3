import { newPixels, type Pixels, type PixelType } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import { GROUP } from "../engine/accumulator.ts";
import { checkGrid } from "../engine/exact.ts";
import { statisticsOf, workOf } from "../engine/kernel.ts";
import type { SensorState } from "../engine/partial-result.ts";
import { isOwn, type Statistic } from "../engine/statistic.ts";
import { TiledBatch } from "../engine/tiled-batch.ts";
import type { KernelWork, Layout, Reducer } from "../reducer.ts";

type Reducers = Readonly<Record<string, Reducer<unknown>>>;

/** Images of a sensor that wait at most, so that a scan that jumps between bins comes to groups of several. */
const MOST_WAITING = 32;

/**
 * Brings the images of one sensor into the bins of a cube. To fetch the sums of a bin from memory takes longer than to
 * add an image to them, so images wait here until several of the same bin can be taken in at once, by the kernel.
 */
export class ImageGroups {
  readonly #reducers: Reducers;
  readonly #type: PixelType;
  readonly #dark: Float64Array | undefined;
  /** Undefined when no reducer knows the kernel, or there is no memory for it. */
  readonly #block: TiledBatch | undefined;
  /** Reducers that do not know it. */
  readonly #others: Reducers;
  readonly #waiting = new Map<SensorState, Pixels[]>();
  readonly #sumsOnGrid: boolean;
  #waits = 0;
  readonly #free: Pixels[] = [];

  /**
   * @param type - of the images that come; corrected ones are float32
   * @param dark - of each pixel, when it is not taken off them yet
   */
  constructor(reducers: Reducers, frame: ImageSpec, type: PixelType, dark: Float64Array | undefined) {
    this.#reducers = reducers;
    this.#type = type;
    this.#dark = dark;
    this.#sumsOnGrid = Object.values(reducers).some(({ sumsOnGrid }) => sumsOnGrid === true);
    const statistics = statisticsIn(reducers, frame, type, dark);
    const block = statistics.length === 0 ? undefined : blockFor(type, statistics);
    this.#block = block;
    this.#others = Object.fromEntries(
      Object.entries(reducers).filter(
        ([, reducer]) => block === undefined || workInBins(reducer, { ...frame, type }, dark) === undefined,
      ),
    );
  }

  /** Bytes of the images that wait and of the kernel, at most. */
  static bytesFor(reducers: Reducers, frame: ImageSpec, type: PixelType): number {
    const statistics = statisticsIn(reducers, frame, type, undefined);
    if (statistics.length === 0) return 0;
    return (
      TiledBatch.bytesFor(type, statistics) + MOST_WAITING * frame.rows * frame.columns * (type === "uint16" ? 2 : 4)
    );
  }

  /**
   * Takes in an image of a bin; `sensor` is what the bin holds of its sensor.
   * @param less - gives the image less the dark
   * @throws TOO_SMALL
   */
  add(sensor: SensorState, pixels: Pixels, less: () => Pixels, shot: Shot): void {
    if (this.#sumsOnGrid && pixels instanceof Float32Array) checkGrid(sensor.frame.detId, shot.tag, pixels);
    const waits = this.#block?.takes(pixels) === true;
    for (const [name, reducer] of Object.entries(waits ? this.#others : this.#reducers)) {
      const state = sensor.states.get(name);
      if (state === undefined) continue;
      if (reducer.appliesDark === undefined) reducer.add(state, less(), shot, sensor.frame);
      else reducer.add(state, pixels, shot, sensor.frame, this.#dark);
    }
    if (!waits) return;
    if (this.#waits === MOST_WAITING) this.#accumulate(this.#longest());
    const place = this.#free.pop() ?? newPixels(pixels.length, this.#type);
    place.set(pixels);
    const group = this.#waiting.get(sensor) ?? [];
    if (group.length === 0) this.#waiting.set(sensor, group);
    this.#waits++;
    if (group.push(place) === GROUP) this.#accumulate(sensor);
  }

  /** Brings every image into its bin. */
  flush(): void {
    for (const sensor of [...this.#waiting.keys()]) this.#accumulate(sensor);
  }

  #longest(): SensorState | undefined {
    let [found, most]: [SensorState | undefined, number] = [undefined, 0];
    for (const [sensor, { length }] of this.#waiting) if (length > most) [found, most] = [sensor, length];
    return found;
  }

  #accumulate(sensor: SensorState | undefined): void {
    const group = sensor === undefined ? undefined : this.#waiting.get(sensor);
    const block = this.#block;
    if (sensor === undefined || group === undefined || block === undefined) return;
    block.group = group;
    for (const [name, reducer] of Object.entries(this.#reducers)) {
      const state = sensor.states.get(name);
      if (state === undefined) continue;
      const work = workInBins(reducer, { ...sensor.frame, type: this.#type }, this.#dark);
      work?.flush(state, block, sensor.frame, this.#dark);
    }
    this.#waiting.delete(sensor);
    this.#waits -= group.length;
    this.#free.push(...group);
  }
}

/** What the kernel can do for a reducer whose state changes after a few images, without the dark of each pixel. */
function workInBins(
  reducer: Reducer<unknown>,
  frame: ImageSpec,
  dark: Float64Array | undefined,
): KernelWork<Layout> | undefined {
  const work = workOf(reducer, frame, dark);
  const isShared = (statistic: Statistic): boolean =>
    !isOwn(statistic) && (dark === undefined || typeof statistic === "string");
  return work?.statistics.every(isShared) === true ? work : undefined;
}

function statisticsIn(
  reducers: Reducers,
  frame: ImageSpec,
  type: PixelType,
  dark: Float64Array | undefined,
): Statistic[] {
  const those = Object.values(reducers).filter(
    (reducer) => workInBins(reducer, { ...frame, type }, dark) !== undefined,
  );
  return statisticsOf(those, frame, type);
}

/** Undefined when there is no memory for it: the plain way gives the same. */
function blockFor(type: PixelType, statistics: readonly Statistic[]): TiledBatch | undefined {
  try {
    return new TiledBatch(type, statistics);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
