import { DamagedStructure, type Hdf5Bytes, isUndefined, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import {
  type Chunk,
  type Chunked,
  chunksIn,
  EXTENSIBLE_ARRAY,
  FIXED_ARRAY,
  gridOf,
  IMPLICIT,
  SINGLE,
  TREE_1,
  TREE_2,
} from "./chunk-index.ts";
import { objectAt, textsIn } from "./group.ts";
import { DATASPACE, DATATYPE, EXTERNAL_FILES, eachMessage, FILL, FILTERS, LAYOUT, OLD_FILL } from "./object-header.ts";
import { collectionAt } from "./virtual.ts";

/** Whole numbers or IEEE floats, in either order of bytes. */
export interface Element {
  readonly kind: "i" | "u" | "f";
  readonly bytes: number;
  readonly bigEndian: boolean;
}

/** A part of a dataset in a file of its own. */
export interface ExternalPart {
  readonly name: string;
  readonly at: number;
  readonly bytes: number;
}

type Layout =
  | { readonly kind: "contiguous"; readonly address: number | undefined; readonly bytes: number }
  /** In the header itself. */
  | { readonly kind: "compact" }
  /** Parts of other datasets. */
  | { readonly kind: "virtual"; readonly heap: number; readonly object: number }
  | { readonly kind: "external"; readonly parts: readonly ExternalPart[] }
  | Chunked;

/** What an object header says about a dataset. */
export interface DatasetHeader {
  /** Undefined for what pixels cannot be. */
  readonly element: Element | undefined;
  /** In words, where it is of numbers that are neither whole in all their bits nor IEEE floats. */
  readonly odd: string | undefined;
  readonly itemBytes: number;
  /** [] for a scalar. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  /** What was done to a chunk before it was written, in that order. */
  readonly filters: readonly Filter[];
}

interface Filter {
  /** HDF5's number of it. */
  readonly id: number;
  readonly values: readonly number[];
}

/** HDF5's numbers of filters. */
export const DEFLATE = 1;
export const FLETCHER32 = 3;
export const SHUFFLE = 2;

/** Whether a dataset was written: all of it, a part, nothing; undefined when that is not to be seen here. */
export type Written = "all" | "part" | "nothing" | undefined;

/** @throws UnsupportedStructure when it is no dataset, or lies in the file in a way that is not known here */
export function datasetAt(file: Hdf5Bytes, address: number): DatasetHeader {
  let type: ReturnType<typeof typeIn> | undefined;
  let space: ReturnType<typeof spaceIn> | undefined;
  let layout: Layout | undefined;
  let filters: Filter[] = [];
  let external: ReturnType<typeof externalIn> | undefined;
  let fillBytes = 0;
  let oldFillBytes = 0;
  eachMessage(file, address, "dataset", (message, view) => {
    if (message === DATATYPE) type = typeIn(view);
    else if (message === DATASPACE) space = spaceIn(view);
    else if (message === LAYOUT) layout = layoutIn(view);
    else if (message === FILTERS) filters = filtersIn(view);
    else if (message === EXTERNAL_FILES) external = externalIn(view);
    else if (message === FILL) fillBytes = fillBytesIn(view);
    else if (message === OLD_FILL) oldFillBytes = view.getUint32(0, true);
  });
  if (type === undefined || space === undefined || layout === undefined)
    throw new UnsupportedStructure("not a dataset");
  const { element, odd, itemBytes } = type;
  const isUsual = (fillBytes === 0 || fillBytes === itemBytes) && (oldFillBytes === 0 || oldFillBytes === itemBytes);
  if (!isUsual) throw new UnsupportedStructure("another fill value");
  if (layout.kind === "virtual") collectionAt(file, layout.heap);
  if (external !== undefined) layout = { kind: "external", parts: partsOf(file, external) };
  const { shape } = space;
  const dataset = { element, odd, itemBytes, shape, layout: checkedLayout(layout, space, itemBytes, filters), filters };
  if (dataset.layout.kind === "contiguous" && dataset.layout.bytes < byteLengthOf(dataset))
    throw new UnsupportedStructure("contiguous bytes of another length");
  return dataset;
}

/** What the layout says and the other messages must agree with. */
function checkedLayout(
  layout: Layout,
  { shape, maxShape }: { shape: readonly number[]; maxShape: readonly number[] },
  itemBytes: number,
  filters: readonly Filter[],
): Layout {
  if (layout.kind !== "chunks") {
    if (filters.length > 0) throw new UnsupportedStructure("filters without chunks");
    return layout;
  }
  // The last length is that of an element in bytes.
  const chunk = layout.chunk.slice(0, -1);
  if (chunk.length !== shape.length || layout.chunk.at(-1) !== itemBytes || chunk.includes(0))
    throw new UnsupportedStructure("chunks of another rank");
  const isFiltered = filters.length > 0;
  if (layout.index === SINGLE && isFiltered !== (layout.bytes !== undefined))
    throw new UnsupportedStructure("a filtered chunk without filters");
  return { ...layout, chunk, maxShape, isFiltered };
}

/** Which axis is that of an image's rows, and the next one of its columns: all others have one place. */
export function imageAxis(shape: readonly number[]): number | undefined {
  for (let axis = shape.length - 2; axis >= 0; axis--)
    if (shape.every((length, k) => length === 1 || k === axis || k === axis + 1)) return axis;
  return undefined;
}

/** Rows and columns of an image, without axes of 1 before and behind them; of what is no image, all its lengths. */
export function imageShape(shape: readonly number[]): readonly number[] {
  const axis = imageAxis(shape);
  return axis === undefined ? shape : shape.slice(axis, axis + 2);
}

/** Bytes of a dataset in memory. */
export function byteLengthOf({ itemBytes, shape }: DatasetHeader): number {
  return shape.reduce((product, length) => product * length, itemBytes);
}

/**
 * Whether a dataset was written.
 * @throws UnsupportedStructure when what its header says is not in the file
 */
export function writtenIn(file: Hdf5Bytes, dataset: DatasetHeader): Written {
  const { layout, shape } = dataset;
  if (layout.kind === "compact") return "all";
  if (layout.kind === "virtual" || layout.kind === "external") return undefined;
  if (layout.kind === "contiguous") {
    const bytes = byteLengthOf(dataset);
    if (layout.address === undefined) return bytes === 0 ? "all" : "nothing";
    if (!file.has(layout.address, bytes)) throw new DamagedStructure("past the end of the file");
    return "all";
  }
  const { length } = checkedChunks(file, dataset, layout);
  if (length === chunkCount(layout, shape)) return "all";
  return length === 0 ? "nothing" : "part";
}

/** Chunks that there are when all was written. */
function chunkCount({ chunk }: Chunked, shape: readonly number[]): number {
  return gridOf(shape, chunk).reduce((product, length) => product * length, 1);
}

function checkedChunks(file: Hdf5Bytes, dataset: DatasetHeader, layout: Chunked): Chunk[] {
  const chunks = chunksIn(file, layout, dataset.shape, dataset.itemBytes);
  checkFiltersLeftOut(dataset, chunks);
  return chunks;
}

/**
 * 1 for each index of the first axis of which all chunks were written.
 * @param module - those at this index of the second axis
 */
export function writtenAlongFirst(
  file: Hdf5Bytes,
  { layout, shape, itemBytes }: DatasetHeader,
  module?: number,
): Uint8Array {
  const written = new Uint8Array(shape[0] ?? 0);
  if (layout.kind !== "chunks") return written;
  const [length = 1, modules = 1] = layout.chunk;
  const [count = 0, ...others] = gridOf(
    shape,
    module === undefined ? layout.chunk : layout.chunk.with(1, shape[1] ?? 1),
  );
  const chunksOf = new Uint32Array(count);
  for (const { offset } of chunksIn(file, layout, shape, itemBytes)) {
    if (module !== undefined && Math.floor((offset[1] ?? 0) / modules) !== Math.floor(module / modules)) continue;
    const place = Math.floor((offset[0] ?? 0) / length);
    chunksOf[place] = (chunksOf[place] ?? 0) + 1;
  }
  const all = others.reduce((product, n) => product * n, 1);
  for (const [k, chunks] of chunksOf.entries()) if (chunks === all) written.fill(1, k * length, (k + 1) * length);
  return written;
}

/** Whether any chunk went through the filter at an index of the list: what grows by a filter may be stored without. */
export function usesFilter(file: Hdf5Bytes, path: string, index: number): boolean {
  try {
    const { layout, shape, itemBytes } = datasetAt(file, objectAt(file, path));
    if (layout.kind !== "chunks") return true;
    return chunksIn(file, layout, shape, itemBytes).some(({ mask }) => (mask & (1 << index)) === 0);
  } catch (error) {
    if (error instanceof UnsupportedStructure || error instanceof RangeError) return true;
    throw error;
  }
}

/** A chunk that was not compressed has the bytes of its values: HDF5 itself would take what lies behind it. */
function checkFiltersLeftOut({ layout, filters, itemBytes }: DatasetHeader, chunks: readonly Chunk[]): void {
  if (layout.kind !== "chunks" || filters.some(({ id }) => id !== DEFLATE && id !== SHUFFLE)) return;
  const bytes = layout.chunk.reduce((product, length) => product * length, itemBytes);
  const isSame = ({ mask, bytes: stored }: Chunk): boolean =>
    stored === bytes || filters.some(({ id }, i) => id === DEFLATE && (mask & (1 << i)) === 0);
  if (!chunks.every(isSame)) throw new DamagedStructure("a chunk of another length");
}

/**
 * The chunks of an image, which together are all of it; a contiguous one is one chunk.
 * @throws UnsupportedStructure when one is not there, or lies elsewhere than in a chunk
 */
export function chunksOf(file: Hdf5Bytes, dataset: DatasetHeader): Chunk[] {
  const { layout, shape } = dataset;
  if (layout.kind === "chunks") {
    const chunks = checkedChunks(file, dataset, layout);
    if (chunks.length !== chunkCount(layout, shape)) throw new UnsupportedStructure("not all was written");
    return chunks;
  }
  if (writtenIn(file, dataset) !== "all") throw new UnsupportedStructure("not all was written");
  if (layout.kind !== "contiguous" || layout.address === undefined) throw new UnsupportedStructure("no chunks");
  return [{ address: layout.address, bytes: byteLengthOf(dataset), offset: shape.map(() => 0), mask: 0 }];
}

/** H5T_class_t of the HDF5 library. */
export const INTEGER = 0;
export const FLOAT = 1;
/** Bit offset, precision, then place and size of exponent and mantissa, and bias, of IEEE floats. */
const ieee: Readonly<Record<number, readonly number[]>> = {
  2: [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0],
  4: [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0],
  8: [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0],
};

function typeIn(view: DataView): { element: Element | undefined; odd: string | undefined; itemBytes: number } {
  const itemBytes = view.getUint32(4, true);
  const [version, type] = [view.getUint8(0) >> 4, view.getUint8(0) & 0x0f];
  if (version < 1 || version > 5 || itemBytes === 0) throw new UnsupportedStructure("another datatype message");
  const [flags, second, third] = [view.getUint8(1), view.getUint8(2), view.getUint8(3)];
  const bigEndian = (flags & 1) === 1;
  const [ORDER, SIGNED, NORMALIZED] = [1, 8, 0x20];
  let element: Element | undefined;
  if (type === FLOAT && (flags & ~ORDER) === NORMALIZED && second === 8 * itemBytes - 1 && third === 0) {
    const isIeee = ieee[itemBytes]?.every((value, i) => view.getUint8(8 + i) === value) ?? false;
    if (isIeee) element = { kind: "f", bytes: itemBytes, bigEndian };
  }
  const isWhole = type === INTEGER && [1, 2, 4, 8].includes(itemBytes) && (flags & ~(ORDER | SIGNED)) === 0;
  if (isWhole && second === 0 && third === 0 && view.getUint16(8, true) === 0) {
    if (view.getUint16(10, true) === 8 * itemBytes)
      element = { kind: (flags & SIGNED) === 0 ? "u" : "i", bytes: itemBytes, bigEndian };
  }
  const odd = element === undefined ? oddIn(view, type, itemBytes) : undefined;
  return { element, odd, itemBytes };
}

function oddIn(view: DataView, type: number, itemBytes: number): string | undefined {
  const bits = type === INTEGER || type === FLOAT ? view.getUint16(10, true) : 0;
  const of = bits === 8 * itemBytes || bits === 0 ? "of an unusual kind" : `of ${bits} bits`;
  if (type === INTEGER) return `whole numbers ${of} in ${itemBytes} bytes each`;
  return type === FLOAT ? `floating-point numbers ${of} in ${itemBytes} bytes each` : undefined;
}

function spaceIn(view: DataView): { shape: number[]; maxShape: number[] } {
  const [version, rank, flags] = [view.getUint8(0), view.getUint8(1), view.getUint8(2)];
  const [HAS_MAX, SIMPLE] = [1, 1];
  const isKnown = version === 1 || (version === 2 && view.getUint8(3) === (rank === 0 ? 0 : SIMPLE));
  if (!isKnown || (flags & ~HAS_MAX) !== 0 || rank > 32) throw new UnsupportedStructure("another dataspace");
  const from = version === 1 ? 8 : 4;
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) shape.push(uint64(view, from + 8 * axis));
  if (flags === 0) return { shape, maxShape: shape };
  const maxShape = shape.map((_, axis) => {
    const at = from + 8 * (rank + axis);
    return isUndefined(view, at) ? Infinity : uint64(view, at);
  });
  if (maxShape.some((most, axis) => most < (shape[axis] ?? 0))) throw new UnsupportedStructure("another dataspace");
  return { shape, maxShape };
}

