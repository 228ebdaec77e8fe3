import { type MaybePromise, sleep } from "../../core/async.ts";
import { isSaclaError, SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { asText } from "../../core/guards.ts";
import { any, integer, optional, resolveOptions } from "../../core/options.ts";
import type { AcceleratorRequest, Evidence, Verification } from "../../transport/request-methods.ts";
import type { SettingInfo } from "../driver.ts";
import type { HeldLease } from "../held-lease.ts";
import { isNear } from "./ramp.ts";
import { hasEnded } from "./request-state.ts";
import { verifyRequest } from "./verify.ts";

/** How the operators of the accelerator are asked. */
export interface RequestOptions {
  /** Why, for the operators and the log. @default that of the lease */
  readonly reason?: string | undefined;
  /** How long they may take to answer. @default 60000 */
  readonly answerMs?: number | undefined;
  /** By what the change is verified, where the control system does not say it. */
  readonly verification?: Verification | undefined;
  /** Asked when they offer another value: whether it is taken. @default no */
  readonly agree?: ((request: AcceleratorRequest) => MaybePromise<boolean>) | undefined;
  /** Told each time that the request has another state. */
  readonly onState?: ((request: AcceleratorRequest) => void) | undefined;
  /** Withdraws the request, or has the value before put back. */
  readonly signal?: AbortSignal | undefined;
}

/** A value that the machine has now, as the operators have set it and 0-D signals have shown. */
export interface RequestKept {
  readonly value: number | string;
  /** Number of the request; null: the machine had the value already, and nobody was asked. */
  readonly id: number | null;
  readonly evidence: Evidence | null;
}

/** The checks of {@link RequestOptions}, for `resolveOptions`. */
export const requestChecks = {
  reason: optional(asText),
  answerMs: optional(integer(1, 86_400_000), 60_000),
  verification: any,
  agree: any,
  onState: any,
  signal: any,
};

/** A value is put back within the time of a ramp and of one that failed before; then the log says how it goes on. */
const LONGEST_END_MS = 300_000;

/** One request from its beginning to its end. @throws as `Control.request` */
export async function askOperators(
  lease: HeldLease,
  info: SettingInfo,
  to: number | string,
  reason: string,
  pollMs: number,
  options: RequestOptions,
): Promise<RequestKept> {
  const { answerMs } = resolveOptions("request", options, requestChecks);
  const { verification = null, signal } = options;
  const { bl } = lease;
  const parameter = info.name;
  const now = await lease.ask("ec.read", { bl, device: parameter });
  if (now.state === "ready" && isNear(now.value, to, 0)) return { value: now.value, id: null, evidence: null };
  const params = { bl, lease: lease.token(), parameter, to, reason, verification, answerMs };
  const asking = new Asking(lease, await lease.change("request.propose", params), pollMs, options);
  const stop = AbortSignal.any([lease.signal, ...(signal === undefined ? [] : [signal])]);
  try {
    const ended = await asking.follow(stop);
    if (ended.state === "kept") return { value: ended.to, id: ended.id, evidence: ended.evidence };
    throw failureOf(ended);
  } catch (error) {
    if (isSaclaError(error, "REQUEST_DECLINED", "REQUEST_EXPIRED", "NOT_VERIFIED") && asking.isOver) throw error;
    const failure = toSaclaError(lease.signal.aborted ? lease.signal.reason : error);
    const end = await asking.giveUp(failure);
    throw new SaclaError(failure.code, `${failure.message} ${end}`, { details: failure.details, cause: failure });
  }
}

/** A request as its asker sees it. */
class Asking {
  readonly #lease: HeldLease;
  readonly #pollMs: number;
  readonly #options: RequestOptions;
  #request: AcceleratorRequest;

  constructor(lease: HeldLease, request: AcceleratorRequest, pollMs: number, options: RequestOptions) {
    this.#lease = lease;
    this.#request = request;
    this.#pollMs = pollMs;
    this.#options = options;
    options.onState?.(request);
  }

  get isOver(): boolean {
    return hasEnded(this.#request.state);
  }

  /** Agrees and verifies where it is its turn, until the request has ended. */
  async follow(stop: AbortSignal): Promise<AcceleratorRequest> {
    for (;;) {
      const { state, id } = this.#request;
      if (hasEnded(state)) return this.#request;
      const { bl } = this.#lease;
      if (state === "offered") {
        if ((await this.#options.agree?.(this.#request)) === true)
          this.#saw(await this.#lease.change("request.agree", { bl, lease: this.#lease.token(), id }));
        else throw new SaclaError("REQUEST_DECLINED", offer(this.#request));
      } else if (state === "verifying") {
        const evidence = await this.#verify(stop);
        if (evidence === undefined) continue;
        this.#saw(await this.#lease.change("request.keep", { bl, lease: this.#lease.token(), id, evidence }));
      } else {
        await sleep(this.#pollMs, stop);
        await this.#look();
      }
    }
  }

  /** Has the request withdrawn or put back; gives a sentence on what became of it. */
  async giveUp({ code, message }: SaclaError): Promise<string> {
    const { id } = this.#request;
    const { bl } = this.#lease;
    try {
      const why = (code === "ABORTED" ? "stopped by the requester" : message).slice(0, 500);
      await this.#lease.change("request.cancel", { bl, id, by: "the requester", why }).catch(() => {});
      const until = performance.now() + LONGEST_END_MS;
      do {
        await this.#look();
        if (this.isOver) break;
        await sleep(this.#pollMs);
      } while (performance.now() < until);
    } catch (error) {
      return `What became of request ${id} is not known: ${toSaclaError(error).message} See: sacla requests log`;
    }
    const { state, parameter, from, to } = this.#request;
    if (state === "kept") return `Request ${id} had been kept before: ${parameter} is ${show(to)}.`;
    if (state === "rolled-back") return `${parameter} is ${show(from)} again.`;
    return this.isOver ? `Nothing was changed (request ${id}).` : `Request ${id} is still ${state}.`;
  }

  /** Undefined when the request is in another state before anything is shown. */
  async #verify(stop: AbortSignal): Promise<Evidence | undefined> {
    const left = new AbortController();
    const both = AbortSignal.any([stop, left.signal]);
    const measured = verifyRequest(this.#lease, this.#request, this.#pollMs, both);
    measured.catch(() => {});
    // Meanwhile the operators may stop it, or the time be up.
    const watching = (async (): Promise<undefined> => {
      while (this.#request.state === "verifying" && !both.aborted) {
        await sleep(WATCH_MS, both).catch(() => {});
        if (!both.aborted) await this.#look();
      }
      return undefined;
    })();
    watching.catch(() => {});
    try {
      return await Promise.race([measured, watching]);
    } finally {
      left.abort();
      await watching.catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { id } = this.#request;
    const all = await this.#lease.ask("request.list", { bl: this.#lease.bl, last: 20 });
    const now = all.find((other) => other.id === id);
    if (now !== undefined) this.#saw(now);
  }

  #saw(now: AcceleratorRequest): void {
    const isNew = now.state !== this.#request.state;
    this.#request = now;
    if (isNew) this.#options.onState?.(now);
  }
}

/** Between two looks whether a request that is being verified still is. */
const WATCH_MS = 500;

function offer({ id, parameter, asked, to, unit, operator, why }: AcceleratorRequest): string {
  const text = `Of request ${id}, ${parameter} to ${show(asked)} ${unit}, ${operator} offers ${show(to)}`;
  return `${text}${why === "" ? "" : `: ${why}`}; it was not taken.`;
}

function failureOf(request: AcceleratorRequest): SaclaError {
  const { id, parameter, asked, unit, state, why, operator, from } = request;
  const what = `Request ${id}, ${parameter} to ${show(asked)}${unit === "" ? "" : ` ${unit}`},`;
  const reason = why === "" ? "no reason given" : why;
  const details = { id, parameter, asked, state, why };
  switch (state) {
    case "expired":
      return new SaclaError("REQUEST_EXPIRED", `${what} was not answered: ${reason}. Nothing was changed.`, {
        details,
      });
    case "rolled-back":
      return new SaclaError("NOT_VERIFIED", `${what} was put back to ${show(from)}: ${reason}.`, { details });
    case "declined":
      return new SaclaError("REQUEST_DECLINED", `${what} was declined by ${operator}: ${reason}.`, { details });
    default:
      return new SaclaError("REQUEST_DECLINED", `${what} was ${state}: ${reason}. Nothing was changed.`, { details });
  }
}
