import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { CallMethod, CallParams, CallResult } from "../transport/methods.ts";

/** How an earlier lease of the beamline ended, and what was done then. */
export type PreviousLease = CallResult<"lease.take">["previous"];

/** A server answers within its bounds for a few driver calls; more is a broken connection. */
const CALL_TIMEOUT_MS = 30_000;

/** The client's end of a lease: keeps it by heartbeat and says when it is lost. */
export class HeldLease {
  readonly endpoint: Endpoint;
  readonly bl: number;
  readonly previous: PreviousLease;
  /** undefined: only reads. */
  readonly #token: string | undefined;
  readonly #ttlMs: number;
  readonly #lostSignal = new AbortController();
  #lost: SaclaError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #goodUntil: number;
  #releasing: Promise<void> | undefined;

  private constructor(
    endpoint: Endpoint,
    bl: number,
    ttlMs: number,
    answer: CallResult<"lease.take"> | undefined,
    askedAt: number,
  ) {
    this.endpoint = endpoint;
    this.bl = bl;
    this.#ttlMs = ttlMs;
    this.#token = answer?.lease;
    this.previous = answer?.previous ?? null;
    // From before the question: the keeper counts from when it answered, so it never ends the lease earlier.
    this.#goodUntil = askedAt + ttlMs;
    if (answer !== undefined) this.#beatLater();
  }

  /** For those who only look. */
  static none(endpoint: Endpoint, bl: number): HeldLease {
    return new HeldLease(endpoint, bl, 0, undefined, Infinity);
  }

  /** @throws LEASE_HELD */
  static async take(endpoint: Endpoint, bl: number, name: string, reason: string, ttlMs: number): Promise<HeldLease> {
    const askedAt = performance.now();
    const answer = await endpoint.call(
      "lease.take",
      { bl, name, reason, ttlMs },
      { key: crypto.randomUUID(), timeoutMs: CALL_TIMEOUT_MS },
    );
    return new HeldLease(endpoint, bl, ttlMs, answer, askedAt);
  }

  /** Fires when the lease is lost; its reason is the LEASE_LOST. */
  get signal(): AbortSignal {
    this.#lookAtTime();
    return this.#lostSignal.signal;
  }

  /** The secret, for a changing call. @throws LEASE_LOST */
  token(): string {
    if (this.#token === undefined) {
      throw new SaclaError(
        "LEASE_LOST",
        `No lease of beamline ${this.bl} was taken: view() only looks. Take it with control().`,
      );
    }
    this.check();
    return this.#token;
  }

  /** @throws LEASE_LOST */
  check(): void {
    this.#lookAtTime();
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#releasing !== undefined)
      throw new SaclaError("LEASE_LOST", `The lease of beamline ${this.bl} was given back.`);
  }

  /** A call that changes something, done once even when its answer is lost on the way. */
  async change<M extends CallMethod>(method: M, params: CallParams<M>): Promise<CallResult<M>> {
    return await this.endpoint.call(method, params, { key: crypto.randomUUID(), timeoutMs: CALL_TIMEOUT_MS });
  }

  async ask<M extends CallMethod>(method: M, params: CallParams<M>, signal?: AbortSignal): Promise<CallResult<M>> {
    return await this.endpoint.call(method, params, { timeoutMs: CALL_TIMEOUT_MS, signal });
  }

  /** Gives the lease back; a second call does nothing. */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    clearTimeout(this.#timer);
    const lease = this.#token;
    if (this.#lost !== undefined || lease === undefined) return;
    try {
      await this.change("lease.release", { bl: this.bl, lease });
    } catch (error) {
      // It ended before: what release is for has been done.
      if (!isSaclaError(error, "LEASE_LOST")) throw error;
    }
  }

  #beatLater(): void {
    this.#timer = setTimeout(() => void this.#beat(), this.#ttlMs / 3);
    // A program that has nothing else to do shall end; its lease then expires. Browsers have no such method.
    this.#timer.unref?.();
  }

  async #beat(): Promise<void> {
    const lease = this.#token;
    if (lease === undefined) return;
    const askedAt = performance.now();
    const left = Math.ceil(this.#goodUntil - askedAt);
    try {
      if (left <= 0) throw this.#notRenewed();
      await this.endpoint.call("lease.renew", { bl: this.bl, lease }, { timeoutMs: left });
      this.#goodUntil = askedAt + this.#ttlMs;
    } catch (error) {
      const failure = toSaclaError(error);
      const isOver = failure.code === "LEASE_LOST" || performance.now() >= this.#goodUntil;
      if (isOver) {
        this.#lose(
          failure.code === "LEASE_LOST"
            ? failure
            : new SaclaError("LEASE_LOST", `The lease of beamline ${this.bl} could not be renewed: ${failure.message}`),
        );
        return;
      }
    }
    if (this.#releasing === undefined) this.#beatLater();
  }

  /** A program that stood still must know at once, before it does anything else. */
  #lookAtTime(): void {
    if (performance.now() >= this.#goodUntil) this.#lose(this.#notRenewed());
  }

  #notRenewed(): SaclaError {
    return new SaclaError(
      "LEASE_LOST",
      `The lease of beamline ${this.bl} could not be renewed for ${this.#ttlMs} ms; ` +
        "whoever keeps it stops what moved under it.",
    );
  }

  #lose(error: SaclaError): void {
    // Releasing ends it too, on purpose.
    if (this.#releasing !== undefined || this.#lost !== undefined) return;
    this.#lost = error;
    this.#lostSignal.abort(error);
  }
}
