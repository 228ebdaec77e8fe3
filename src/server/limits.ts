import { type Clock, realClock } from "../core/clock.ts";
import { SaclaError } from "../core/errors.ts";
import { integer, optional, resolveOptions } from "../core/options.ts";

export interface LimitsOptions {
  /** Requests a client may make in a second; after a pause, so many at once. @default unlimited */
  readonly requestsPerSecond?: number | undefined;
  /** Bytes of one request. @default 16 MiB: the tags of a million shots, four times over */
  readonly requestBytes?: number | undefined;
  /** Requests of a client that may be open at a time, streams included. @default 256 */
  readonly open?: number | undefined;
}

const MIB = 1024 * 1024;

/** Requests that a client may still make, as of the time `at` (seconds). */
interface TokenBucket {
  tokens: number;
  at: number;
}

/** How much a client may ask. A client that asks more gets TOO_MANY_REQUESTS, and the others still get answers. */
export class Limits {
  readonly requestBytes: number;
  readonly #maxOpen: number;
  readonly #perSecond: number | undefined;
  readonly #clock: Clock;
  readonly #buckets: Map<string, TokenBucket> = new Map();
  readonly #open: Map<string, number> = new Map();

  constructor(options: LimitsOptions = {}, clock: Clock = realClock()) {
    const { requestsPerSecond, requestBytes, open } = resolveOptions("Limits", options, {
      requestsPerSecond: optional(integer(1)),
      requestBytes: optional(integer(1), 16 * MIB),
      open: optional(integer(1), 256),
    });
    this.requestBytes = requestBytes;
    this.#maxOpen = open;
    this.#perSecond = requestsPerSecond;
    this.#clock = clock;
  }

  /**
   * Counts a request of `bytes` bytes.
   * @throws TOO_LARGE
   * @throws TOO_MANY_REQUESTS with `details.retryAfterMs`, after which one more request is allowed
   */
  charge({ name }: { readonly name: string }, bytes: number): void {
    if (bytes > this.requestBytes) throw tooLarge(bytes, this.requestBytes);
    const perSecond = this.#perSecond;
    if (perSecond === undefined) return;
    const now = this.#clock.now();
    const { tokens, at } = this.#buckets.get(name) ?? { tokens: perSecond, at: now };
    const left = Math.min(perSecond, tokens + (now - at) * perSecond);
    // Compared with a margin, so that whoever waits for exactly the time told is let in.
    if (left >= 1 - 1e-6) {
      this.#buckets.set(name, { tokens: Math.max(0, left - 1), at: now });
      return;
    }
    const retryAfterMs = Math.max(1, Math.ceil(((1 - left) / perSecond) * 1000));
    throw new SaclaError(
      "TOO_MANY_REQUESTS",
      `${name} has asked more than ${perSecond} times in a second; allowed are ${perSecond}. ` +
        `Ask again in ${retryAfterMs} ms.`,
      { details: { perSecond, retryAfterMs } },
    );
  }

  /** Counts a request as open until the returned function is called. @throws TOO_MANY_REQUESTS */
  enter(client: { readonly name: string }): () => void {
    const open = this.#open.get(client.name) ?? 0;
    if (open >= this.#maxOpen) {
      const message = `${client.name} has ${open} requests open; allowed are ${this.#maxOpen}. Let one end first.`;
      throw new SaclaError("TOO_MANY_REQUESTS", message, { details: { open, retryAfterMs: 1000 } });
    }
    this.#open.set(client.name, open + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#open.get(client.name) ?? 1) - 1;
      if (left === 0) this.#open.delete(client.name);
      else this.#open.set(client.name, left);
    };
  }
}

/** The error for a request for which there is no room beside those of other clients. */
export function serverBusy(): SaclaError {
  return new SaclaError("TOO_MANY_REQUESTS", "The server is busy with other requests; ask again later.", {
    details: { retryAfterMs: 1000 },
  });
}

/** The error for a request of `bytes` bytes, or of at least so many. */
export function tooLarge(bytes: number, allowed: number): SaclaError {
  return new SaclaError("TOO_LARGE", `The request has ${bytes} bytes or more; this server takes ${allowed}.`, {
    details: { bytes, allowed },
  });
}

/** That the process that reads is not there for the moment: whoever asks again while it is started will be answered. */
export function readingIsAway(cause?: unknown): SaclaError {
  const message = "The process that reads the data has ended and is started again; ask again.";
  return new SaclaError("UNREACHABLE", message, {
    details: { retryAfterMs: 1000 },
    ...(cause === undefined ? {} : { cause }),
  });
}
