import type { Clock } from "../core/clock.ts";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { oneLine } from "../core/printable.ts";

/** How a lease ended; "killed": with the process that kept it, and was made good by the next. */
export type LeaseEnd = "released" | "expired" | "closed" | "killed";

/** What a lease can set going. */
export type ChangedKind = "axis" | "shutter" | "run";

/** One lease, and what was changed under it that must not go on without a holder. */
export interface Lease {
  readonly bl: number;
  /** The secret that changing calls carry. */
  readonly token: string;
  readonly name: string;
  readonly reason: string;
  /** Axes moved, shutters opened, the run started or resumed. */
  readonly changedDevices: Map<string, ChangedKind>;
}

/** A lease that has ended: whose, how, and what was done to leave the beamline safe. */
export interface EndedLease {
  readonly bl: number;
  readonly name: string;
  readonly reason: string;
  readonly how: LeaseEnd;
  readonly done: readonly string[];
}

interface Held extends Lease {
  readonly ttlSeconds: number;
  readonly takenAt: number;
  expiresAt: number;
  readonly watch: AbortController;
  ending: Promise<void> | undefined;
}

interface LeaseKeeperOptions {
  /** Never the time of day: a jump of it must neither end a lease nor prolong it. */
  readonly clock: Clock;
  /** Leaves the beamline safe; gives a line for each thing done. */
  makeSafe(lease: Lease, how: LeaseEnd): Promise<readonly string[]>;
  /** Told before a lease begins to hold. */
  onTake(bl: number, name: string, reason: string): void;
  onEnd(ended: EndedLease): void;
}

/** How many ended leases are remembered, to tell their holders how they ended. */
const REMEMBERED = 100;

/**
 * One lease per beamline at a time. A lease is over before the next one begins: what it left moving has been stopped.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #held = new Map<number, Held>();
  readonly #ended = new Map<string, EndedLease>();
  readonly #last = new Map<number, EndedLease>();
  #isClosed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** @throws LEASE_HELD saying by whom, why and for how long @throws CLOSED */
  async take(
    bl: number,
    name: string,
    reason: string,
    ttlMs: number,
  ): Promise<{ lease: string; previous: EndedLease | null }> {
    for (let held = this.#held.get(bl); held !== undefined; held = this.#held.get(bl)) {
      if (this.#isLive(held)) throw this.#refusal(held);
      await this.#end(held, "expired");
    }
    if (this.#isClosed)
      throw new SaclaError("CLOSED", `The lease of beamline ${bl} was asked of a connection that is closed.`);
    const takenAt = this.#options.clock.now();
    const ttlSeconds = ttlMs / 1000;
    const held: Held = {
      bl,
      token: crypto.randomUUID(),
      name,
      reason,
      changedDevices: new Map(),
      ttlSeconds,
      takenAt,
      expiresAt: takenAt + ttlSeconds,
      watch: new AbortController(),
      ending: undefined,
    };
    this.#options.onTake(bl, name, reason);
    this.#held.set(bl, held);
    void this.#watch(held);
    return { lease: held.token, previous: this.#last.get(bl) ?? null };
  }

  /** @throws LEASE_LOST */
  renew(bl: number, token: string): void {
    const held = this.#check(bl, token);
    held.expiresAt = this.#options.clock.now() + held.ttlSeconds;
  }

  /** Ends the lease; resolves when the beamline is safe. @throws LEASE_LOST */
  async release(bl: number, token: string): Promise<void> {
    await this.#end(this.#check(bl, token), "released");
  }

  /** Spans in milliseconds: taken so long ago, ends so soon. */
  holder(bl: number): { name: string; reason: string; sinceMs: number; expiresMs: number } | null {
    const held = this.#held.get(bl);
    if (held === undefined || !this.#isLive(held)) return null;
    const now = this.#options.clock.now();
    return {
      name: held.name,
      reason: held.reason,
      sinceMs: 1000 * (now - held.takenAt),
      expiresMs: 1000 * (held.expiresAt - now),
    };
  }

  /** The lease of that token, if it holds now. @throws LEASE_LOST */
  check(bl: number, token: string): Lease {
    return this.#check(bl, token);
  }

  /** Ends every lease. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#held.values()].map((held) => this.#end(held, "closed")));
  }

  #check(bl: number, token: string): Held {
    const held = this.#held.get(bl);
    if (held !== undefined && held.token === token && this.#isLive(held)) return held;
    throw this.#lost(bl, token, held);
  }

  #isLive(held: Held): boolean {
    return held.ending === undefined && this.#options.clock.now() < held.expiresAt;
  }

  async #watch(held: Held): Promise<void> {
    const { clock } = this.#options;
    try {
      while (this.#isLive(held)) await clock.until(held.expiresAt, held.watch.signal);
    } catch {
      return;
    }
    await this.#end(held, "expired");
  }

  #end(held: Held, how: LeaseEnd): Promise<void> {
    held.ending ??= this.#finish(held, how);
    return held.ending;
  }

  async #finish(held: Held, how: LeaseEnd): Promise<void> {
    held.watch.abort();
    let done: readonly string[];
    try {
      done = await this.#options.makeSafe(held, how);
    } catch (error) {
      done = [`the beamline could not be left safe: ${toSaclaError(error).message}`];
    }
    const { bl, token, name, reason } = held;
    const ended: EndedLease = { bl, name, reason, how, done };
    this.#ended.set(token, ended);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
    this.#held.delete(bl);
    this.remember(ended);
  }

  /** The last lease of a beamline that ended, here or in a process before. */
  remember(ended: EndedLease): void {
    this.#last.set(ended.bl, ended);
    try {
      this.#options.onEnd(ended);
    } catch {
      // The lease has ended, whatever becomes of whoever is told.
    }
  }

  #refusal({ bl, name, reason, takenAt, expiresAt }: Held): SaclaError {
    const now = this.#options.clock.now();
    return new SaclaError(
      "LEASE_HELD",
      `Beamline ${bl} is controlled by ${show(name)} (${oneLine(reason)}) since ${seconds(now - takenAt)}; ` +
        `the lease ends in ${seconds(expiresAt - now)} unless it is renewed.`,
      { details: { bl, name, reason, sinceMs: 1000 * (now - takenAt), expiresMs: 1000 * (expiresAt - now) } },
    );
  }

  #lost(bl: number, token: string, held: Held | undefined): SaclaError {
    const ended = this.#ended.get(token);
    const details = { bl, ...(ended === undefined ? {} : { how: ended.how, done: ended.done }) };
    const isExpiring = held?.token === token;
    const how =
      ended !== undefined
        ? `was ${ended.how}${ended.done.length === 0 ? "" : `; then: ${ended.done.join("; ")}`}`
        : isExpiring
          ? "has expired; what it left moving is being stopped"
          : "is not known here: who kept it was started anew, or it was of another beamline";
    const now =
      held !== undefined && !isExpiring && this.#isLive(held)
        ? ` It is now held by ${show(held.name)} (${oneLine(held.reason)}).`
        : "";
    return new SaclaError("LEASE_LOST", `The lease of beamline ${bl} ${how}.${now}`, { details });
  }
}

function seconds(span: number): string {
  return `${Math.max(0, span).toFixed(1)} s`;
}
