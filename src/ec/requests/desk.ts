import { sleep } from "../../core/async.ts";
import type { Clock } from "../../core/clock.ts";
import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import type { CallParams } from "../../transport/methods.ts";
import type { AcceleratorRequest, RequestEntry, RequestRule } from "../../transport/request-methods.ts";
import { checkReady, whyOutOfRange } from "../device-checks.ts";
import type { SettingInfo } from "../driver.ts";
import type { GuardedDriver } from "../guarded-driver.ts";
import { MachineSide } from "./machine-side.ts";
import { Ramps } from "./ramp.ts";
import { RequestBook } from "./request-book.ts";
import { defaultRule, refusalOf, verificationFor } from "./request-checks.ts";
import type { RequestLog } from "./request-log.ts";
import { hasEnded, isUnderWay, mayCome } from "./request-state.ts";
import { expectedRange, verdict } from "./verdict.ts";

/** How long things may take. */
interface DeskTimes {
  /** Between two looks at the machine. @default 50 */
  readonly pollMs: number;
  /** At rest elsewhere for so many looks, a parameter does not come. @default 20 */
  readonly stillPolls: number;
  /** From the arrival until the requester has verified it. @default 180000 */
  readonly verifyMs: number;
  /** Until a value that could not be put back is tried again. @default 5000 */
  readonly againMs: number;
  /** What a process that died has asked of the machine has happened by then, or never will. @default 5000 */
  readonly inFlightMs: number;
  /** How long closing waits for values to be put back. @default 10000 */
  readonly closeMs: number;
}

const usual: DeskTimes = {
  pollMs: 50,
  stillPolls: 20,
  verifyMs: 180_000,
  againMs: 5000,
  inFlightMs: 5000,
  closeMs: 10_000,
};

interface DeskOptions {
  readonly driver: GuardedDriver;
  readonly log: RequestLog;
  readonly clock: Clock;
  /** The name of the holder of a lease. @throws LEASE_LOST */
  holder(bl: number, lease: string): string;
  /** @throws UNKNOWN_DEVICE */
  find(bl: number, parameter: string): Promise<SettingInfo>;
  readonly times?: Partial<DeskTimes>;
}

/** A request that has not ended. */
interface Open {
  readonly rule: RequestRule;
  /** How near the machine's reading must come. */
  readonly tolerance: number;
  /** Fires when the operators have answered, or nobody waits for them any more. */
  readonly answered: AbortController;
  /** Fires when what is under way is to be put back; its reason says why. */
  readonly stop: AbortController;
  /** Fires when the change is kept. */
  readonly kept: AbortController;
}

const MINUTE = 60;
/** An instrument reads a value of a range back to this part of it. */
const READING_PART = 1e-3;
const DESK = "sacla";

/**
 * Requests to the operators of the accelerator: checked, put to them, done, and kept only when 0-D signals have
 * verified them; whatever else happens, the value before is put back. What a request is, the lines of its log say: each
 * change of its state is a line, and a line stands before what is done to the machine.
 */
