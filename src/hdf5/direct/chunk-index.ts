import { DamagedStructure, type Hdf5Bytes, isUndefined, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import { eachInExtensibleArray } from "./extensible-array.ts";
import { eachRecord, treeNode } from "./tree.ts";

/** Chunks, and how they are found. */
export interface Chunked {
  readonly kind: "chunks";
  /** Number of the kind of index. */
  readonly index: number;
  /** Of the index, or of the single chunk; undefined when nothing was written. */
  readonly address: number | undefined;
  readonly chunk: readonly number[];
  /** What the shape may grow to. */
  readonly maxShape: readonly number[];
  readonly isFiltered: boolean;
  /** Of a single chunk: its bytes where a filter changed them, and the filters left out. */
  readonly bytes: number | undefined;
  readonly mask: number;
}

/** One chunk of a dataset as it lies in the file. */
export interface Chunk {
  readonly address: number;
  readonly bytes: number;
  /** First index along each axis. */
  readonly offset: readonly number[];
  /** Which filters were left out, one bit each. */
  readonly mask: number;
}

/** HDF5's numbers of the ways to find a chunk; 0 is the version 1 B-tree of older layouts. */
export const [TREE_1, SINGLE, IMPLICIT, FIXED_ARRAY, EXTENSIBLE_ARRAY, TREE_2] = [0, 1, 2, 3, 4, 5] as const;
/** No image has as many, but a damaged header can say anything. */
const MOST_CHUNKS = 2 ** 20;

/**
 * The chunks of a dataset that were written: each stands at a place of its own, on the grid, and inside.
 * @throws UnsupportedStructure when the index is of a kind not known here, or contradicts itself
 */
export function chunksIn(file: Hdf5Bytes, layout: Chunked, shape: readonly number[], itemBytes: number): Chunk[] {
  const { chunk, index, address } = layout;
  const grid = gridOf(shape, chunk);
  const all = grid.reduce((product, length) => product * length, 1);
  if (all > MOST_CHUNKS) throw new UnsupportedStructure(`${all} chunks`);
  if (address === undefined) return [];
  const bytes = chunk.reduce((product, length) => product * length, itemBytes);
  if (index === SINGLE) {
    if (all !== 1) throw new UnsupportedStructure("a single chunk that is not all");
    return [{ address, bytes: layout.bytes ?? bytes, offset: shape.map(() => 0), mask: layout.mask }];
  }
  if (index === TREE_1) return chunksInTree(file, address, chunk, grid, itemBytes);
  if (index === TREE_2) return chunksInNewTree(file, layout, address, bytes, grid);
  if (index === EXTENSIBLE_ARRAY) return chunksInExtensibleArray(file, layout, address, bytes, grid);
  const max = gridOf(layout.maxShape, chunk);
  const chunks: Chunk[] = [];
  eachEntry(file, layout, address, bytes, (n, entry) => {
    const offset = offsetOf(n, max, chunk);
    // What was cut off by a smaller shape does not count.
    if (offset.every((at, axis) => at < (shape[axis] ?? 0))) chunks.push({ ...entry, offset });
  });
  return chunks;
}

/** How many chunks there are along each axis. */
export function gridOf(shape: readonly number[], chunk: readonly number[]): number[] {
  return shape.map((length, axis) => Math.ceil(length / (chunk[axis] ?? 1)));
}

/** The place of the nth chunk, counted along the last axis first. */
function offsetOf(n: number, grid: readonly number[], chunk: readonly number[]): number[] {
  const offset: number[] = [];
  let rest = n;
  for (let axis = grid.length - 1; axis >= 0; axis--) {
    const length = grid[axis] ?? 1;
    offset.unshift((rest % length) * (chunk[axis] ?? 1));
    rest = Math.floor(rest / length);
  }
  return offset;
}

/** Position of a chunk in the order of {@link offsetOf}. @throws UnsupportedStructure when it is off the grid */
function placeOf(offset: readonly number[], chunk: readonly number[], grid: readonly number[]): number {
  return offset.reduce((place, at, axis) => {
    const [step, length] = [chunk[axis] ?? 1, grid[axis] ?? 1];
    if (at % step !== 0 || at / step >= length) throw new DamagedStructure("a chunk outside the dataset");
    return place * length + at / step;
  }, 0);
}

/**
 * A version 1 B-tree, without checksums. HDF5 searches it by position, so that all is found only where positions
 * ascend. A key is a chunk's bytes, the filters left out, and its position, in elements and in bytes of an element.
 */
function chunksInTree(
  file: Hdf5Bytes,
  root: number,
  chunk: readonly number[],
  grid: readonly number[],
  itemBytes: number,
): Chunk[] {
  const rank = grid.length;
  const keyBytes = 8 + 8 * (rank + 1);
  const positionIn = (view: DataView, key: number): number[] =>
    Array.from({ length: rank + 1 }, (_, axis) => uint64(view, key + 8 + 8 * axis));
  const chunks: Chunk[] = [];
  let last = -1;
  const walk = (address: number, above: number | undefined, from: readonly number[], to: readonly number[] | null) => {
    const node = treeNode(file, address, 1, keyBytes, above);
    const { view, length, level } = node;
    let end = positionIn(view, node.keyAt(0));
    for (let i = 0; i < length; i++) {
      const [key, child, position] = [node.keyAt(i), node.child(i), end];
      end = positionIn(view, node.keyAt(i + 1));
      const offset = position.slice(0, -1);
      const isInOrder =
        compare(from, position) <= 0 && compare(position, end) < 0 && (to === null || compare(end, to) <= 0);
      const isOnGrid = end.every((at, axis) => at % (chunk[axis] ?? itemBytes) === 0);
      if (!isInOrder || !isOnGrid || position[rank] !== 0) throw new DamagedStructure("chunks out of order");
      if (level > 0) {
        walk(child, level, position, end);
        continue;
      }
      const place = placeOf(offset, chunk, grid);
      if (place <= last) throw new DamagedStructure("chunks out of order");
      last = place;
      chunks.push({ address: child, bytes: view.getUint32(key, true), offset, mask: view.getUint32(key + 4, true) });
    }
  };
  walk(root, undefined, new Array<number>(rank + 1).fill(0), null);
  return chunks;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [axis, value] of a.entries()) if (value !== b[axis]) return value - (b[axis] ?? 0);
  return 0;
}

