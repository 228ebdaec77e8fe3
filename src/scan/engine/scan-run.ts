import { isSaclaError, SaclaError, toSaclaError } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import type { Beamline } from "../beamline/beamline.ts";
import { describe, isEnding, isSlow, isWork, type QuickMessage, type SlowMessage } from "../messages/message-kinds.ts";
import type { Message, MessageResult, Plan, PlanSteps } from "../messages/messages.ts";
import type { EngineOptions, EngineState, Row, ScanEnd } from "./callback.ts";
import { planNeeds } from "./check.ts";
import { DeviceMemory } from "./device-memory.ts";
import { execute, nothing, requestOf } from "./execute.ts";
import { messageText } from "./journal.ts";
import { RunJournal } from "./run-journal.ts";
import { RunKeeper } from "./run-keeper.ts";
import { allDone, mapOf, planChanged, ShotTotals } from "./scan-parts.ts";

type Wish = "none" | "pause" | "pause-now" | "stop" | "abort";

/** So many messages without a wait, then timers and signals get their turn. */
const QUICK_IN_A_ROW = 4096;

/** One plan from its beginning to its end. */
export class ScanRun<R> {
  readonly plan: Plan<R>;
  state: EngineState = "running";
  /** Rows so far. */
  points = 0;
  doing = "";
  readonly #beamline: Beamline;
  readonly #options: EngineOptions;
  readonly #journal: RunJournal;
  readonly #devices = new DeviceMemory();
  readonly #runs: RunKeeper;
  readonly #totals = new ShotTotals();
  #stopper = new AbortController();
  #wish: Wish = "none";
  #wake: (() => void) | undefined;
  /** Number of the next message that is written down. */
  #n = 0;
  #quick = 0;
  #onceDepth = 0;
  /** Something of the section that must not be repeated was done by an earlier process. */
  #isSectionTouched = false;
  #isSkipping = false;
  #isLive: boolean;
  #mustSync = false;
  #needsRestore: boolean;
  /** Set when the plan is left: what follows is cleanup, which is not written down. */
  #isLeaving = false;
  /**
   * Thrown into the plan so that its cleanup runs. Not its `return`: when a `finally` of an inner generator yields, the
   * outer one would go on as if the inner one had ended well.
   */
  readonly #leaving = new SaclaError("ABORTED", "The scan is stopped.");
  #isAbandoned = false;
  /** What goes on now waits: for beam or operators (held), or because the plan says so. A stop ends it at once. */
  #isWaiting = false;
  isHeld = false;
  #leftAt: number | undefined;
  #lastShots: number | undefined;
  /** By what was thrown into the plan: the message that failed. Cleanup may fail after it. */
  readonly #failures = new Map<unknown, number>();
  readonly #pointNote = (text: string): void => this.#note(`point ${this.points + 1} ${text}`);

  constructor(plan: Plan<R>, beamline: Beamline, options: EngineOptions) {
    this.plan = plan;
    this.#beamline = beamline;
    this.#runs = new RunKeeper(beamline.runs);
    this.#options = options;
    this.#journal = new RunJournal(options.journal);
    this.#isLive = this.#journal.past.size === 0;
    this.#needsRestore = !this.#isLive;
  }

  /** The state in one line. */
  get line(): string {
    const { name } = this.plan;
    return `${name}: ${this.state}, ${counted(this.points, "point")}${this.doing === "" ? "" : `, ${this.doing}`}`;
  }

