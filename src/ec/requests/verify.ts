import { sleep } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { RunningMean } from "../../core/running-mean.ts";
import type { AcceleratorRequest, Evidence } from "../../transport/request-methods.ts";
import type { HeldLease } from "../held-lease.ts";
import { expectedRange, LEAST_SHOTS, verdict } from "./verdict.ts";

/** So many tags are read at once at most. */
const MOST_TAGS = 3600;

/** What has been seen of a signal since a change. */
class Seen {
  readonly signal: string;
  readonly #sums = new RunningMean();
  #first: Evidence["first"] | undefined;
  #last: Evidence["first"] | undefined;

  constructor(signal: string) {
    this.signal = signal;
  }

  get count(): number {
    return this.#sums.count;
  }

  add(hightag: number, tag: number, value: number): void {
    this.#sums.add(value);
    this.#first ??= [hightag, tag];
    this.#last = [hightag, tag];
  }

  /** Undefined while too little was seen. */
  get evidence(): Evidence | undefined {
    const [first, last] = [this.#first, this.#last];
    const { count, mean, standardError } = this.#sums;
    if (count < LEAST_SHOTS || first === undefined || last === undefined) return undefined;
    return { signal: this.signal, mean, standardError, shots: count, first, last };
  }
}

/**
 * Reads the signal that verifies a request until its mean shows the value, shot by shot from `verifyFrom` on. It is
 * looked at after 10, 20, 40, … good shots: who looks after each shot finds by chance what is not there.
 * @returns evidence that shows the value
 * @throws NOT_VERIFIED when `mostShots` do not show it
 * @throws UNKNOWN_SIGNAL, ABORTED
 */
export async function verifyRequest(
  lease: HeldLease,
  request: AcceleratorRequest,
  pollMs: number,
  signal: AbortSignal,
): Promise<Evidence> {
  const { verification, to, parameter, unit, bl } = request;
  const { settleShots, mostShots } = verification;
  const range = expectedRange(verification, to);
  const newest = async (): Promise<[number, number]> =>
    await lease.ask("db.readTagnumberNewest", { equipId: verification.signal }, signal);
  let [hightag, next] = request.verifyFrom ?? [0, 0];
  if (request.verifyFrom === null) {
    const [now, tag] = await newest();
    [hightag, next] = [now, tag + 1 + settleShots];
  }
  const seen = new Seen(verification.signal);
  for (let look = LEAST_SHOTS; ; ) {
    const [now, newestTag] = await newest();
    if (now !== hightag) [hightag, next] = [now, 0];
    if (newestTag >= next) {
      const starttag = Math.max(next, newestTag - MOST_TAGS);
      const tags = await lease.ask("db.readTaglist", { bl, hightag, starttag, endtag: newestTag }, signal);
      const equipIds = [verification.signal];
      const [column] = await lease.ask("db.readColumns", { equipIds, hightag, tags }, signal);
      for (const [i, tag] of tags.entries()) {
        const value = column?.values[i] ?? NaN;
        if (!Number.isFinite(value) || seen.count >= mostShots) continue;
        seen.add(hightag, tag, value);
        if (seen.count !== look && seen.count !== mostShots) continue;
        look = Math.min(2 * look, mostShots);
        const { evidence } = seen;
        if (evidence !== undefined && verdict(evidence, range) === "yes") return evidence;
      }
      next = newestTag + 1;
    }
    const { evidence } = seen;
    if (seen.count >= mostShots && evidence !== undefined)
      throw new SaclaError(
        "NOT_VERIFIED",
        `${parameter} was set to ${to} ${unit}`.trimEnd() +
          `, but ${evidence.signal} is ${evidence.mean.toPrecision(6)} ± ${evidence.standardError.toPrecision(2)} ` +
          `after ${evidence.shots} shots; expected: ${range?.join(" to ") ?? "nothing known"}`,
        { details: { evidence, range } },
      );
    await sleep(pollMs, signal);
  }
}