/** Records of 8 bytes of address, where filtered the bytes and the filters left out, and 8 bytes of place per axis. */
function chunksInNewTree(
  file: Hdf5Bytes,
  { chunk, isFiltered }: Chunked,
  address: number,
  bytes: number,
  grid: readonly number[],
): Chunk[] {
  const [PLAIN, FILTERED] = [10, 11];
  const least = 8 + (isFiltered ? 5 : 0) + 8 * grid.length;
  const chunks: Chunk[] = [];
  const seen = new Set<number>();
  eachRecord(file, address, isFiltered ? FILTERED : PLAIN, least, (view, at, recordBytes) => {
    const places = at + recordBytes - 8 * grid.length;
    const offset = chunk.map((length, axis) => uint64(view, places + 8 * axis) * length);
    const place = placeOf(offset, chunk, grid);
    if (seen.has(place)) throw new DamagedStructure("a chunk that is there twice");
    seen.add(place);
    chunks.push({ ...entryIn(view, at, places - at, bytes), offset });
  });
  return chunks;
}

/** Chunks are counted along the axis without limit last, whichever it is. */
function chunksInExtensibleArray(
  file: Hdf5Bytes,
  { chunk, isFiltered, maxShape }: Chunked,
  address: number,
  bytes: number,
  grid: readonly number[],
): Chunk[] {
  const open = maxShape.indexOf(Infinity);
  if (open < 0 || maxShape.lastIndexOf(Infinity) !== open) throw new UnsupportedStructure("an array of another rank");
  const axes = [open, ...grid.keys()].filter((axis, i) => i === 0 || axis !== open);
  const max = gridOf(maxShape, chunk);
  const places = axes.map((axis) => (axis === open ? grid[axis] : max[axis]) ?? 0);
  const count = places.reduce((product, length) => product * length, 1);
  if (count > MOST_CHUNKS) throw new UnsupportedStructure(`${count} chunks`);
  const chunks: Chunk[] = [];
  eachInExtensibleArray(file, address, isFiltered, count, (n, view, at, entryBytes) => {
    const moved = offsetOf(
      n,
      places,
      axes.map((axis) => chunk[axis] ?? 1),
    );
    const offset = grid.map((_, axis) => moved[axes.indexOf(axis)] ?? 0);
    if (offset.every((from, axis) => from < (grid[axis] ?? 0) * (chunk[axis] ?? 1)))
      chunks.push({ ...entryIn(view, at, entryBytes, bytes), offset });
  });
  return chunks;
}

