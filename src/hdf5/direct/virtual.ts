import { DamagedStructure, expectLetters, type Hdf5Bytes, UnsupportedStructure, uint64, uintOf } from "./bytes.ts";
import { lookup3 } from "./checksum.ts";

/** A part of an array: from the first index along each axis to before the second. */
export type Box = readonly (readonly [from: number, to: number])[];

/** One part of a virtual dataset, and where its values are. */
export interface Mapping {
  /** "." for the same file. */
  readonly file: string;
  readonly dataset: string;
  /** Null for all of the source. */
  readonly source: readonly Box[] | null;
  /** Null for all of the virtual dataset. */
  readonly target: readonly Box[] | null;
}

/** Serialized selections of a dataspace: H5S_sel_type of the HDF5 library. */
const [NONE, HYPERSLABS, ALL] = [0, 2, 3];
/** More boxes than any detector makes: what a damaged or strange selection asks for. */
const MOST_BOXES = 4096;

/**
 * What a virtual dataset is made of ("Virtual Dataset Layout" and "Dataspace Selection" in the HDF5 File Format
 * Specification).
 * @param heap - address of the collection of the global heap, and the number of the object in it
 * @throws UnsupportedStructure for selections that are not known here: points, those without end
 */
export function mappingsIn(file: Hdf5Bytes, heap: number, index: number): Mapping[] {
  const view = collectionAt(file, heap).get(index);
  if (view === undefined || view.byteLength < 13) throw new DamagedStructure("a list of sources is not in its heap");
  if (view.getUint8(0) !== 0) throw new UnsupportedStructure("another list of sources");
  if (lookup3(view, view.byteLength - 4) !== view.getUint32(view.byteLength - 4, true))
    throw new DamagedStructure("a list of sources has another checksum");
  const cursor = { at: 9 };
  const mappings: Mapping[] = [];
  for (let left = uint64(view, 1); left > 0; left--) {
    if (cursor.at >= view.byteLength - 4) throw new DamagedStructure("a list of sources ends too early");
    const [name, dataset] = [textAt(view, cursor), textAt(view, cursor)];
    mappings.push({ file: name, dataset, source: selectionAt(view, cursor), target: selectionAt(view, cursor) });
  }
  return mappings;
}

/**
 * The objects of a collection of the global heap, by number. It has no checksum; what is left of it is an object with
 * the number 0, whose length counts its head.
 */
export function collectionAt(file: Hdf5Bytes, address: number): ReadonlyMap<number, DataView> {
  const HEAD = 16;
  const bytes = file.bytes(address, uint64(file.view(address, HEAD), 8));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  expectLetters(view, "GCOL");
  const objects = new Map<number, DataView>();
  for (let at = HEAD; at + HEAD <= bytes.length; ) {
    const [number, length] = [view.getUint16(at, true), uint64(view, at + 8)];
    const whole = number === 0 ? length : HEAD + 8 * Math.ceil(length / 8);
    if (whole < HEAD || at + whole > bytes.length) throw new DamagedStructure("an object larger than its heap");
    if (number > 0) objects.set(number, new DataView(bytes.buffer, bytes.byteOffset + at + HEAD, length));
    at += whole;
  }
  return objects;
}

function textAt(view: DataView, cursor: { at: number }): string {
  const from = cursor.at;
  while (cursor.at < view.byteLength && view.getUint8(cursor.at) !== 0) cursor.at++;
  const text = Buffer.from(view.buffer, view.byteOffset + from, cursor.at - from).toString("utf8");
  cursor.at++;
  return text;
}

