import { SaclaError } from "../core/errors.ts";

/** The media type of packed messages: see docs/protocol.md. */
export const PACKED_TYPE = "application/x-sacla";

const ALIGN = 8;
/** Far above what a message has; what is larger is damage, and must not make a reader take memory for it. */
const MAX_PARTS = 65_536;
const MAX_BYTES = 2 ** 30;

const padded = (length: number): number => Math.ceil(length / ALIGN) * ALIGN;

/**
 * Message parts as one run of bytes with memory of its own: `u32` number of parts, `u32` length of each, the parts;
 * little-endian, each part at a multiple of 8 bytes and padded with zeros to one.
 */
export function packParts(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const table = tableOf(parts);
  const packed = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.byteLength), table.byteLength));
  packed.set(table);
  let at = table.byteLength;
  for (const part of parts) {
    packed.set(part, at);
    at += padded(part.byteLength);
  }
  return packed;
}

/** What {@link packParts} gives, in chunks that share memory with the parts: nothing is copied. */
export function* packedChunks(parts: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
  yield tableOf(parts);
  for (const part of parts) {
    yield part;
    const rest = padded(part.byteLength) - part.byteLength;
    if (rest > 0) yield new Uint8Array(rest);
  }
}

/** Bytes of one piece of {@link packedPieces}. */
const PIECE_BYTES = 2 ** 19;

/** What {@link packParts} gives, in pieces with memory of their own: a large message is never there as a whole. */
export function* packedPieces(parts: readonly Uint8Array[]): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (bytes <= PIECE_BYTES) return yield packParts(parts);
  yield tableOf(parts);
  for (const part of parts) {
    for (let from = 0; from < part.byteLength; from += PIECE_BYTES) {
      const piece = part.subarray(from, from + PIECE_BYTES);
      const length = padded(piece.byteLength);
      // Not zeroed but for the padding: it is filled at once.
      const own = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      own.set(piece);
      own.fill(0, piece.byteLength);
      yield own;
    }
  }
}

/** The number of parts and the length of each. */
function tableOf(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(padded(4 * (1 + parts.length)));
  const view = new DataView(table.buffer);
  view.setUint32(0, parts.length, true);
  for (const [i, part] of parts.entries()) view.setUint32(4 * (1 + i), part.byteLength, true);
  return table;
}

/**
 * The parts of the one message in `bytes`; they share its memory.
 * @throws BAD_MESSAGE when it is not exactly one packed message
 */
export function unpackParts(bytes: Uint8Array): Uint8Array[] {
  const count = partCount(bytes);
  const table = padded(4 * (1 + count));
  if (bytes.byteLength < table) throw truncated();
  const parts: Uint8Array[] = [];
  const end = cutParts(bytes, count, parts);
  if (end > bytes.byteLength) throw truncated();
  if (end < bytes.byteLength)
    throw new SaclaError("BAD_MESSAGE", `${bytes.byteLength - end} bytes follow a packed message.`);
  return parts;
}

/**
 * Where a packed message that begins with `start` has its header and where it ends; null when `start` is too short to
 * tell.
 * @throws BAD_MESSAGE
 */
export function packedExtent(
  start: Uint8Array,
): { readonly header: number; readonly headerLength: number; readonly length: number } | null {
  if (start.byteLength < 4) return null;
  const count = partCount(start);
  const header = padded(4 * (1 + count));
  if (start.byteLength < header) return null;
  const headerLength = new DataView(start.buffer, start.byteOffset).getUint32(4, true);
  return { header, headerLength, length: cutParts(start, count, []) };
}

/**
 * Reads packed messages one after another from chunks of any size. The parts of a message look into memory that is used
 * again for the next one. Memory grows to the largest message and only with bytes that have come, whatever lengths the
 * message claims.
 */
export class PackedReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  #length = 0;
  /** Came with the last message, belongs to the next. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * The parts of the next message; undefined at the end.
   * @throws BAD_MESSAGE when the bytes end within a message or are none
   */
  async next(): Promise<Uint8Array[] | undefined> {
    this.#length = 0;
    if (!(await this.#fill(4))) return undefined;
    const count = partCount(this.#memory);
    const table = padded(4 * (1 + count));
    await this.#fill(table);
    const end = cutParts(this.#memory.subarray(0, table), count, []);
    await this.#fill(end);
    const parts: Uint8Array[] = [];
    cutParts(this.#memory.subarray(0, end), count, parts);
    return parts;
  }

  /** Gives up what has not been read. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Takes bytes until there are `length` of this message; false when there are none at all. */
  async #fill(length: number): Promise<boolean> {
    while (this.#length < length) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) {
          if (this.#length === 0) return false;
          throw truncated();
        }
        this.#rest = next.value;
      }
      const taken = this.#rest.subarray(0, length - this.#length);
      this.#grow(this.#length + taken.byteLength, length);
      this.#memory.set(taken, this.#length);
      this.#length += taken.byteLength;
      this.#rest = this.#rest.subarray(taken.byteLength);
    }
    return true;
  }

  #grow(needed: number, wanted: number): void {
    const have = this.#memory.byteLength;
    if (needed <= have) return;
    const larger = new Uint8Array(Math.min(wanted, Math.max(needed, 2 * have)));
    larger.set(this.#memory.subarray(0, this.#length));
    this.#memory = larger;
  }
}

function partCount(bytes: Uint8Array): number {
  if (bytes.byteLength < 4) throw truncated();
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (count >= 1 && count <= MAX_PARTS) return count;
  throw new SaclaError("BAD_MESSAGE", `A packed message claims ${count} parts; allowed are 1 to ${MAX_PARTS}.`);
}

/** Fills `parts` from the lengths at the head of `bytes` as far as they are there; gives where the message ends. */
function cutParts(bytes: Uint8Array, count: number, parts: Uint8Array[]): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = padded(4 * (1 + count));
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(4 * (1 + i), true);
    parts.push(bytes.subarray(at, at + length));
    at += padded(length);
    if (at > MAX_BYTES) throw new SaclaError("BAD_MESSAGE", `A packed message claims more than ${MAX_BYTES} bytes.`);
  }
  return at;
}

function truncated(): SaclaError {
  return new SaclaError("BAD_MESSAGE", "A packed message ends before its last part.");
}
