import { promisify } from "node:util";
import { inflate, inflateSync } from "node:zlib";
import { numberArrays, type Pixels } from "../../core/ndarray.ts";
import { DamagedStructure, type Hdf5Bytes, UnsupportedStructure } from "./bytes.ts";
import type { Chunk } from "./chunk-index.ts";
import { byteLengthOf, chunksOf, type DatasetHeader, DEFLATE, type Element, imageAxis, SHUFFLE } from "./dataset.ts";
import { readExternal } from "./external.ts";
import { fromFloat16 } from "./float16.ts";

/** No chunk of an image is near it, but a damaged header can ask for anything. */
const MOST_BYTES = 2 ** 30;
/** Smaller chunks are decompressed here: to hand them to another thread takes more than it gives. */
const WORTH_A_THREAD = 2 ** 16;

const inflateInThread = promisify<Uint8Array, object, Buffer>(inflate);

type Target =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Types that pixels may have, as arrays in memory. */
const pixelArrays: Readonly<Record<string, new (memory: ArrayBufferLike, at: number, length: number) => Target>> = {
  ...numberArrays,
  f2: Uint16Array,
};

/**
 * Fills `out` with an image: straight from the file where it lies there as it is wanted, else decompressed in
 * other threads.
 * @throws UnsupportedStructure when it is stored in a way that only the library knows, or does not fit into `out`
 * without loss
 */
export function readPixels(file: Hdf5Bytes, dataset: DatasetHeader, out: Pixels): void | Promise<void> {
  const { element, layout, filters } = dataset;
  if (element === undefined) throw new UnsupportedStructure("numbers of another type");
  const target = targetFor(element, out);
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  if (bytes.length !== byteLengthOf(dataset)) throw new UnsupportedStructure("another size");
  if (layout.kind === "external") {
    readExternal(file.path, layout.parts, bytes);
    convert(element, target, out);
    return;
  }
  const chunks = chunksOf(file, dataset);
  const [only] = chunks;
  const isContiguous =
    layout.kind === "contiguous" ||
    (layout.kind === "chunks" && layout.chunk.every((length, axis) => length === dataset.shape[axis]));
  if (isContiguous && filters.length === 0 && only?.bytes === bytes.length) file.read(bytes, only.address);
  else {
    const chunking = chunkingOf(dataset);
    // Chunks lie side by side: together they are no larger than the file.
    if (chunks.reduce((sum, part) => sum + part.bytes, 0) > file.size) throw new DamagedStructure("chunks too large");
    if (chunks.some(({ mask }) => mask !== 0)) throw new UnsupportedStructure("a chunk without all of its filters");
    if (chunking.isDeflated && chunking.length >= WORTH_A_THREAD)
      return inflateAll(file, chunks, chunking, bytes).then(() => convert(element, target, out));
    for (const part of chunks) {
      const stored = file.borrow(part.address, part.bytes);
      scatter(chunking, part, chunking.isDeflated ? inflateSync(stored, limits(chunking)) : stored, bytes);
    }
  }
  convert(element, target, out);
}

/** Fills `out` with contiguous pixels whose address and type are known. */
export function readContiguous(file: Hdf5Bytes, address: number, element: Element, out: Pixels): void {
  if (isOwnType(element, out)) {
    file.read(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), address);
    convert(element, out, out);
  } else {
    const Own = otherType(element, out);
    const { buffer, byteOffset } = file.borrow(address, out.length * element.bytes);
    convert(element, new Own(buffer, byteOffset, out.length), out);
  }
}

/** `out` itself where the pixels are of its type, else a part of its memory as pixels of their own. */
function targetFor(element: Element, out: Pixels): Target {
  if (isOwnType(element, out)) return out;
  const Own = otherType(element, out);
  // Doubles do not fit into the memory of the float32 pixels they are read as.
  if (element.bytes > out.BYTES_PER_ELEMENT) return new Own(new ArrayBuffer(out.length * element.bytes), 0, out.length);
  return new Own(out.buffer, out.byteOffset, out.length);
}

function isOwnType({ kind, bytes }: Element, out: Pixels): boolean {
  return `${kind}${bytes}` === (out instanceof Uint16Array ? "u2" : "f4");
}

/** The type in the file, when all its values can become those of `out`. */
function otherType({ kind, bytes }: Element, out: Pixels): (typeof pixelArrays)[string] {
  const Own = pixelArrays[`${kind}${bytes}`];
  if (Own === undefined || out instanceof Uint16Array)
    throw new UnsupportedStructure(`${kind}${bytes} as other pixels`);
  return Own;
}

/** Bytes in the order of this machine, and pixels of the type wanted. */
function convert({ kind, bytes, bigEndian }: Element, target: Target, out: Pixels): void {
  if (bigEndian && bytes > 1) {
    const buffer = Buffer.from(target.buffer, target.byteOffset, target.byteLength);
    if (bytes === 2) buffer.swap16();
    else if (bytes === 4) buffer.swap32();
    else buffer.swap64();
  }
  if (kind === "f" && target instanceof Uint16Array && out instanceof Float32Array) fromFloat16(target, out);
  // The memory is shared, which `set` sees, and a loop that converts in its place would be five times as slow.
  else if (target !== out) out.set(target);
}

