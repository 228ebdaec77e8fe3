import type { Pixels } from "../../core/ndarray.ts";
import { lowerBound } from "../../core/tags.ts";
import { DamagedStructure, type Hdf5Bytes, UnsupportedStructure, uintOf } from "./bytes.ts";
import {
  byteLengthOf,
  type DatasetHeader,
  datasetAt,
  type Element,
  imageShape,
  type Written,
  writtenIn,
} from "./dataset.ts";
import { finderIn, linksOf, objectAt } from "./group.ts";
import { readContiguous, readPixels } from "./image-bytes.ts";

/** What is known of the image of a tag. */
const NOT_LOOKED_AT = 0;
const ABSENT = 1;
/** Only the library knows how to read it. */
const ASK_LIBRARY = 2;
/** The address is that of the dataset's header. */
const BY_HEADER = 3;
/** The address is that of the pixels, of the shape and type of the first such image. */
const CONTIGUOUS = 4;
/** There is a dataset of which nothing was written, or not all. */
const NOTHING_WRITTEN = 5;
const PART_WRITTEN = 6;
/** The address is that of the header of a dataset whose pixels stand in other files. */
const ELSEWHERE = 7;
const DAMAGED = 8;
/** The address is that of the header of a dataset whose numbers the library would misread. */
const ODD = 9;

/** What is known of an image without the library: none, or how much of it was written. */
type StoredState = "none" | Exclude<Written, undefined> | "elsewhere" | "damaged" | "odd";
const states: Readonly<Record<number, StoredState>> = {
  [ABSENT]: "none",
  [BY_HEADER]: "all",
  [CONTIGUOUS]: "all",
  [NOTHING_WRITTEN]: "nothing",
  [PART_WRITTEN]: "part",
  [ELSEWHERE]: "elsewhere",
  [DAMAGED]: "damaged",
  [ODD]: "odd",
};
/** So many tags are looked for one by one, before all groups are listed: some lists have 100 000. */
const FEW = 64;
const codes = { all: BY_HEADER, nothing: NOTHING_WRITTEN, part: PART_WRITTEN } as const;

/**
 * Offsets of the images of one detector in the file: read from HDF5's object headers and indexes when an image is first
 * asked for, and kept in 17 bytes a tag. Every structure that is not supported here is left to the library, which is
 * slower and supports all.
 */
export class ImageOffsets {
  readonly #file: Hdf5Bytes;
  readonly #path: string;
  readonly #tags: Uint32Array;
  readonly #known: Uint8Array;
  readonly #addresses: Float64Array;
  #groups: Float64Array | undefined;
  #finder: ((name: string) => number) | undefined;
  #lookedFor = 0;
  #isDamaged = false;
  #common: DatasetHeader | undefined;

  /**
   * @param path - of the detector's group
   * @param tags - of the run, ascending
   */
  constructor(file: Hdf5Bytes, path: string, tags: Uint32Array) {
    this.#file = file;
    this.#path = path;
    this.#tags = tags;
    this.#known = new Uint8Array(tags.length);
    this.#addresses = new Float64Array(tags.length);
  }

