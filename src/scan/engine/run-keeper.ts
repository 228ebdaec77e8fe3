import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import type { BeamlineRuns, DoOptions } from "../beamline/beamline.ts";
import type { Message, MessageResult, RunToStart } from "../messages/messages.ts";

/** The order of a plan's runs as far as the plan alone tells it. */
export class RunOrder {
  #on: RunToStart | undefined;

  get isOn(): boolean {
    return this.#on !== undefined;
  }

  /** @throws BAD_ARGUMENT when a run is started while one is on, or stopped while none is */
  take(message: Message): void {
    if (message.kind === "startRun") {
      if (this.#on !== undefined) throw startedTwice(this.#on, message.request);
      this.#on = message.request;
    } else if (message.kind === "stopRun") {
      if (this.#on === undefined)
        throw new SaclaError(
          "BAD_ARGUMENT",
          "The plan stops a run, but has none on: start it first with startRun, or use withRun.",
        );
      this.#on = undefined;
    }
  }
}

function startedTwice(on: RunToStart, next: RunToStart): SaclaError {
  return new SaclaError(
    "BAD_ARGUMENT",
    `The plan starts the run ${show(next.comment)} while its run ${show(on.comment)} is on: end that one first ` +
      "with stopRun, or use withRun.",
  );
}

export function noRunControl(): SaclaError {
  return new SaclaError(
    "UNSUPPORTED",
    "The plan starts a run, but this beamline has no run control; give it `runs`, or leave the run to RunControlGUI.",
  );
}

/**
 * The run of the facility that a plan has started: taken up again after a pause or a crash, ended with the plan at the
 * latest.
 */
export class RunKeeper {
  readonly #runs: BeamlineRuns | undefined;
  #request: RunToStart | undefined;
  #run: number | undefined;

  constructor(runs: BeamlineRuns | undefined) {
    this.#runs = runs;
  }

  /** The run that is on as far as the plan has come. */
  get run(): number | undefined {
    return this.#run;
  }

  /** Number of the newest run: written down before a start, it tells after a crash whether that came about. */
  async newest(): Promise<number> {
    return (await this.#control.state()).run;
  }

  /**
   * @param newestBefore - of an earlier process that meant to start this run and died: what has begun since is that run
   * @throws BAD_ARGUMENT while one is on; as {@link BeamlineRuns.start}
   */
  async start(request: RunToStart, newestBefore: number | undefined): Promise<number> {
    if (this.#request !== undefined && this.#run !== undefined) throw startedTwice(this.#request, request);
    const runs = this.#control;
    const { run, state } = await runs.state();
    if (newestBefore !== undefined && run === newestBefore + 1 && (state === "running" || state === "paused")) {
      if (state === "paused") await runs.resume();
      return run;
    }
    try {
      return (await runs.start(request)).run;
    } catch (error) {
      // Without an answer nobody knows whether it has begun, and nobody would end it.
      if (isSaclaError(error, "DEVICE_FAULT", "TIMEOUT", "UNREACHABLE")) await this.#stop(run + 1, {}).catch(() => {});
      throw error;
    }
  }

  /** Nothing to do when none is on: cleanup may come before its start. */
  async stop(options: DoOptions): Promise<void> {
    if (this.#run !== undefined) await this.#stop(this.#run, options);
  }

  /** That run and no other: after it has ended, somebody else's may be on. */
  async #stop(run: number, options: DoOptions): Promise<void> {
    if ((await this.#control.state()).run === run) await this.#control.stop(options);
  }

  /** Keeps in mind what has come of a message, now or in an earlier process. */
  take(message: Message, answer: MessageResult): void {
    if (message.kind === "startRun" && answer.kind === "run") {
      this.#request = message.request;
      this.#run = answer.run;
    } else if (message.kind === "stopRun") this.#run = undefined;
  }

  /** Another run has taken the place of the plan's. */
  replacedBy(run: number): void {
    this.#run = run;
  }

  async pause(): Promise<void> {
    if (this.#run !== undefined && (await this.#control.state()).run === this.#run) await this.#control.pause();
  }

  /**
   * Makes the run go on. One that was ended meanwhile stays so: another one takes its place, and its number is given.
   */
  async restore(): Promise<number | undefined> {
    const request = this.#request;
    if (this.#run === undefined || request === undefined) return undefined;
    const runs = this.#control;
    const { run, state, shots } = await runs.state();
    const images = run === this.#run ? shots : 0;
    if (run === this.#run) {
      if (state === "paused") await runs.resume();
      if (state === "paused" || state === "running") return undefined;
      // It has ended by itself, as it was to.
      if (images >= (request.shots ?? Infinity)) return undefined;
      if (state === "stopping") await runs.stop({});
    }
    this.#run = (
      await runs.start(request.shots === undefined ? request : { ...request, shots: request.shots - images })
    ).run;
    return this.#run;
  }

  /** Ends the run if the plan has not. */
  async end(): Promise<void> {
    await this.stop({});
    this.#run = undefined;
  }

  get #control(): BeamlineRuns {
    if (this.#runs === undefined) throw noRunControl();
    return this.#runs;
  }
}
