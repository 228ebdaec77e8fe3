import { SaclaError } from "../core/errors.ts";
import { newPixels, type Pixels } from "../core/ndarray.ts";
import { encodeMessage } from "../transport/codec.ts";
import type { FrameMemory } from "../transport/endpoint.ts";

/** Frames that one stream may hold for items on their way. */
const MAX_HELD_BYTES = 512 * 2 ** 20;
/** The same of all streams of this thread: streams that nobody reads must not fill the memory. */
const MAX_HELD_IN_ALL = 2 ** 30;
let heldInAll = 0;

/**
 * The items of one stream that are on their way. ZeroMQ sends from the memory it is given, some time later, and never
 * says when: so there is a set of buffers for each item the client first granted credit for, and a set is filled again
 * only when the client has granted more, which it does when it is done with the item that was in it.
 */
export class SentItems {
  readonly #slots: Map<string, Pixels>[];
  #held = 0;
  #granted: number;
  #sent = 0;
  #isStopped = false;
  #isFreed = false;
  #wake: (() => void) | undefined;

  constructor(credit: number) {
    this.#slots = Array.from({ length: credit }, () => new Map());
    this.#granted = credit;
  }

  /** Where the source puts the frames of the next item. @throws TOO_LARGE */
  readonly memory: FrameMemory = (detId, length, type) => {
    const slot = this.#slot;
    const kept = slot.get(detId);
    if (kept !== undefined && kept.length === length && kept instanceof Uint16Array === (type === "uint16"))
      return kept;
    const bytes = length * (type === "uint16" ? 2 : 4);
    const more = bytes - (kept?.byteLength ?? 0);
    if (this.#isFreed || heldInAll + more > MAX_HELD_IN_ALL) {
      throw new SaclaError(
        "TOO_MANY_REQUESTS",
        `The streams of this server hold ${heldInAll} bytes of frames that their readers have not taken; ` +
          "open the stream again later, or with less credit.",
        { details: { held: heldInAll, allowed: MAX_HELD_IN_ALL, retryAfterMs: 5000 } },
      );
    }
    heldInAll += more;
    this.#held += more;
    if (this.#held > MAX_HELD_BYTES) {
      throw new SaclaError(
        "TOO_LARGE",
        `The frames of ${this.#slots.length} shots together take more than ${MAX_HELD_BYTES} bytes; ` +
          "open the stream with less credit.",
      );
    }
    const made = newPixels(length, type);
    slot.set(detId, made);
    return made;
  };

  /** The stream has ended: its memory counts no more. */
  free(): void {
    heldInAll -= this.#held;
    this.#held = 0;
    this.#isFreed = true;
  }

  /** Waits until an item may be sent; false when none may any more. */
  async mayProceed(): Promise<boolean> {
    while (this.#sent >= this.#granted && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#isStopped;
  }

  grant(credit: number): void {
    this.#granted = Math.min(this.#granted + credit, Number.MAX_SAFE_INTEGER);
    this.#wake?.();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  /** The next item as message parts that stay as they are until its set of buffers is filled again. */
  encode(id: number, value: unknown): Uint8Array[] {
    const parts = encodeMessage({ kind: "item", id, seq: this.#sent, value });
    const own = new Set<ArrayBufferLike>();
    for (const { buffer } of this.#slot.values()) own.add(buffer);
    // What the source put elsewhere is valid only until the next item is asked for.
    for (let i = 1; i < parts.length; i++) {
      const part = parts[i];
      if (part !== undefined && !own.has(part.buffer)) parts[i] = new Uint8Array(part);
    }
    this.#sent++;
    return parts;
  }

  get #slot(): Map<string, Pixels> {
    const slot = this.#slots[this.#sent % this.#slots.length];
    if (slot === undefined) throw new SaclaError("INTERNAL", "A stream has no buffers.");
    return slot;
  }
}