  /**
   * Whether the detector has an image of the tag, with a status of 1 or none, and how much of it was written; undefined
   * when only the library can tell.
   */
  state(tag: number): StoredState | undefined {
    return states[this.#look(this.#indexOf(tag))];
  }

  /** Whether there is a group of any tag of the run; undefined when only the library can tell. */
  get hasGroups(): boolean | undefined {
    if (this.#groups === undefined && this.#tags.length > 0 && this.#findGroup(0) !== undefined) return true;
    this.#groups ??= this.#listGroups();
    if (this.#isDamaged) return undefined;
    return Number.isNaN(this.#groups[0]) ? undefined : this.#groups.some((address) => address > 0);
  }

  /** The header of an image that stands elsewhere, or is odd. */
  headerOf(tag: number): DatasetHeader {
    return datasetAt(this.#file, this.#addresses[this.#indexOf(tag)] ?? NaN);
  }

  /** Fills `out` with the image of a tag, of this shape; false when only the library can. */
  read(tag: number, shape: readonly number[], out: Pixels): boolean | Promise<boolean> {
    const index = this.#indexOf(tag);
    const known = this.#look(index);
    const address = this.#addresses[index] ?? NaN;
    try {
      const common = this.#common;
      if (known === CONTIGUOUS && common?.element !== undefined) {
        if (!isShape(common, shape)) return false;
        readContiguous(this.#file, address, common.element, out);
        return true;
      }
      if (known !== BY_HEADER && known !== ELSEWHERE) return false;
      const dataset = datasetAt(this.#file, address);
      if (!isShape(dataset, shape)) return false;
      const reading = readPixels(this.#file, dataset, out);
      return reading === undefined
        ? true
        : reading.then(
            () => true,
            (error: unknown) => leaveToLibrary(error, false),
          );
    } catch (error) {
      return leaveToLibrary(error, false);
    }
  }

  /** Byte offsets of images of this shape that stand in the file as plain numbers, and numpy's name of their type. */
  contiguous(
    tags: Uint32Array,
    shape: readonly number[],
  ): { readonly dtype: string; readonly offsets: Float64Array } | undefined {
    const indexes = Array.from(tags, (tag) => this.#indexOf(tag));
    const isContiguous = indexes.map((index) => this.#look(index) === CONTIGUOUS);
    const common = this.#common;
    if (common?.element === undefined || !isShape(common, shape)) return undefined;
    const { element } = common;
    const at = (i: number): number => this.#file.offsetOf(this.#addresses[indexes[i] ?? NaN] ?? NaN);
    return {
      dtype: `${element.bigEndian ? ">" : "<"}${element.kind}${element.bytes}`,
      offsets: Float64Array.from(isContiguous, (is, i) => (is ? at(i) : NaN)),
    };
  }

  /** How the image of a tag is stored, for comparing: the same words for images that are read in the same way. */
  storageOf(tag: number): string {
    const index = this.#indexOf(tag);
    const { element, layout, filters } =
      (this.#known[index] === CONTIGUOUS && this.#common) || datasetAt(this.#file, this.#addresses[index] ?? NaN);
    return JSON.stringify([element, layout.kind, filters]);
  }

  /** What is known of a tag, looked up once. */
  #look(index: number): number {
    if (index < 0) return ABSENT;
    const known = this.#known[index] ?? NOT_LOOKED_AT;
    if (known !== NOT_LOOKED_AT) return known;
    let found: number;
    try {
      found = this.#find(index);
    } catch (error) {
      found = error instanceof DamagedStructure ? DAMAGED : leaveToLibrary(error, ASK_LIBRARY);
    }
    this.#known[index] = found;
    return found;
  }

  #find(index: number): number {
    const group = this.#groupOf(index);
    if (this.#isDamaged) return DAMAGED;
    if (group === 0) return ABSENT;
    const links = linksOf(this.#file, group);
    const data = links.find(([name]) => name === "detector_data")?.[1];
    if (data === undefined) return ABSENT;
    const status = links.find(([name]) => name === "detector_status")?.[1];
    if (Number.isNaN(data)) throw new UnsupportedStructure("a link to elsewhere");
    if (status !== undefined && this.#numberAt(status) !== 1) return ABSENT;
    const dataset = datasetAt(this.#file, data);
    const { layout, element } = dataset;
    this.#addresses[index] = data;
    if (dataset.odd !== undefined) return ODD;
    const written = writtenIn(this.#file, dataset);
    if (written === "all" && layout.kind === "contiguous" && layout.address !== undefined && element !== undefined) {
      this.#common ??= dataset;
      if (isShape(dataset, imageShape(this.#common.shape)) && isSame(element, this.#common.element)) {
        this.#addresses[index] = layout.address;
        return CONTIGUOUS;
      }
    }
    return written === undefined ? ELSEWHERE : codes[written];
  }

  /** Address of the group of a tag, 0 where there is none. */
  #groupOf(index: number): number {
    const found = this.#groups === undefined && this.#lookedFor++ < FEW ? this.#findGroup(index) : undefined;
    if (found !== undefined) return found;
    this.#groups ??= this.#listGroups();
    return this.#groups[index] ?? 0;
  }

  /** One without the others; undefined where they must be listed, also to see whether the list is damaged. */
  #findGroup(index: number): number | undefined {
    try {
      this.#finder ??= finderIn(this.#file, objectAt(this.#file, this.#path));
      const found = this.#finder?.(`tag_${this.#tags[index]}`);
      return found === 0 ? undefined : found;
    } catch (error) {
      return leaveToLibrary(error, undefined);
    }
  }

  /** Addresses of the groups of tags, 0 where there is none. */
  #listGroups(): Float64Array {
    const groups = new Float64Array(this.#tags.length);
    try {
      for (const [name, address] of linksOf(this.#file, objectAt(this.#file, this.#path))) {
        const tag = /^tag_(0|[1-9]\d{0,9})$/.exec(name)?.[1];
        const index = tag === undefined ? -1 : this.#indexOf(Number(tag));
        if (index >= 0) groups[index] = address;
      }
    } catch (error) {
      this.#isDamaged = error instanceof DamagedStructure;
      groups.fill(leaveToLibrary(error, NaN));
    }
    return groups;
  }

  /** The only number of a dataset of whole numbers. */
  #numberAt(address: number): number {
    const dataset = datasetAt(this.#file, address);
    const { element, layout } = dataset;
    if (
      layout.kind !== "contiguous" ||
      layout.address === undefined ||
      element === undefined ||
      element.kind === "f" ||
      element.bigEndian ||
      byteLengthOf(dataset) !== element.bytes
    )
      throw new UnsupportedStructure("not one number");
    return uintOf(this.#file.view(layout.address, element.bytes), 0, element.bytes);
  }

  #indexOf(tag: number): number {
    const index = lowerBound(this.#tags, tag);
    return this.#tags[index] === tag ? index : -1;
  }
}

function isShape(dataset: DatasetHeader, shape: readonly number[]): boolean {
  const found = imageShape(dataset.shape);
  return found.length === shape.length && found.every((length, axis) => length === shape[axis]);
}

function isSame(a: Element, b: Element | undefined): boolean {
  return b !== undefined && a.kind === b.kind && a.bytes === b.bytes && a.bigEndian === b.bigEndian;
}

/**
 * The answer when the tables are not understood, or cannot be read: the library then says what it is. Anything can
 * stand in a damaged file, so a table that leads out of its bounds (RangeError) or in a circle (the same), or bytes
 * that do not decompress (an error with a code) are no fault of ours.
 */
function leaveToLibrary<T>(error: unknown, answer: T): T {
  const hasCode = error instanceof Error && "code" in error;
  if (error instanceof UnsupportedStructure || error instanceof RangeError || hasCode) return answer;
  throw error;
}
