import { calibrationEvAt } from "./emission.ts";
import type { RunSeries } from "./experiment.ts";
import { experiments, liveHightag, liveTag } from "./experiments.ts";
import { timingParameters } from "./parameters.ts";
import { darkHeadOf, stepOf } from "./planned-run.ts";
import { plainShot, type SimulatedShot, untouch } from "./shot.ts";

/** What befalls the shots of the present day beyond the plan. */
export interface LiveConditions {
  /** The last tag that follows the plan; Infinity when all do. */
  controlledFromTag(bl: number): number;
  /** The conditions of a shot after {@link controlledFromTag}, whose key and tag are set. */
  fillControlled(bl: number, shot: SimulatedShot): void;
  /** Trips and drifts. */
  fillAccelerator(bl: number, shot: SimulatedShot): void;
}

/**
 * What a beamline did in the tags of one HighTag. Between runs, and before the first one, the conditions are those of
 * the experiment begun last, with the shutter open.
 */
export class Timeline {
  /** By first tag. */
  readonly #experiments: readonly RunSeries[];
  readonly #first: RunSeries;
  readonly #shot: SimulatedShot;
  readonly #live: LiveConditions | undefined;

  /** Undefined when the beamline has no experiment in the HighTag. `live` is for the HighTag of the present day. */
  static of(seed: number, bl: number, hightag: number, live: LiveConditions): Timeline | undefined {
    const own = experiments
      .filter((e) => e.beamline === bl && e.hightag === hightag)
      .sort((a, b) => a.firstTag - b.firstTag);
    const [first] = own;
    return first === undefined ? undefined : new Timeline(first, own, seed, hightag === liveHightag ? live : undefined);
  }

  private constructor(first: RunSeries, own: readonly RunSeries[], seed: number, live: LiveConditions | undefined) {
    this.#first = first;
    this.#experiments = own;
    this.#live = live;
    this.#shot = plainShot(first, seed);
  }

  /** The experiment in force at a tag. */
  experimentAt(tag: number): RunSeries {
    let found = this.#first;
    for (const experiment of this.#experiments) if (experiment.firstTag <= tag) found = experiment;
    return found;
  }

  /** The conditions at a tag, in the one reused object. */
  at(tag: number): SimulatedShot {
    const shot = this.#shot;
    shot.tag = tag;
    const bl = this.#first.beamline;
    if (this.#live !== undefined && tag > this.#live.controlledFromTag(bl)) {
      this.#live.fillControlled(bl, shot);
      return shot;
    }
    this.#fillPlanned(shot, tag);
    if (tag > liveTag) this.#live?.fillAccelerator(bl, shot);
    return shot;
  }

  #fillPlanned(shot: SimulatedShot, tag: number): void {
    const experiment = this.experimentAt(tag);
    const step = stepOf(experiment);
    const offset = tag - experiment.firstTag;
    const index = Math.floor(offset / experiment.pitchTags);
    const inRun = offset - index * experiment.pitchTags;
    const run = experiment.firstRun + index;
    const isRun = index >= 0 && run <= experiment.lastRun && inRun < experiment.tagsPerRun;
    const wholeDark = isRun && (experiment.darkRuns?.includes(run) ?? false);
    const imageIndex = Math.floor(inRun / step);
    const exposedIndex = imageIndex - darkHeadOf(experiment);
    untouch(shot, experiment);
    shot.run = isRun ? run : -1;
    shot.onBeat = offset % step === 0;
    shot.xrayShutterOpen = !isRun || (!wholeDark && exposedIndex >= 0);
    shot.xrayShutterClosed = !shot.xrayShutterOpen;
    const { pump, laserImage } = experiment;
    const isPumped = laserImage === undefined ? imageIndex % 2 === 0 : isRun && imageIndex === laserImage;
    shot.laserShutterOpen = pump !== undefined && !wholeDark && isPumped;
    shot.delayPulse = experiment.pump?.t0Pulse ?? 0;
    shot.timingPulse = timingParameters.zeroPulse;
    shot.calibrationEv = calibrationEvAt(experiment, exposedIndex);
    moveStages(shot, index, Math.max(0, exposedIndex));
  }

  /** Tags with a pulse from `first` to `last`, both included. */
  *pulseTags(first: number, last: number): Generator<number, void, undefined> {
    for (let tag = first; tag <= last; ) {
      const experiment = this.experimentAt(tag);
      const step = stepOf(experiment);
      const phase = (((tag - experiment.firstTag) % step) + step) % step;
      if (phase === 0) {
        yield tag;
        tag += step;
      } else {
        tag++;
      }
    }
  }
}

function moveStages(shot: SimulatedShot, runIndex: number, exposedIndex: number): void {
  const { scan } = shot.experiment;
  if (scan === undefined) return;
  const count = scan.imagesPerStep === null ? Math.max(0, runIndex) : Math.floor(exposedIndex / scan.imagesPerStep);
  const pulse = scan.fromPulse + (count % scan.steps) * scan.stepPulse;
  if (scan.axis === "delay") shot.delayPulse = pulse;
  else shot.timingPulse = pulse;
}