/** Bytes of a fill value message, versions 2 and 3; 0 where none is defined. */
function fillBytesIn(view: DataView): number {
  const version = view.getUint8(0);
  if (version === 2) {
    const isUsual = view.getUint8(1) <= 3 && view.getUint8(2) <= 2 && view.getUint8(3) <= 1;
    if (!isUsual) throw new UnsupportedStructure("another fill value");
    const bytes = view.getUint8(3) === 0 ? 0 : view.getUint32(4, true);
    if (8 + bytes > view.byteLength && bytes > 0) throw new DamagedStructure("a fill value larger than its message");
    return bytes;
  }
  const flags = view.getUint8(1);
  if (version !== 3 || (flags & 0xc0) !== 0) throw new UnsupportedStructure("another fill value");
  return (flags & 0x20) === 0 ? 0 : view.getUint32(2, true);
}

/** Data layout message, versions 3 to 5; what older libraries wrote is left to the library. */
function layoutIn(view: DataView): Layout {
  const [version, type] = [view.getUint8(0), view.getUint8(1)];
  const [COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL] = [0, 1, 2, 3];
  if (version < 3 || version > 5) throw new UnsupportedStructure("another data layout");
  if (type === COMPACT) return { kind: "compact" };
  if (type === CONTIGUOUS) return { kind: "contiguous", address: addressAt(view, 2), bytes: uint64(view, 10) };
  if (type === VIRTUAL && version > 3) {
    return { kind: "virtual", heap: uint64(view, 2), object: view.getUint32(10, true) };
  }
  if (type !== CHUNKED) throw new UnsupportedStructure("another data layout");
  const none = { kind: "chunks", maxShape: [], isFiltered: false, bytes: undefined, mask: 0 } as const;
  if (version === 3) {
    const chunk = Array.from({ length: view.getUint8(2) }, (_, axis) => view.getUint32(11 + 4 * axis, true));
    return { ...none, index: TREE_1, address: addressAt(view, 3), chunk };
  }
  const [flags, rank, lengthBytes] = [view.getUint8(2), view.getUint8(3), view.getUint8(4)];
  const chunk = Array.from({ length: rank }, (_, axis) => uintOf(view, 5 + axis * lengthBytes, lengthBytes));
  const at = 5 + rank * lengthBytes;
  const index = view.getUint8(at);
  const DONT_FILTER_EDGES = 1;
  if ((flags & DONT_FILTER_EDGES) !== 0) throw new UnsupportedStructure("chunks at the edge without filters");
  if (index === SINGLE && (flags & 2) !== 0) {
    const [bytes, mask] = [uint64(view, at + 1), view.getUint32(at + 9, true)];
    return { ...none, index, address: addressAt(view, at + 13), chunk, bytes, mask };
  }
  // What stands between the kind of index and its address: sizes that the index says too.
  const parameters = parameterBytes[index];
  if (parameters === undefined) throw new UnsupportedStructure("chunks in another index");
  return { ...none, index, address: addressAt(view, at + 1 + parameters), chunk };
}