  ask(wish: Exclude<Wish, "none">): void {
    if (this.#isLeaving) {
      if (wish !== "abort") return;
      [this.#wish, this.#isAbandoned] = [wish, true];
      this.#stopper.abort();
      return;
    }
    // What is more urgent stays.
    if (this.#wish === "abort" || (this.#wish === "stop" && wish !== "abort")) return;
    this.#wish = wish;
    this.state =
      wish === "abort" ? "aborting" : wish === "stop" ? "stopping" : this.state === "paused" ? "paused" : "pausing";
    const interrupts =
      wish === "abort" || (wish === "pause-now" && this.#onceDepth === 0) || (wish === "stop" && this.#isWaiting);
    if (interrupts) this.#stopper.abort();
    this.#wake?.();
  }

  resume(): void {
    if (this.state !== "paused" && this.state !== "pausing") return;
    this.#wish = "none";
    this.state = "running";
    this.#wake?.();
  }

  async run(): Promise<ScanEnd<R>> {
    let finished: { readonly result: R } | undefined;
    const { plan } = this;
    function* steps(): PlanSteps {
      finished = { result: yield* plan.steps() };
    }
    // The files may have been left by a process that died with a shutter open.
    if (!this.#isLive) await this.#beamline.safe();
    this.#journal.resumed();
    try {
      await this.#prepare();
      await this.#loop(steps());
      // A plan may have caught that its journal cannot be written: the scan has failed all the same.
      const { broken } = this.#journal;
      if (broken !== undefined) throw broken;
      if (!this.#isLeaving) await this.#runs.end();
    } catch (error) {
      if (error !== this.#leaving) {
        await this.#endBadly(error);
        throw toSaclaError(error);
      }
    }
    if (finished !== undefined && !this.#isLeaving) {
      this.#journal.end();
      await this.#sync();
      return { outcome: "done", result: finished.result, points: this.points, shots: this.#totals.counts };
    }
    const outcome = this.#wish === "abort" ? "aborted" : "stopped";
    const failed = await this.#makeSafe(this.#leftAt ?? this.#n, outcome, undefined);
    if (failed !== undefined) throw toSaclaError(failed);
    return { outcome, result: undefined, points: this.points, shots: this.#totals.counts };
  }

  /** Looks at the beam before anything moves, and may wait for it. @throws NO_BEAM */
  async #prepare(): Promise<void> {
    const { prepare } = this.#beamline;
    if (prepare === undefined) return;
    const needs = await planNeeds(this.plan, this.#beamline, this.#options.maps ?? {});
    const how = { note: (text: string) => this.#note(text), waiting: this.#waits };
    for (;;) {
      try {
        await prepare(needs, { ...how, signal: this.#stopper.signal });
        return;
      } catch (error) {
        if (!isSaclaError(error, "ABORTED") || !this.#stopper.signal.aborted) throw error;
        this.#stopper = new AbortController();
        if (this.#wish === "abort" || this.#wish === "stop") await this.#leave();
        await this.#pause();
      } finally {
        this.#waits(false);
      }
    }
  }

  async #loop(steps: PlanSteps): Promise<void> {
    let step = steps.next();
    while (step.done !== true && !this.#isAbandoned) {
      let answer: MessageResult;
      try {
        if (++this.#quick >= QUICK_IN_A_ROW) await this.#breathe();
        const message = step.value;
        // Cleanup takes no shots: a plan that caught the end is told again.
        if (this.#isLeaving && isWork(message)) throw this.#journal.broken ?? this.#leaving;
        // Without its journal a scan does not go on: rows are written and shutters closed, then its cleanup runs.
        if (this.#journal.broken !== undefined && !this.#isLeaving && !isEnding(message)) throw this.#journal.broken;
        if (isSlow(message)) answer = await this.#slow(message);
        else {
          if (message.kind === "checkpoint" && this.#wish !== "none") await this.#safePoint();
          answer = this.#do(message);
        }
      } catch (error) {
        if (this.#isAbandoned) return;
        if (error === this.#journal.broken && !this.#isLeaving) {
          this.#isLeaving = true;
          this.#leftAt = this.#n;
        }
        step = steps.throw(error);
        continue;
      }
      step = steps.next(answer);
    }
  }

  async #breathe(): Promise<void> {
    this.#quick = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#wish === "abort" && !this.#isLeaving) await this.#leave();
  }

  /** What takes no time. */
  #do(message: QuickMessage): MessageResult {
    switch (message.kind) {
      case "checkpoint":
        if (this.#onceDepth === 0 && this.#journal.isDirty === true) this.#mustSync = true;
        return nothing;
      case "note":
        this.#note(message.text);
        return nothing;
      case "once":
        this.#section(message.begins);
        return nothing;
      case "point":
        return this.#written(
          message,
          () => nothing,
          (isPast, timeMs) => this.#row(message, isPast, timeMs),
        );
      case "spot":
        return this.#written(message, () => ({ kind: "spot", spot: mapOf(this.#options.maps, message.map).take() }));
      case "confirm":
        return this.#written(message, () => {
          mapOf(this.#options.maps, message.map).confirm(message.spot, message.hit);
          return nothing;
        });
    }
  }

  #section(begins: boolean): void {
    this.#onceDepth += begins ? 1 : -1;
    if (this.#onceDepth === 1 && begins) {
      this.#isSectionTouched = false;
      this.#mustSync = true;
    }
    if (this.#onceDepth === 0) this.#isSkipping = false;
  }

  /** Does a quick message, or recalls what came of it. */
  #written(
    message: QuickMessage,
    act: () => MessageResult,
    after: (isPast: boolean, timeMs: number) => void = () => {},
  ): MessageResult {
    const past = this.#recall(message);
    const answer = past ?? act();
    // A row has the time of day, which a resumed scan gives again.
    const now = message.kind === "point" ? Date.now() : this.#beamline.now();
    if (past === undefined && !this.#isLeaving) this.#journal.done(this.#n++, message, answer, now);
    after(past !== undefined, now);
    return answer;
  }

  #row({ data, taken }: Extract<Message, { kind: "point" }>, isPast: boolean, timeMs: number): void {
    const past = isPast ? this.#journal.past.get(this.#n - 1) : undefined;
    const row: Row = { index: this.points++, time: past?.begunMs ?? timeMs, data, taken, isPast };
    for (const callback of this.#options.callbacks ?? []) callback.point?.(row);
  }

  /** What came of a message in an earlier process; undefined when it is to be done now. @throws PLAN_CHANGED */
  #recall(message: Message): MessageResult | undefined {
    if (this.#isLive || this.#isLeaving) return undefined;
    const past = this.#journal.past.get(this.#n);
    if (past === undefined) {
      this.#isLive = true;
      return undefined;
    }
    if (past.did !== messageText(message)) throw planChanged(this.#n, past.did, messageText(message));
    if (this.#onceDepth > 0) this.#isSectionTouched = true;
    if (past.run !== undefined) this.#runs.replacedBy(past.run);
    if (past.got === undefined && past.failed === undefined) {
      this.#isLive = true;
      return undefined;
    }
    const n = this.#n++;
    if (past.failed !== undefined) {
      this.#failures.set(past.failed, n);
      throw past.failed;
    }
    if (past.got !== undefined && isSlow(message)) this.#take(message, past.got, n);
    return past.got;
  }

  /** What takes time. */
  async #slow(message: SlowMessage): Promise<MessageResult> {
    const past = this.#recall(message);
    if (past !== undefined) return past;
    this.#quick = 0;
    if (this.#wish === "abort" && !this.#isLeaving) await this.#leave();
    if (this.#onceDepth > 0 && this.#isSectionTouched && !this.#isLeaving) await this.#askToRepeat(message);
    const n = this.#isLeaving ? -1 : this.#n;
    if (n >= 0) this.#journal.intent(n, message, this.#beamline.now());
    const answer = await this.#begin(message, n);
    this.doing = "";
    if (n >= 0) {
      this.#journal.result(n, answer, this.#beamline.now());
      this.#n++;
    }
    this.#take(message, answer, n);
    return answer;
  }

  /** Prepares what a message needs, and acts. What fails is written down: its cleanup is other messages. */
  async #begin(message: SlowMessage, n: number): Promise<MessageResult> {
    try {
      const newestBefore = n >= 0 && message.kind === "startRun" ? await this.#noteNewestRun(n) : undefined;
      if (this.#mustSync) await this.#sync();
      if (this.#needsRestore && !this.#isLeaving) await this.#restore(message, n);
      this.doing = describe(message);
      return await this.#insist(message, n, newestBefore);
    } catch (error) {
      if (n >= 0 && error !== this.#leaving) {
        this.#journal.failure(n, error, this.#beamline.now());
        this.#failures.set(error, n);
        this.#n++;
      }
      throw error;
    }
  }

  /** Gives the newest run there was when an earlier process was about to start this one. */
  async #noteNewestRun(n: number): Promise<number | undefined> {
    const before = this.#journal.past.get(n)?.newestRun;
    this.#journal.noteRuns(n, { newestRun: before ?? (await this.#runs.newest()) }, this.#beamline.now());
    this.#mustSync = true;
    return before;
  }

  /** Acts, again after a pause that interrupted it. */
  async #insist(message: SlowMessage, n: number, newestBefore: number | undefined): Promise<MessageResult> {
    for (;;) {
      try {
        if (message.kind === "wait") this.#waits(true, false);
        return await execute(message, this.#beamline, {
          signal: this.#stopper.signal,
          note: this.#pointNote,
          waiting: this.#waits,
          isSkipping: this.#isSkipping,
          runs: this.#runs,
          newestBefore,
        });
      } catch (error) {
        if (!isSaclaError(error, "ABORTED") || !this.#stopper.signal.aborted || this.#isLeaving) throw error;
        this.#stopper = new AbortController();
        if (this.#wish === "abort" || this.#wish === "stop") await this.#leave();
        await this.#pause();
        await this.#restore(message, n);
      } finally {
        this.#waits(false);
      }
    }
  }

  /** A stop does not wait for what may never come. Cleanup is not interrupted. */
  readonly #waits = (isWaiting: boolean, isHeld = isWaiting): void => {
    [this.#isWaiting, this.isHeld] = [isWaiting, isHeld];
    if (isWaiting && this.#wish === "stop" && !this.#isLeaving) this.#stopper.abort();
  };

  #note(text: string): void {
    for (const callback of this.#options.callbacks ?? []) callback.note?.(text);
  }

  /** Keeps in mind what a message has changed. */
  #take(message: SlowMessage, answer: MessageResult, n: number): void {
    this.#devices.take(message);
    this.#runs.take(message, answer);
    if (answer.kind !== "shots" && answer.kind !== "fly") return;
    if (n >= 0) this.#lastShots = n;
    this.#totals.add(answer.taken);
  }

  async #askToRepeat(message: SlowMessage): Promise<void> {
    this.#isSectionTouched = false;
    const may = await this.#options.mayRepeat?.({ step: this.#n, message, line: this.line });
    this.#isSkipping = may !== true;
  }

  /** Puts devices as the plan had left them, but for what the next message puts itself. */
  async #restore(next: SlowMessage, n: number): Promise<void> {
    this.#needsRestore = false;
    const { positions, settings, requests, open } = this.#devices.without(next);
    if (Object.keys(positions).length > 0) await this.#beamline.move(positions, { signal: this.#stopper.signal });
    for (const [setting, value] of settings) await this.#beamline.set(setting, value);
    // What the machine still has is not asked for again.
    if (Object.keys(requests).length > 0)
      await requestOf(this.#beamline)({ to: requests }, { signal: this.#stopper.signal });
    if (next.kind !== "stopRun") await this.#restoreRun(n);
    if (!this.#isSkipping) for (const name of open) await this.#beamline.shutter(name, true);
  }

  async #restoreRun(n: number): Promise<void> {
    const before = this.#runs.run;
    const run = await this.#runs.restore();
    if (run === undefined) return;
    this.#journal.noteRuns(n, { run }, this.#beamline.now());
    this.#note(`run ${before} was ended meanwhile; what follows is in run ${run}`);
  }

  /** At a checkpoint: here it may stop or wait. */
  async #safePoint(): Promise<void> {
    if (this.#isLeaving || this.#onceDepth > 0) return;
    if (this.#wish === "stop" || this.#wish === "abort") await this.#leave();
    else await this.#pause();
  }

  async #pause(): Promise<void> {
    this.state = "paused";
    // A sample must not be exposed while nobody looks.
    for (const name of this.#devices.open) await this.#beamline.shutter(name, false);
    await this.#runs.pause();
    await this.#sync();
    while (this.#wish === "pause" || this.#wish === "pause-now") {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#needsRestore = true;
    if (this.#wish !== "none") await this.#leave();
    this.state = "running";
  }

  async #leave(): Promise<never> {
    this.#isLeaving = true;
    this.#leftAt = this.#n;
    this.#stopper = new AbortController();
    if (this.#wish === "abort") await this.#beamline.safe();
    throw this.#leaving;
  }

  async #endBadly(error: unknown): Promise<void> {
    // A plan that gives up by itself does so because of its last shots.
    const byItself = this.#lastShots ?? this.#n;
    const at = this.#isLeaving ? this.#leftAt : (this.#failures.get(error) ?? byItself);
    await this.#makeSafe(at ?? this.#n, toSaclaError(error).code, error);
  }

  /** Gives what failed first. What makes it safe comes first: nothing that is written down may hold it up. */
  async #makeSafe(n: number, why: string, first: unknown): Promise<unknown> {
    return await allDone(
      first,
      [
        () => this.#beamline.safe(),
        () => this.#runs.end(),
        async () => {
          this.#journal.left(n, why, this.#failures.has(first));
          await this.#sync();
        },
      ],
      (later) => this.#note(`and then: ${toSaclaError(later).message}`),
    );
  }

  async #sync(): Promise<void> {
    this.#mustSync = false;
    await Promise.all([this.#journal.sync(), ...Object.values(this.#options.maps ?? {}).map((map) => map.sync())]);
  }
}