export class RequestDesk {
  readonly #options: DeskOptions;
  readonly #times: DeskTimes;
  readonly #ramps: Ramps;
  readonly #side: MachineSide;
  readonly #book: RequestBook;
  readonly #open = new Map<number, Open>();
  readonly #tasks = new Set<Promise<void>>();
  /** When requests for a parameter were put to the operators. */
  readonly #asked = new Map<string, number[]>();
  readonly #closing = new AbortController();
  /** Fires when closing has waited long enough. */
  readonly #ended = new AbortController();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#times = { ...usual, ...options.times };
    this.#ramps = new Ramps(options.driver, options.clock, this.#times);
    this.#side = new MachineSide(options.driver);
    this.#book = new RequestBook(options.log, ({ id }) => this.#open.get(id)?.answered.abort());
  }

  /** Puts back what a process that died left under way, and withdraws what it had not begun. */
  async recover(): Promise<void> {
    const why = "the process that kept the request has ended";
    for (const request of this.#book.all()) {
      const { id, bl, parameter, state } = request;
      if (hasEnded(state)) continue;
      if (!isUnderWay(state)) {
        this.#book.note(request, "withdrawn", await this.#side.shot(bl), DESK, why);
        continue;
      }
      const info = await this.#options.find(bl, parameter).catch(() => undefined);
      const rule = await this.#side.ruleOf(bl, parameter).catch(() => defaultRule(parameter));
      this.#openUp(id, rule, info);
      this.#run(id, async () => {
        const { clock } = this.#options;
        await clock.until(clock.now() + this.#times.inFlightMs / 1000, this.#ended.signal).catch(() => {});
        await this.#putBack(id, why);
      });
    }
  }

  async rules(bl: number): Promise<{ mode: "normal" | "tuning"; rules: RequestRule[] }> {
    return { mode: (await this.#side.state(bl)).mode, rules: [...(await this.#side.rules(bl))] };
  }

  list(bl: number, last: number): AcceleratorRequest[] {
    return this.#book.list(bl, last);
  }

  log(bl: number, after: number, most: number): RequestEntry[] {
    return this.#options.log.entries.filter((entry) => entry.bl === bl && entry.n > after).slice(0, most);
  }

  /** @throws LIMIT, INTERLOCK, DEVICE_BUSY, TOO_MANY_REQUESTS, BAD_ARGUMENT, LEASE_LOST, WRITE_FAILED */
  async propose(params: CallParams<"request.propose">): Promise<AcceleratorRequest> {
    const { bl, lease, to, answerMs } = params;
    this.#options.holder(bl, lease);
    const info = await this.#options.find(bl, params.parameter);
    if (info.role !== "accelerator")
      throw badArgument("parameter", info.name, "one of the accelerator; this one is changed without a request");
    const rule = await this.#side.ruleOf(bl, info.name);
    const verification = verificationFor(rule, params.verification, to);
    const { mode, shot } = await this.#side.state(bl);
    const reading = await this.#ramps.read(info.name);
    // Nothing is awaited from here: what is checked holds when it is put to the operators.
    const by = this.#options.holder(bl, lease);
    if (this.#closing.signal.aborted) throw new SaclaError("CLOSED", "Requests are not taken any more.");
    // By the machine's own time, where it is known.
    const now = shot === null ? this.#options.clock.now() : shot[1] / TAG_RATE_HZ;
    const lately = (this.#asked.get(info.name) ?? []).filter((at) => at > now - MINUTE && at <= now);
    const open = this.#book.all().find((other) => other.bl === bl && !hasEnded(other.state));
    const id = this.#book.nextId();
    const data = { parameter: info.name, unit: info.unit, from: reading.value, asked: to, verification };
    const request = this.#book.begin({ id, bl }, "proposed", shot, by, params.reason, data);
    const refusal =
      refusalOf({ info, rule, mode, from: reading.value, to, open, lately: lately.length }) ?? notReady(reading);
    if (refusal !== undefined) {
      this.#book.note(request, "refused", shot, DESK, refusal.message);
      throw new SaclaError(refusal.code, refusal.message, { details: { ...refusal.details, id } });
    }
    this.#asked.set(info.name, [...lately, now]);
    this.#openUp(id, rule, info);
    this.#run(id, async () => await this.#expire(id, answerMs));
    this.#putToOperators(request);
    return request;
  }

  /** @throws BAD_ARGUMENT when the answer does not fit @throws INTERLOCK when the machine is tuned */
  async answer({ bl, id, operator, answer, to, why }: CallParams<"request.answer">): Promise<AcceleratorRequest> {
    const { parameter } = this.#book.find(bl, id);
    const { mode, shot } = await this.#side.state(bl);
    const info = answer === "change" ? await this.#options.find(bl, parameter) : undefined;
    const request = this.#book.find(bl, id);
    if (answer === "stop" && isUnderWay(request.state)) return this.#stop(id, `${operator} stopped it: ${why}`);
    if (answer === "decline" || answer === "stop") {
      this.#book.checkMay(request, "declined", answer);
      return this.#book.note(request, "declined", shot, operator, why);
    }
    if (mode !== "normal")
      throw new SaclaError("INTERLOCK", `The accelerator is in ${mode} mode; request ${id} cannot be accepted now.`);
    if (info === undefined || to === request.asked) return this.#accept(request, "accepted", shot, operator, why);
    this.#book.checkMay(request, "offered", answer);
    if (to === null || typeof to !== typeof request.asked || expectedRange(request.verification, to) === null)
      throw badArgument("to", to, `the ${typeof request.asked} that is offered instead of ${show(request.asked)}`);
    const range = whyOutOfRange(info, to);
    if (range !== "") throw new SaclaError("LIMIT", `${parameter} cannot be offered at ${show(to)}: ${range}.`);
    return this.#book.begin(request, "offered", shot, operator, why, { to });
  }

  /** @throws BAD_ARGUMENT when nothing was offered @throws LEASE_LOST, WRITE_FAILED */
  async agree({ bl, lease, id }: CallParams<"request.agree">): Promise<AcceleratorRequest> {
    this.#options.holder(bl, lease);
    const shot = await this.#side.shot(bl);
    const by = this.#options.holder(bl, lease);
    return this.#accept(this.#book.find(bl, id), "agreed", shot, by, "");
  }

  /** @throws NOT_VERIFIED when the evidence does not show the value @throws BAD_ARGUMENT, LEASE_LOST, WRITE_FAILED */
  async keep({ bl, lease, id, evidence }: CallParams<"request.keep">): Promise<AcceleratorRequest> {
    this.#options.holder(bl, lease);
    const shot = await this.#side.shot(bl);
    const by = this.#options.holder(bl, lease);
    const request = this.#book.find(bl, id);
    this.#book.checkMay(request, "kept", "keep");
    const { verification, verifyFrom, to, unit, parameter } = request;
    if (evidence.signal !== verification.signal)
      throw badArgument("signal of the evidence", evidence.signal, verification.signal);
    if (verifyFrom !== null && isBefore(evidence.first, verifyFrom))
      throw badArgument(
        "first shot of the evidence",
        evidence.first,
        `${verifyFrom} or later: before, it had not settled`,
      );
    if (verdict(evidence, expectedRange(verification, to)) !== "yes")
      throw new SaclaError(
        "NOT_VERIFIED",
        `${evidence.signal} is ${evidence.mean} ± ${evidence.standardError}, which does not show that ${parameter} ` +
          `is ${show(to)} ${unit}.`,
        { details: { id, evidence, to } },
      );
    if (this.#open.get(id)?.stop.signal.aborted === true)
      throw badArgument("id", id, "a request that nobody has stopped");
    const kept = this.#book.begin(request, "kept", shot, by, "", { evidence });
    this.#open.get(id)?.kept.abort();
    return kept;
  }

  /** Withdraws what has not begun, puts back what is under way. @throws BAD_ARGUMENT when it has ended */
  async cancel({ bl, id, by, why }: CallParams<"request.cancel">): Promise<AcceleratorRequest> {
    this.#book.find(bl, id);
    const shot = await this.#side.shot(bl);
    return this.#cancel(this.#book.find(bl, id), shot, by, why);
  }

  /** Nobody is there any more to verify: gives a line for each request that is withdrawn or put back. */
  leaseEnded(bl: number, how: string): string[] {
    const lines: string[] = [];
    for (const request of this.#book.all()) {
      const { id, parameter, from, state } = request;
      if (request.bl !== bl || hasEnded(state) || state === "rolling-back") continue;
      this.#cancel(request, null, "the lease", `the lease of the requester was ${how}`);
      lines.push(
        isUnderWay(state)
          ? `request ${id}: ${parameter} is put back to ${show(from)}`
          : `request ${id} (${parameter}) withdrawn`,
      );
    }
    return lines;
  }

  /** Ends what is open; what cannot be put back in time is left to the next process with the log. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const request of this.#book.all())
      if (!hasEnded(request.state)) this.#cancel(request, null, DESK, "requests are not taken any more");
    const late = new AbortController();
    const all = async (): Promise<unknown> => await Promise.all([...this.#tasks]);
    await Promise.race([all(), sleep(this.#times.closeMs, late.signal).catch(() => {})]);
    late.abort();
    this.#ended.abort();
    await all();
    await this.#options.log.close().catch(() => {});
  }

  #cancel(request: AcceleratorRequest, shot: RequestEntry["shot"], by: string, why: string): AcceleratorRequest {
    const { id, state } = request;
    if (isUnderWay(state)) return this.#stop(id, `${by}: ${why}`);
    this.#book.checkMay(request, "withdrawn", "cancel");
    return this.#book.note(request, "withdrawn", shot, by, why);
  }

  #stop(id: number, why: string): AcceleratorRequest {
    const open = this.#open.get(id);
    if (open !== undefined && !open.stop.signal.aborted) open.stop.abort(new SaclaError("ABORTED", why));
    return this.#book.get(id);
  }

  #accept(
    request: AcceleratorRequest,
    event: "accepted" | "agreed",
    shot: RequestEntry["shot"],
    by: string,
    why: string,
  ): AcceleratorRequest {
    const { id } = request;
    this.#book.checkMay(request, event, event === "agreed" ? "agree" : "accept");
    const accepted = this.#book.begin(request, event, shot, by, why);
    this.#open.get(id)?.answered.abort();
    this.#run(id, async () => await this.#carryOut(id));
    return accepted;
  }

  async #carryOut(id: number): Promise<void> {
    const open = this.#open.get(id);
    const { bl } = this.#book.get(id);
    const shot = await this.#side.shot(bl);
    const request = this.#book.get(id);
    // It may have been withdrawn meanwhile.
    if (open === undefined || request.state !== "accepted") return;
    try {
      this.#book.begin(request, "ramping", shot, DESK, "");
    } catch (error) {
      this.#book.note(request, "withdrawn", shot, DESK, toSaclaError(error).message);
      return;
    }
    try {
      await this.#change(request, open);
    } catch (error) {
      if (hasEnded(this.#book.get(id).state)) return;
      // From here on nobody can keep it.
      if (!open.stop.signal.aborted) open.stop.abort(error);
      await this.#putBack(id, toSaclaError(open.stop.signal.reason).message);
    }
  }

  /** Returns when the change is kept. @throws why it is not */
  async #change({ id, bl, parameter, to, verification }: AcceleratorRequest, open: Open): Promise<void> {
    const { clock, log } = this.#options;
    await log.sync();
    open.stop.signal.throwIfAborted();
    const { rule, tolerance, stop } = open;
    await this.#ramps.go({ parameter, to, tolerance, seconds: rule.rampSeconds }, stop.signal);
    const shot = await this.#side.shot(bl);
    stop.signal.throwIfAborted();
    const verifyFrom = shot === null ? null : ([shot[0], shot[1] + verification.settleShots] as const);
    this.#book.begin(this.#book.get(id), "arrived", shot, DESK, "", { verifyFrom });
    const seconds = this.#times.verifyMs / 1000;
    const both = AbortSignal.any([stop.signal, open.kept.signal]);
    await clock.until(clock.now() + seconds, both).catch(() => {});
    if (open.kept.signal.aborted) return;
    stop.signal.throwIfAborted();
    throw new SaclaError("TIMEOUT", `nobody has verified it within ${seconds} s`);
  }

  /** Until it is done, or the process ends: then the next one goes on. */
  async #putBack(id: number, why: string): Promise<void> {
    const open = this.#open.get(id);
    const { bl, parameter, from } = this.#book.get(id);
    if (open === undefined) return;
    const { rule, tolerance } = open;
    const { signal } = this.#ended;
    if (this.#book.get(id).state !== "rolling-back")
      this.#book.note(this.#book.get(id), "rolling-back", await this.#side.shot(bl), DESK, why);
    for (let said = ""; ; ) {
      try {
        // A machine that still moves refuses a new value.
        await this.#ramps.rest(parameter, rule.rampSeconds, signal);
        const value = await this.#ramps.go({ parameter, to: from, tolerance, seconds: rule.rampSeconds }, signal);
        this.#book.note(this.#book.get(id), "rolled-back", await this.#side.shot(bl), DESK, "", { to: value });
        return;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = toSaclaError(error);
        if (message !== said)
          this.#book.note(this.#book.get(id), "tried-again", await this.#side.shot(bl), DESK, message);
        said = message;
        if (this.#closing.signal.aborted) return;
        await this.#options.clock.until(this.#options.clock.now() + this.#times.againMs / 1000, signal).catch(() => {});
      }
    }
  }

  async #expire(id: number, answerMs: number): Promise<void> {
    const { clock } = this.#options;
    const open = this.#open.get(id);
    try {
      await clock.until(clock.now() + answerMs / 1000, open?.answered.signal);
    } catch {
      return;
    }
    const shot = await this.#side.shot(this.#book.get(id).bl);
    const request = this.#book.get(id);
    if (!mayCome(request.state, "expired")) return;
    this.#book.note(request, "expired", shot, DESK, `no answer within ${answerMs / 1000} s`);
  }

  /** Where operators are simulated they answer by themselves. */
  #putToOperators(request: AcceleratorRequest): void {
    const { accelerator } = this.#options.driver.driver;
    const open = this.#open.get(request.id);
    if (accelerator?.answer === undefined || open === undefined) return;
    const { bl, id } = request;
    accelerator
      .answer(request, open.answered.signal)
      .then(async (answer) => await this.answer({ bl, id, ...answer }))
      .catch(() => {});
  }

  #openUp(id: number, rule: RequestRule, info: SettingInfo | undefined): void {
    const allowed = info?.allowed;
    const tolerance = allowed !== undefined && "from" in allowed ? READING_PART * (allowed.to - allowed.from) : 0;
    const [answered, stop, kept] = [new AbortController(), new AbortController(), new AbortController()];
    this.#open.set(id, { rule, tolerance, answered, stop, kept });
  }

  #run(id: number, work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) => {
        process.emitWarning(`request ${id}: ${toSaclaError(error).message}`, { code: "INTERNAL" });
      })
      .finally(() => {
        this.#tasks.delete(task);
        if (this.#book.isOver(id)) this.#open.delete(id);
      });
    this.#tasks.add(task);
  }
}

function notReady(reading: Parameters<typeof checkReady>[0]): SaclaError | undefined {
  try {
    checkReady(reading);
    return undefined;
  } catch (error) {
    return toSaclaError(error);
  }
}

function isBefore(shot: readonly [number, number], other: readonly [number, number]): boolean {
  return shot[0] === other[0] ? shot[1] < other[1] : shot[0] < other[0];
}
