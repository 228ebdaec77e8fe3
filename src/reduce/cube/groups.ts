import { newPixels, type Pixels, type PixelType } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import type { Lane } from "../engine/accumulate.ts";
import { GroupBlock } from "../engine/group-block.ts";
import { GROUP, talliesOf } from "../engine/kernel.ts";
import type { Tally } from "../engine/tally.ts";
import type { Reducer } from "../reducer.ts";

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
  /** Undefined when no reducer knows the kernel, or there is no memory for it. */
  readonly #block: GroupBlock | undefined;
  /** Reducers that do not know it. */
  readonly #others: Reducers;
  readonly #waiting = new Map<Lane, Pixels[]>();
  #waits = 0;
  readonly #free: Pixels[] = [];

  /** @param type - of the images that come; corrected ones are float32 */
  constructor(reducers: Reducers, frame: ImageSpec, type: PixelType) {
    this.#reducers = reducers;
    this.#type = type;
    const tallies = talliesOf(Object.values(reducers), frame);
    const block = tallies.length === 0 ? undefined : blockFor(type, tallies);
    this.#block = block;
    this.#others = Object.fromEntries(
      Object.entries(reducers).filter(([, { kernel }]) => block === undefined || kernel === undefined),
    );
  }

  /** Bytes of the images that wait and of the kernel, at most. */
  static bytesFor(reducers: Reducers, frame: ImageSpec, type: PixelType): number {
    const tallies = talliesOf(Object.values(reducers), frame);
    if (tallies.length === 0) return 0;
    return GroupBlock.bytesFor(type, tallies) + MOST_WAITING * frame.rows * frame.columns * (type === "uint16" ? 2 : 4);
  }

  /** Takes in an image of the bin whose lane it is. */
  add(lane: Lane, pixels: Pixels, shot: Shot): void {
    const waits = this.#block?.takes(pixels) === true;
    for (const [name, reducer] of Object.entries(waits ? this.#others : this.#reducers)) {
      const state = lane.states.get(name);
      if (state !== undefined) reducer.add(state, pixels, shot, lane.frame);
    }
    if (!waits) return;
    if (this.#waits === MOST_WAITING) this.#takeIn(this.#longest());
    const place = this.#free.pop() ?? newPixels(pixels.length, this.#type);
    place.set(pixels);
    const group = this.#waiting.get(lane) ?? [];
    if (group.length === 0) this.#waiting.set(lane, group);
    this.#waits++;
    if (group.push(place) === GROUP) this.#takeIn(lane);
  }

  /** Brings every image into its bin. */
  settle(): void {
    for (const lane of [...this.#waiting.keys()]) this.#takeIn(lane);
  }

  #longest(): Lane | undefined {
    let [found, most]: [Lane | undefined, number] = [undefined, 0];
    for (const [lane, { length }] of this.#waiting) if (length > most) [found, most] = [lane, length];
    return found;
  }

  #takeIn(lane: Lane | undefined): void {
    const group = lane === undefined ? undefined : this.#waiting.get(lane);
    const block = this.#block;
    if (lane === undefined || group === undefined || block === undefined) return;
    block.group = group;
    for (const [name, { kernel }] of Object.entries(this.#reducers)) {
      const state = lane.states.get(name);
      if (state !== undefined) kernel?.settle(state, block);
    }
    this.#waiting.delete(lane);
    this.#waits -= group.length;
    this.#free.push(...group);
  }
}

/** Undefined when there is no memory for it: the plain way gives the same. */
function blockFor(type: PixelType, tallies: readonly Tally[]): GroupBlock | undefined {
  try {
    return new GroupBlock(type, tallies);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