/** How the chunks of a dataset lie in the file. */
interface Chunking {
  /** Of the rows, among those of the dataset. */
  readonly axis: number;
  readonly shape: readonly [rows: number, columns: number];
  readonly chunk: readonly [rows: number, columns: number];
  readonly elementBytes: number;
  /** Bytes of a chunk when decompressed. */
  readonly length: number;
  readonly isDeflated: boolean;
  readonly isShuffled: boolean;
}

function chunkingOf({ itemBytes, layout, filters, shape }: DatasetHeader): Chunking {
  const axis = imageAxis(shape) ?? shape.length - 2;
  const [rows = 0, columns = 0] = shape.slice(axis);
  const chunk = layout.kind === "chunks" ? layout.chunk : shape;
  const [chunkRows = rows, chunkColumns = columns, ...behind] = chunk.slice(axis);
  if (behind.some((channels) => channels !== 1)) throw new UnsupportedStructure("pixels apart from each other");
  // Of a chunk that is longer on an axis in front, the image is the first part.
  const length = chunk.reduce((product, n) => product * n, itemBytes);
  const [first, last] = [filters[0], filters.at(-1)];
  const isDeflated = last?.id === DEFLATE && last.values.length === 1 && (last.values[0] ?? 10) <= 9;
  const isShuffled = first?.id === SHUFFLE && first.values.length === 1 && first.values[0] === itemBytes;
  if (filters.length !== Number(isDeflated) + Number(isShuffled))
    throw new UnsupportedStructure(`filters ${filters.map(({ id }) => id).join(", ")}`);
  if (length > MOST_BYTES) throw new UnsupportedStructure(`chunks of ${length} bytes`);
  return {
    axis,
    shape: [rows, columns],
    chunk: [chunkRows, chunkColumns],
    elementBytes: itemBytes,
    length,
    isDeflated,
    isShuffled,
  };
}

/** A byte more than there will be: where memory is just full, zlib does not know that this was all and takes more. */
function limits({ length }: Chunking): { chunkSize: number; maxOutputLength: number } {
  return { chunkSize: Math.max(length + 1, 64), maxOutputLength: length };
}

async function inflateAll(
  file: Hdf5Bytes,
  chunks: readonly Chunk[],
  chunking: Chunking,
  out: Uint8Array,
): Promise<void> {
  await Promise.all(
    chunks.map(async (part) => {
      const inflating = (stored: Buffer): Promise<Uint8Array> => inflateInThread(stored, limits(chunking));
      scatter(chunking, part, await file.lend(part.address, part.bytes, inflating), out);
    }),
  );
}

/** Copies a decompressed chunk to its rows and columns among the bytes of the image. */
function scatter(
  { axis, shape, chunk: [chunkRows, chunkColumns], elementBytes, length, isShuffled }: Chunking,
  { offset }: Chunk,
  inflated: Uint8Array,
  out: Uint8Array,
): void {
  const [rows, columns] = shape;
  const [row = 0, column = 0] = offset.slice(axis);
  if (inflated.length !== length) throw new UnsupportedStructure("a chunk of another length");
  const bytes = isShuffled ? unshuffle(inflated, elementBytes) : inflated;
  // Chunks at the end of a row or column are stored whole.
  const [usedRows, usedColumns] = [Math.min(chunkRows, rows - row), Math.min(chunkColumns, columns - column)];
  // Rows that are contiguous on both sides are copied at once.
  const [runs, run] = chunkColumns === columns ? [1, usedRows * columns] : [usedRows, usedColumns];
  for (let r = 0; r < runs; r++) {
    const from = r * chunkColumns * elementBytes;
    out.set(bytes.subarray(from, from + run * elementBytes), ((row + r) * columns + column) * elementBytes);
  }
}

/** First bytes of all elements, then all second bytes, …: back to element by element. */
function unshuffle(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const count = bytes.length / elementBytes;
  if (elementBytes === 1) return bytes;
  if (elementBytes === 2) {
    const out = new Uint16Array(count);
    for (let i = 0; i < count; i++) out[i] = (bytes[i] ?? 0) | ((bytes[count + i] ?? 0) << 8);
    return new Uint8Array(out.buffer);
  }
  if (elementBytes !== 4) {
    const wide = new Uint8Array(bytes.length);
    for (let k = 0; k < elementBytes; k++)
      for (let i = 0; i < count; i++) wide[i * elementBytes + k] = bytes[k * count + i] ?? 0;
    return wide;
  }
  const out = new Uint32Array(count);
  const [second, third, fourth] = [count, 2 * count, 3 * count];
  for (let i = 0; i < count; i++) {
    out[i] =
      (bytes[i] ?? 0) |
      ((bytes[second + i] ?? 0) << 8) |
      ((bytes[third + i] ?? 0) << 16) |
      ((bytes[fourth + i] ?? 0) << 24);
  }
  return new Uint8Array(out.buffer);
}
