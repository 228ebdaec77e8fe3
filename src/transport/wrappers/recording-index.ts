import type { FileHandle } from "node:fs/promises";
import { SaclaError, show } from "../../core/errors.ts";
import { decodeMessage, type WireMessage } from "../codec.ts";
import { packedExtent, unpackParts } from "../packed.ts";
import { questionKey } from "./question.ts";

/** Where a message lies in the file. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** One time a question was asked. */
export interface Asked {
  readonly question: Place;
  /** The items of a stream, in order: offset and length by turns, since there can be very many. */
  readonly items: number[];
  /** The result, the error or the end; null when the reader left the stream or the recording stopped before it. */
  end: Place | null;
}

/** What a recording holds, without the answers themselves. */
export interface RecordingIndex {
  /**
   * Questions with an answer, or the beginning of one, by {@link questionKey} of kind, method and parameters, in the
   * order asked.
   */
  readonly asked: ReadonlyMap<string, readonly Asked[]>;
  /** The same by method. */
  readonly byMethod: ReadonlyMap<string, readonly Asked[]>;
}

/** Small messages are read many at a time. */
const WINDOW_BYTES = 65_536;

/**
 * Reads through a recording once. A message that is cut off at the end is left out.
 * @throws BAD_MESSAGE when the file is no recording, or is damaged before its end
 */
export async function indexRecording(file: FileHandle, path: string): Promise<RecordingIndex> {
  const { size } = await file.stat();
  const window = new Window(file, size);
  const byKey = new Map<string, Asked[]>();
  const byMethod = new Map<string, Asked[]>();
  const open = new Map<number, Asked>();
  let offset = 0;
  while (offset < size) {
    try {
      const extent = await window.extent(offset);
      if (extent === null || offset + extent.length > size) break;
      const place = { offset, length: extent.length };
      const { kind, id } = headOf(await window.bytes(offset + extent.header, extent.headerLength));
      if (kind === "call" || kind === "stream") {
        const message = decodeMessage(unpackParts(await window.bytes(offset, extent.length)), { copy: false });
        if (message.kind !== "call" && message.kind !== "stream")
          throw new SaclaError("BAD_MESSAGE", "A question changed while it was read.");
        const asked: Asked = { question: place, items: [], end: null };
        open.set(message.id, asked);
        listOf(byKey, questionKey(kind, message.method, message.value)).push(asked);
        listOf(byMethod, message.method).push(asked);
      } else {
        const asked = open.get(id);
        if (asked === undefined)
          throw new SaclaError("BAD_MESSAGE", `An answer has the number ${id}, but no question has it.`);
        if (kind === "item") asked.items.push(offset, extent.length);
        else {
          asked.end = place;
          open.delete(id);
        }
      }
      offset += extent.length;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SaclaError("BAD_MESSAGE", `${show(path)} is no recording, or is damaged at byte ${offset}: ${why}`, {
        details: { path, offset },
        cause,
      });
    }
  }
  if (offset === 0 && size > 0)
    throw new SaclaError("BAD_MESSAGE", `${show(path)} is no recording: it holds no whole message.`, {
      details: { path },
    });
  for (const map of [byKey, byMethod]) for (const [key, list] of map) map.set(key, list.filter(isAnswered));
  return { asked: byKey, byMethod };
}

function isAnswered({ end, items }: Asked): boolean {
  return end !== null || items.length > 0;
}

function listOf(map: Map<string, Asked[]>, key: string): Asked[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}

/** The message at a place. @throws BAD_MESSAGE when the file has become shorter or another */
export async function readMessage(file: FileHandle, { offset, length }: Place): Promise<WireMessage> {
  return decodeMessage(unpackParts(await readExactly(file, offset, length)), { copy: false });
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  if (bytesRead < length)
    throw new SaclaError("BAD_MESSAGE", `A recording ends at byte ${offset + bytesRead}, within a message.`);
  return bytes;
}

/** A file read from front to back with few system calls. */
class Window {
  readonly #file: FileHandle;
  readonly #size: number;
  #start = 0;
  #held: Uint8Array = new Uint8Array(0);

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Valid until the next is asked for. */
  async bytes(offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#start || offset + length > this.#start + this.#held.byteLength) {
      this.#held = await readExactly(this.#file, offset, Math.min(Math.max(length, WINDOW_BYTES), this.#size - offset));
      this.#start = offset;
    }
    return this.#held.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** Null when the file ends before the message can tell its length. */
  async extent(offset: number): Promise<ReturnType<typeof packedExtent>> {
    const left = this.#size - offset;
    for (let length = 64; ; length *= 8) {
      const extent = packedExtent(await this.bytes(offset, Math.min(left, length)));
      if (extent !== null || length >= left) return extent;
    }
  }
}

/** Kind and number of a message, from its header alone. */
function headOf(bytes: Uint8Array): { kind: string; id: number } {
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof header === "object" && header !== null && "kind" in header && "id" in header) {
    const { kind, id } = header;
    if (typeof kind === "string" && typeof id === "number") return { kind, id };
  }
  throw new SaclaError("BAD_MESSAGE", "A message has no kind and number.");
}