function selectionAt(view: DataView, cursor: { at: number }): Box[] | null {
  const [type, version] = [view.getUint32(cursor.at, true), view.getUint32(cursor.at + 4, true)];
  cursor.at += 8;
  if (type === ALL || type === NONE) {
    cursor.at += 8;
    return type === ALL ? null : [];
  }
  if (type !== HYPERSLABS || version < 1 || version > 3) throw new UnsupportedStructure("another selection");
  // Version 1 has 8 bytes that nobody needs, and numbers of 4 bytes; version 2 flags, 4 bytes that nobody needs, and
  // numbers of 8; version 3 flags and the bytes of a number.
  const isRegular = version > 1 && (view.getUint8(cursor.at) & 1) === 1;
  const width = version === 1 ? 4 : version === 2 ? 8 : view.getUint8(cursor.at + 1);
  cursor.at += version === 1 ? 8 : version === 2 ? 5 : 2;
  const next = (bytes: number): number => {
    cursor.at += bytes;
    return uintOf(view, cursor.at - bytes, bytes);
  };
  const rank = next(4);
  if (rank > 32 || ![2, 4, 8].includes(width)) throw new UnsupportedStructure("another selection");
  if (isRegular)
    return boxesOf(
      Array.from({ length: rank }, () =>
        rangesOf(
          [0, 1, 2, 3].map(() => next(width)),
          width,
        ),
      ),
    );
  const count = next(width);
  if (count > MOST_BOXES) throw new UnsupportedStructure(`${count} boxes`);
  return Array.from({ length: count }, () => {
    const [from, last] = [0, 1].map(() => Array.from({ length: rank }, () => next(width)));
    return (from ?? []).map((start, axis) => [start, (last?.[axis] ?? 0) + 1] as const);
  });
}

/** Blocks along one axis; those that touch are one. */
function rangesOf(numbers: readonly number[], width: number): (readonly [from: number, to: number])[] {
  const [start = 0, stride = 0, count = 0, block = 0] = numbers;
  const unlimited = 2 ** (8 * width) - 1;
  if (count >= unlimited || block >= unlimited) throw new UnsupportedStructure("a selection without end");
  if (count === 1 || stride === block) return [[start, start + count * block]];
  if (count > MOST_BOXES) throw new UnsupportedStructure(`${count} blocks`);
  return Array.from({ length: count }, (_, k) => [start + k * stride, start + k * stride + block] as const);
}

function boxesOf(axes: readonly (readonly (readonly [from: number, to: number])[])[]): Box[] {
  let boxes: Box[] = [[]];
  for (const ranges of axes) {
    if (boxes.length * ranges.length > MOST_BOXES) throw new UnsupportedStructure("too many boxes");
    boxes = boxes.flatMap((box) => ranges.map((range) => [...box, range]));
  }
  return boxes;
}

/**
 * Which indices of the first axis are wholly in boxes, 1 for each.
 * @throws UnsupportedStructure when there are too many boxes to compare
 */
export function coveredBy(boxes: readonly Box[], shape: readonly number[]): Uint8Array {
  const covered = new Uint8Array(shape[0] ?? 0);
  // The edges of all boxes part the array into cells, each of which is in a box or not.
  const edges = shape.map((length, axis) => {
    const all = boxes.flatMap((box) => box[axis] ?? [0, 0]).filter((at) => at > 0 && at < length);
    return [0, ...new Set(all), length].sort((a, b) => a - b);
  });
  const counts = edges.map((of) => of.length - 1);
  const perFirst = counts.slice(1).reduce((product, n) => product * n, 1);
  const [cutsOfFirst = [0]] = edges;
  if (perFirst * (counts[0] ?? 0) > 2 ** 20) throw new UnsupportedStructure("too many boxes");
  const cells = new Uint8Array(perFirst * (counts[0] ?? 0));
  for (const box of boxes) mark(cells, box, edges);
  for (let k = 0; k + 1 < cutsOfFirst.length; k++)
    if (cells.subarray(k * perFirst, (k + 1) * perFirst).every((is) => is === 1))
      covered.fill(1, cutsOfFirst[k], cutsOfFirst[k + 1]);
  return covered;
}

/** Marks the cells of a box. */
function mark(cells: Uint8Array, box: Box, edges: readonly (readonly number[])[]): void {
  const walk = (axis: number, place: number): void => {
    const cuts = edges[axis];
    if (cuts === undefined) {
      cells[place] = 1;
      return;
    }
    const [from, to] = box[axis] ?? [0, 0];
    const first = cuts.findIndex((cut) => cut >= from);
    for (let k = Math.max(0, first); k + 1 < cuts.length && (cuts[k + 1] ?? 0) <= to; k++)
      walk(axis + 1, place * (cuts.length - 1) + k);
  };
  walk(0, 0);
}
