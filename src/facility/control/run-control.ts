import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError, show, showList } from "../../core/errors.ts";
import type { RunRequest, RunState } from "../../ec/index.ts";
import type { RunSeries } from "../experiment.ts";
import { experiments, liveTag } from "../experiments.ts";
import { type PlannedRun, stepOf } from "../planned-run.ts";
import { controlParameters } from "./parameters.ts";

const storingTicks = controlParameters.storingSeconds * TAG_RATE_HZ;

/** A run that run control started. It grows while it runs. */
class ControlledRun implements PlannedRun {
  readonly experiment: RunSeries;
  readonly run: number;
  readonly startTag: number;
  readonly step: number;
  /** As offsets from the first tag; the last one ends at Infinity while the run is paused. */
  readonly pauses: { readonly fromTag: number; readonly toTag: number }[] = [];
  readonly #shots: number;
  #stoppedAt = Infinity;

  constructor(experiment: RunSeries, run: number, startTag: number, shots: number) {
    this.experiment = experiment;
    this.run = run;
    this.startTag = startTag;
    this.step = stepOf(experiment);
    this.#shots = shots;
  }

  /** Exclusive; Infinity while nobody knows. */
  get endTag(): number {
    if (this.#shots === 0) return this.#stoppedAt;
    const paused = this.pauses.reduce((sum, { fromTag, toTag }) => sum + toTag - fromTag, 0);
    return Math.min(this.#stoppedAt, this.startTag + this.#shots * this.step + paused);
  }

  get isPaused(): boolean {
    return this.pauses.at(-1)?.toTag === Infinity;
  }

  /** Offset of the first image after a tag. */
  #nextImage(tag: number): number {
    return Math.max(0, Math.ceil((tag + 1 - this.startTag) / this.step) * this.step);
  }

  pause(newestTag: number): void {
    this.pauses.push({ fromTag: this.#nextImage(newestTag), toTag: Infinity });
  }

  resume(newestTag: number): void {
    const last = this.pauses.pop();
    if (last !== undefined)
      this.pauses.push({ fromTag: last.fromTag, toTag: Math.max(last.fromTag, this.#nextImage(newestTag)) });
  }

  stop(newestTag: number): void {
    this.#stoppedAt = Math.min(this.endTag, this.startTag + this.#nextImage(newestTag));
    if (this.isPaused) this.resume(newestTag);
  }

  /** Images up to a tag. */
  images(newestTag: number): number {
    const end = Math.min(this.endTag - this.startTag, this.#nextImage(newestTag));
    const paused = this.pauses.reduce(
      (sum, { fromTag, toTag }) => sum + Math.max(0, Math.min(toTag, end) - fromTag),
      0,
    );
    return (end - paused) / this.step;
  }

  state(newestTag: number): "running" | "paused" | "stopping" | "ready" {
    if (newestTag >= this.endTag + storingTicks) return "ready";
    if (newestTag >= this.endTag || this.#stoppedAt !== Infinity) return "stopping";
    return this.isPaused ? "paused" : "running";
  }
}

/** The run control of one beamline: one run at a time, numbers in sequence. Times are ticks since `liveTag`. */
export class RunControl {
  readonly #bl: number;
  readonly #experiment: RunSeries;
  readonly #runs: ControlledRun[] = [];
  /** The newest tag when somebody first controlled the beamline: what would begin by itself after it does not. */
  #controlledFromTag = Infinity;
  #newestBefore = 0;

  /** `experiment` is what the controlled runs are like. */
  constructor(bl: number, experiment: RunSeries) {
    this.#bl = bl;
    this.#experiment = experiment;
  }

  get controlledFromTag(): number {
    return this.#controlledFromTag;
  }

  get runs(): readonly ControlledRun[] {
    return this.#runs;
  }

  /** Detectors a run may have: those of the beamline's experiments of these days. */
  detectors(): string[] {
    const { hightag } = this.#experiment;
    return [
      ...new Set(
        experiments.filter((e) => e.beamline === this.#bl && e.hightag === hightag).flatMap((e) => e.detectors),
      ),
    ];
  }

  /** Those of the run that is on, or was last. */
  detectorsNow(): readonly string[] {
    return (this.#runs.at(-1)?.experiment ?? this.#experiment).detectors;
  }

  /** From now on only what is asked for happens. `newestRun` of those that began by themselves. */
  take(now: number, newestRun: number): void {
    if (this.#controlledFromTag !== Infinity) return;
    this.#controlledFromTag = liveTag + Math.floor(now);
    this.#newestBefore = newestRun;
  }

  /** The run a tag belongs to. */
  at(tag: number): ControlledRun | undefined {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.startTag ?? Infinity) <= tag) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low - 1];
    return run !== undefined && tag < run.endTag ? run : undefined;
  }

  /** @throws UNKNOWN_DETECTOR for one the beamline has not */
  check({ detectors }: RunRequest): void {
    const known = this.detectors();
    const unknown = detectors.find((id) => !known.includes(id));
    if (unknown === undefined) return;
    throw new SaclaError(
      "UNKNOWN_DETECTOR",
      `Beamline ${this.#bl} has no detector ${show(unknown)}; it has ${showList(known)}.`,
      {
        details: { unknown, known },
      },
    );
  }

  /** A request that was checked. @throws DEVICE_BUSY */
  start(now: number, { comment, detectors, shots }: RunRequest): number {
    const newestTag = liveTag + Math.floor(now);
    const last = this.#runs.at(-1);
    const state = last?.state(newestTag) ?? "ready";
    if (last !== undefined && state !== "ready") {
      throw new SaclaError("DEVICE_BUSY", `Beamline ${this.#bl} cannot start a run: run ${last.run} is ${state}.`, {
        details: { run: last.run, state },
      });
    }
    const run = this.#newestBefore + this.#runs.length + 1;
    const experiment = {
      ...this.#experiment,
      comment,
      detectors: detectors.length === 0 ? this.#experiment.detectors : [...detectors],
    };
    const step = stepOf(experiment);
    // Images fall on the beats of the beamline, which its experiment's first tag tells.
    const startTag = experiment.firstTag + Math.ceil((newestTag + 1 - experiment.firstTag) / step) * step;
    this.#runs.push(new ControlledRun(experiment, run, startTag, shots));
    return run;
  }

  /** Nothing to do when no run is on. */
  pause(now: number): void {
    this.#inState("running", now)?.pause(liveTag + Math.floor(now));
  }

  /** @throws DEVICE_BUSY when no run is paused */
  resume(now: number): void {
    const run = this.#inState("paused", now);
    if (run === undefined)
      throw new SaclaError("DEVICE_BUSY", `Beamline ${this.#bl} has no paused run to take up again.`);
    run.resume(liveTag + Math.floor(now));
  }

  /** Nothing to do when no run is on. */
  stop(now: number): void {
    const run = this.#inState("running", now) ?? this.#inState("paused", now);
    run?.stop(liveTag + Math.floor(now));
  }

  state(now: number, newestRun: number): RunState {
    const newestTag = liveTag + Math.floor(now);
    const last = this.#runs.at(-1);
    if (last === undefined) return { run: newestRun, state: "ready", shots: 0 };
    return { run: last.run, state: last.state(newestTag), shots: last.images(newestTag) };
  }

  #inState(state: string, now: number): ControlledRun | undefined {
    const last = this.#runs.at(-1);
    return last?.state(liveTag + Math.floor(now)) === state ? last : undefined;
  }
}
