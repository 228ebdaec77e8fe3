import { type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import { DATASPACE, DATATYPE, EXTERNAL_FILES, eachMessage, FILTERS, LAYOUT, treeNode } from "./group.ts";

/** Whole numbers or IEEE floats, in either order of bytes. */
export interface Element {
  readonly kind: "i" | "u" | "f";
  readonly bytes: number;
  readonly bigEndian: boolean;
}

/** One chunk of a dataset as it lies in the file. */
export interface Chunk {
  readonly address: number;
  readonly bytes: number;
  /** Its first row and column. */
  readonly row: number;
  readonly column: number;
}

/** What an object header says about a dataset. */
export interface DatasetHeader {
  readonly element: Element;
  /** [] for a scalar. */
  readonly shape: readonly number[];
  /** A contiguous dataset is one chunk. */
  readonly layout: StorageLayout;
  /** Ids of what was done to a chunk before it was written, in that order. */
  readonly filters: readonly number[];
}

type StorageLayout =
  | { readonly kind: "contiguous"; readonly address: number; readonly bytes: number }
  /** One chunk, of this many bytes where a filter changed them. */
  | {
      readonly kind: "chunk";
      readonly address: number;
      readonly bytes: number | undefined;
      readonly chunk: readonly number[];
    }
  /** Many chunks, found through a version 1 B-tree. */
  | { readonly kind: "chunks"; readonly address: number; readonly chunk: readonly number[] };

/** HDF5's numbers of filters. */
export const DEFLATE = 1;
export const SHUFFLE = 2;

/**
 * @throws UnsupportedStructure when it is no dataset of numbers, or lies in the file in a way that is not known here
 */
export function datasetAt(file: Hdf5Bytes, address: number): DatasetHeader {
  let element: Element | undefined;
  let shape: number[] | undefined;
  let layout: StorageLayout | undefined;
  let filters: number[] = [];
  eachMessage(file, address, (type, view) => {
    if (type === DATATYPE) element = elementIn(view);
    else if (type === DATASPACE) shape = shapeIn(view);
    else if (type === LAYOUT) layout = layoutIn(view);
    else if (type === FILTERS) filters = filtersIn(view);
    else if (type === EXTERNAL_FILES) throw new UnsupportedStructure("pixels in another file");
  });
  if (element === undefined || shape === undefined || layout === undefined)
    throw new UnsupportedStructure("not a dataset");
  const dataset = { element, shape, layout, filters };
  if (layout.kind === "contiguous" && (layout.bytes < byteLengthOf(dataset) || filters.length > 0))
    throw new UnsupportedStructure("contiguous bytes of another length");
  return dataset;
}

/** Bytes of a dataset in memory. */
export function byteLengthOf({ element, shape }: DatasetHeader): number {
  return shape.reduce((product, length) => product * length, element.bytes);
}

/**
 * The chunks of an image, which together are all of it.
 * @throws UnsupportedStructure when one was never written: the library knows the fill value
 */
export function chunksOf(file: Hdf5Bytes, dataset: DatasetHeader): Chunk[] {
  const { layout, shape } = dataset;
  if (layout.kind !== "chunks") {
    if (!file.has(layout.address, 1)) throw new UnsupportedStructure("never written");
    return [{ address: layout.address, bytes: layout.bytes ?? byteLengthOf(dataset), row: 0, column: 0 }];
  }
  const chunks: Chunk[] = [];
  if (file.has(layout.address, 1)) chunksInTree(file, layout.address, chunks);
  const all = shape.reduce((count, length, axis) => count * Math.ceil(length / (layout.chunk[axis] ?? 1)), 1);
  if (chunks.length !== all) throw new UnsupportedStructure(`${chunks.length} of ${all} chunks`);
  return chunks;
}

/**
 * Key of a chunk of an image: its bytes, what filters were left out, and its position along rows, columns and the bytes
 * of a pixel.
 */
const CHUNK_KEY = 4 + 4 + 3 * 8;

function chunksInTree(file: Hdf5Bytes, address: number, chunks: Chunk[]): void {
  const { level, children } = treeNode(file, address, CHUNK_KEY);
  for (const { child, key } of children) {
    if (level > 0) chunksInTree(file, child, chunks);
    else if (key.getUint32(4, true) !== 0) throw new UnsupportedStructure("a chunk without all of its filters");
    else chunks.push({ address: child, bytes: key.getUint32(0, true), row: uint64(key, 8), column: uint64(key, 16) });
  }
}

/** H5T_class_t of the HDF5 library. */
export const INTEGER = 0;
export const FLOAT = 1;
/** Bit offset, precision, then place and size of exponent and mantissa, and bias, of IEEE floats. */
const ieee: Readonly<Record<number, readonly number[]>> = {
  4: [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0],
  8: [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0],
};

function elementIn(view: DataView): Element {
  const [bytes, flags] = [view.getUint32(4, true), view.getUint8(1)];
  const bigEndian = (flags & 1) === 1;
  const type = view.getUint8(0) & 0x0f;
  if (type === FLOAT && (flags & 0x40) === 0) {
    const isIeee = ieee[bytes]?.every((value, i) => view.getUint8(8 + i) === value) ?? false;
    if (isIeee) return { kind: "f", bytes, bigEndian };
  }
  if (type === INTEGER && [1, 2, 4, 8].includes(bytes)) {
    const isWhole = view.getUint16(8, true) === 0 && view.getUint16(10, true) === 8 * bytes;
    if (isWhole) return { kind: (flags & 8) === 0 ? "u" : "i", bytes, bigEndian };
  }
  throw new UnsupportedStructure("numbers of another type");
}

function shapeIn(view: DataView): number[] {
  const [version, rank] = [view.getUint8(0), view.getUint8(1)];
  const NULL = 2;
  if (version > 2 || version === 0 || (version === 2 && view.getUint8(3) === NULL))
    throw new UnsupportedStructure("another dataspace");
  return Array.from({ length: rank }, (_, axis) => uint64(view, (version === 1 ? 8 : 4) + 8 * axis));
}

/** Data layout message, versions 3 and 4; what older libraries wrote is left to the library. */
function layoutIn(view: DataView): StorageLayout {
  const [version, type] = [view.getUint8(0), view.getUint8(1)];
  const [CONTIGUOUS, CHUNKED] = [1, 2];
  if (version !== 3 && version !== 4) throw new UnsupportedStructure("another data layout");
  if (type === CONTIGUOUS) return { kind: "contiguous", address: uint64(view, 2), bytes: uint64(view, 10) };
  if (type !== CHUNKED) throw new UnsupportedStructure("pixels in the object header");
  if (version === 3) {
    const rank = view.getUint8(2) - 1;
    const chunk = Array.from({ length: rank }, (_, axis) => view.getUint32(11 + 4 * axis, true));
    return { kind: "chunks", address: uint64(view, 3), chunk };
  }
  const [flags, rank, lengthBytes] = [view.getUint8(2), view.getUint8(3) - 1, view.getUint8(4)];
  const chunk = Array.from({ length: rank }, (_, axis) => uintOf(view, 5 + axis * lengthBytes, lengthBytes));
  const index = 5 + (rank + 1) * lengthBytes;
  const SINGLE_CHUNK = 1;
  if (view.getUint8(index) !== SINGLE_CHUNK) throw new UnsupportedStructure("chunks in another index");
  if ((flags & 2) === 0) return { kind: "chunk", address: uint64(view, index + 1), bytes: undefined, chunk };
  if (view.getUint32(index + 9, true) !== 0) throw new UnsupportedStructure("a chunk without all of its filters");
  return { kind: "chunk", address: uint64(view, index + 13), bytes: uint64(view, index + 1), chunk };
}

function filtersIn(view: DataView): number[] {
  const [version, count] = [view.getUint8(0), view.getUint8(1)];
  const filters: number[] = [];
  let at = version === 1 ? 8 : 2;
  for (let i = 0; i < count; i++) {
    const id = view.getUint16(at, true);
    const hasName = version === 1 || id >= 256;
    const nameBytes = hasName ? view.getUint16(at + 2, true) : 0;
    const head = at + (hasName ? 8 : 6);
    const values = view.getUint16(head - 2, true);
    // The old form fills names to a multiple of 8, and an odd number of values with one more.
    at =
      head +
      (version === 1 ? 8 * Math.ceil(nameBytes / 8) : nameBytes) +
      4 * (version === 1 ? values + (values % 2) : values);
    filters.push(id);
  }
  return filters;
}