function addressAt(view: DataView, at: number): number | undefined {
  return isUndefined(view, at) ? undefined : uint64(view, at);
}

const parameterBytes: Readonly<Record<number, number>> = {
  [SINGLE]: 0,
  [IMPLICIT]: 0,
  [FIXED_ARRAY]: 1,
  [EXTENSIBLE_ARRAY]: 5,
  [TREE_2]: 6,
};

/** External data files message: where the names are, and the parts in order. */
function externalIn(view: DataView): { heap: number; slots: { name: number; at: number; bytes: number }[] } {
  if (view.getUint8(0) !== 1) throw new UnsupportedStructure("another list of files");
  const used = view.getUint16(6, true);
  const slots = Array.from({ length: used }, (_, i) => {
    const at = 16 + 24 * i;
    return {
      name: uint64(view, at),
      at: uint64(view, at + 8),
      bytes: isUndefined(view, at + 16) ? Infinity : uint64(view, at + 16),
    };
  });
  return { heap: uint64(view, 8), slots };
}

function partsOf(file: Hdf5Bytes, { heap, slots }: ReturnType<typeof externalIn>): ExternalPart[] {
  const nameAt = textsIn(file, heap);
  return slots.map(({ name, at, bytes }) => ({ name: nameAt(name), at, bytes }));
}

function filtersIn(view: DataView): Filter[] {
  const [version, count] = [view.getUint8(0), view.getUint8(1)];
  if ((version !== 1 && version !== 2) || count === 0 || count > 32) throw new UnsupportedStructure("other filters");
  const filters: Filter[] = [];
  let at = version === 1 ? 8 : 2;
  for (let i = 0; i < count; i++) {
    const id = view.getUint16(at, true);
    const hasName = version === 1 || id >= 256;
    const nameBytes = hasName ? view.getUint16(at + 2, true) : 0;
    const head = at + (hasName ? 8 : 6);
    const length = view.getUint16(head - 2, true);
    if (version === 1 && nameBytes % 8 !== 0) throw new UnsupportedStructure("other filters");
    // A name ends with a NUL, or HDF5 does not take it.
    if (nameBytes > 0 && view.getUint8(head + nameBytes - 1) !== 0) throw new UnsupportedStructure("other filters");
    const from = head + nameBytes;
    filters.push({ id, values: Array.from({ length }, (_, k) => view.getUint32(from + 4 * k, true)) });
    // The old form fills an odd number of values with one more.
    at = from + 4 * (version === 1 ? length + (length % 2) : length);
  }
  return filters;
}
