import { randomUUID } from "node:crypto";
import { SaclaError } from "../../core/errors.ts";
import { any, flag, optional, resolveOptions } from "../../core/options.ts";
import type { Beamline } from "../beamline/beamline.ts";
import type { Plan } from "../messages/messages.ts";
import type { EngineOptions, EngineState, ScanEnd, ScanStart } from "./callback.ts";
import { checkPlan } from "./check.ts";
import { Journal } from "./journal.ts";
import { planLayout } from "./plan-layout.ts";
import { ScanRun } from "./scan-run.ts";

/**
 * Does what plans say, one plan at a time.
 *
 * - `pause` waits at the next checkpoint with shutters closed (`{ now: true }`: what goes on is interrupted and done
 *   again
 *   after `resume`, but never a section that must not be repeated); `resume` puts the devices back as they were.
 * - `stop` ends in order at the next checkpoint; `abort` at once, with the safe state first. Cleanup of the plan runs
 *   either way; a second `abort` leaves that out.
 *
 * @example
 * const engine = new Engine(beamline, { journal: Journal.create("delay.journal", plan) });
 * const { points, shots } = await engine.run(plan);
 */
export class Engine {
  readonly #beamline: Beamline;
  readonly #options: EngineOptions;
  #run: ScanRun<unknown> | undefined;

  constructor(beamline: Beamline, options: EngineOptions = {}) {
    this.#beamline = beamline;
    this.#options = resolveOptions("Engine", options, {
      journal: any,
      maps: any,
      callbacks: any,
      mayRepeat: any,
      check: optional(flag),
    });
  }

  get state(): EngineState {
    return this.#run?.state ?? "idle";
  }

  /** The state in one line. */
  get line(): string {
    return this.#run?.line ?? "idle";
  }

  /** Whether it waits for the beam, or for the operators of the accelerator. */
  get isHeld(): boolean {
    return this.#run?.isHeld ?? false;
  }

  /**
   * Runs a plan to its end. A journal that has entries makes it go on where they end; see {@link resumeScan}.
   * @throws LIMIT before anything moves, when the plan leaves the limits
   * @throws TOO_FEW_SHOTS, NO_PEAK, NO_FRESH_SPOT by plans; DEVICE_FAULT, INTERLOCK, LEASE_LOST … by devices. Cleanup
   * has run and the devices are in the safe state.
   * @throws PLAN_CHANGED when the journal is that of another plan @throws BAD_ARGUMENT when its scan is done
   */
  async run<R>(plan: Plan<R>): Promise<ScanEnd<R>> {
    if (this.#run !== undefined)
      throw new SaclaError(
        "DEVICE_BUSY",
        `The engine is running ${this.#run.line}; wait until it is done, or stop it.`,
      );
    const { journal, callbacks = [], check = true, maps } = this.#options;
    journal?.checkPlan(plan);
    if (journal?.ended === "done")
      throw new SaclaError(
        "BAD_ARGUMENT",
        `The scan of ${JSON.stringify(journal.path)} is done; there is nothing to resume.`,
      );
    const run = new ScanRun(plan, this.#beamline, this.#options);
    this.#run = run;
    try {
      if (check && (journal?.past.size ?? 0) === 0) await checkPlan(plan, this.#beamline, maps ?? {});
      const begins = callbacks.filter(({ begin }) => begin !== undefined);
      if (begins.length > 0) {
        const start: ScanStart = {
          layout: await planLayout(plan, this.#beamline, maps ?? {}, journal),
          uid: journal?.header.uid ?? randomUUID(),
          plan: plan.name,
          settings: plan.settings,
          time: journal?.header.time ?? Date.now(),
        };
        for (const callback of begins) callback.begin?.(start);
      }
      const end = await run.run();
      for (const callback of callbacks) callback.end?.({ outcome: end.outcome, points: end.points });
      return end;
    } catch (error) {
      if (error instanceof Error)
        for (const callback of callbacks) callback.end?.({ outcome: "failed", points: run.points, error });
      throw error;
    } finally {
      this.#run = undefined;
    }
  }

  pause(options: { readonly now?: boolean | undefined } = {}): void {
    const { now } = resolveOptions("pause", options, { now: optional(flag, false) });
    this.#run?.ask(now ? "pause-now" : "pause");
  }

  resume(): void {
    this.#run?.resume();
  }

  stop(): void {
    this.#run?.ask("stop");
  }

  abort(): void {
    this.#run?.ask("abort");
  }
}

/**
 * Goes on with a scan whose program died, or that was stopped: answers of the journal are given to the same plan until
 * the place is reached where it ended. Points already measured go to the callbacks again, marked `isPast`.
 * @throws PLAN_CHANGED when it is another plan @throws FILE_NOT_FOUND, FILE_DAMAGED
 * @throws BAD_ARGUMENT when the scan is done
 */
export async function resumeScan<R>(
  path: string,
  plan: Plan<R>,
  beamline: Beamline,
  options: Omit<EngineOptions, "journal"> = {},
): Promise<ScanEnd<R>> {
  const journal = Journal.open(path);
  try {
    return await new Engine(beamline, { ...options, journal }).run(plan);
  } finally {
    journal.close();
  }
}