type Entry = Pick<Chunk, "address" | "bytes" | "mask">;

/** An address; where filtered, the bytes of the chunk and the filters left out follow. */
function entryIn(view: DataView, at: number, length: number, bytes: number): Entry {
  const address = uint64(view, at);
  if (length === 8) return { address, bytes, mask: 0 };
  return { address, bytes: uintOf(view, at + 8, length - 12), mask: view.getUint32(at + length - 4, true) };
}

/** Visits the entries of an array of chunks that were written. */
function eachEntry(
  file: Hdf5Bytes,
  layout: Chunked,
  address: number,
  bytes: number,
  visit: (n: number, entry: Entry) => void,
): void {
  const count = gridOf(layout.maxShape, layout.chunk).reduce((product, length) => product * length, 1);
  if (count > MOST_CHUNKS) throw new UnsupportedStructure(`${count} chunks`);
  if (layout.index === IMPLICIT) {
    for (let n = 0; n < count; n++) visit(n, { address: address + n * bytes, bytes, mask: 0 });
    return;
  }
  if (layout.index !== FIXED_ARRAY) throw new UnsupportedStructure("chunks in another index");
  const head = file.checked(address, 28, "FAHD");
  const [entryBytes, pageBits, entries] = [head.getUint8(6), head.getUint8(7), uint64(head, 8)];
  const isExpected = entries === count && head.getUint8(5) === Number(layout.isFiltered);
  if (!isExpected || (layout.isFiltered ? entryBytes < 13 : entryBytes !== 8))
    throw new UnsupportedStructure("an array of another size");
  if (isUndefined(head, 16)) return;
  const block = uint64(head, 16);
  const entriesIn = (view: DataView, from: number, first: number, length: number): void => {
    for (let i = 0; i < length; i++) {
      const at = from + i * entryBytes;
      if (!isUndefined(view, at)) visit(first + i, entryIn(view, at, entryBytes, bytes));
    }
  };
  const HEAD = 14;
  const page = 2 ** pageBits;
  if (entries <= page) {
    entriesIn(file.checked(block, HEAD + entries * entryBytes + 4, "FADB"), HEAD, 0, entries);
    return;
  }
  const pages = Math.ceil(entries / page);
  const bitmap = Math.ceil(pages / 8);
  const start = file.checked(block, HEAD + bitmap + 4, "FADB");
  const isWritten = Array.from(
    { length: pages },
    (_, n) => (start.getUint8(HEAD + (n >> 3)) & (0x80 >> (n & 7))) !== 0,
  );
  for (const [n, written] of isWritten.entries()) {
    const length = Math.min(page, entries - n * page);
    const at = block + HEAD + bitmap + 4 + n * (page * entryBytes + 4);
    if (written) entriesIn(file.checked(at, length * entryBytes + 4, ""), 0, n * page, length);
  }
}
