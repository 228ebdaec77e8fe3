import { RateLimiterMemory } from "rate-limiter-flexible";
import { SaclaError } from "../core/errors.ts";
import { asInteger } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";

export interface LimitsOptions {
  /** Requests a client may begin in a second. @default unlimited */
  readonly requestsPerSecond?: number | undefined;
  /** Bytes of one request. @default 16 MiB: the tags of a million shots, four times over */
  readonly requestBytes?: number | undefined;
  /** Requests of a client that may be open at a time, streams included. @default 256 */
  readonly open?: number | undefined;
}

const MIB = 1024 * 1024;

/** How much a client may ask. Who floods gets TOO_MANY_REQUESTS, and everybody else their answers. */
export class Limits {
  readonly requestBytes: number;
  readonly #maxOpen: number;
  readonly #perSecond: number | undefined;
  readonly #rate: RateLimiterMemory | undefined;
  readonly #open: Map<string, number> = new Map();

  constructor(options: LimitsOptions = {}) {
    resolveOptions("Limits", options, { requestsPerSecond: any, requestBytes: any, open: any });
    this.requestBytes = asInteger("requestBytes", options.requestBytes ?? 16 * MIB, 1);
    this.#maxOpen = asInteger("open", options.open ?? 256, 1);
    this.#perSecond = options.requestsPerSecond;
    this.#rate =
      options.requestsPerSecond === undefined
        ? undefined
        : new RateLimiterMemory({ points: asInteger("requestsPerSecond", options.requestsPerSecond, 1), duration: 1 });
  }

  /**
   * Counts a request of `bytes` bytes.
   * @throws TOO_LARGE, TOO_MANY_REQUESTS with `details.retryAfterMs`
   */
  async take(client: { readonly name: string }, bytes: number): Promise<void> {
    if (bytes > this.requestBytes) throw this.tooLarge(bytes);
    if (this.#rate === undefined) return;
    const perSecond = this.#perSecond;
    await this.#rate.consume(client.name).catch((refused: { msBeforeNext: number }) => {
      const retryAfterMs = Math.max(1, Math.ceil(refused.msBeforeNext));
      const message = `${client.name} has asked ${perSecond} times within a second, which is all it may; ask again in ${retryAfterMs} ms.`;
      throw new SaclaError("TOO_MANY_REQUESTS", message, { details: { perSecond, retryAfterMs } });
    });
  }

  /** Counts a request as open until the function it gives is called. @throws TOO_MANY_REQUESTS */
  enter(client: { readonly name: string }): () => void {
    const open = this.#open.get(client.name) ?? 0;
    if (open >= this.#maxOpen) {
      const message = `${client.name} has ${open} requests open, which is all it may; let one end first.`;
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

  /** The error for a request of `bytes` bytes. */
  tooLarge(bytes: number): SaclaError {
    return new SaclaError(
      "TOO_LARGE",
      `A request has ${bytes} bytes or more; this server takes ${this.requestBytes}.`,
      {
        details: { bytes, allowed: this.requestBytes },
      },
    );
  }
}
