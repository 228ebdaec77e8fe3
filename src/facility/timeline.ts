import { hash } from "../core/random.ts";
import { type Experiment, experiments, liveHightag } from "./experiments.ts";
import { TAG_RATE_HZ, timingParameters } from "./parameters.ts";

const darkHeadImages = 100;
const darkHeadShare = 0.2;

/** A run as planned; how far a live one has come is a matter of the clock. */
export interface PlannedRun {
  readonly experiment: Experiment;
  readonly run: number;
  readonly startTag: number;
  /** Exclusive. */
  readonly endTag: number;
  /** 60 / rate: the distance between the tags of two images. */
  readonly step: number;
  /** Tag offsets between which the run is paused; empty when from = to. */
  readonly pause: { readonly fromTag: number; readonly toTag: number };
}

const noPause = { fromTag: 0, toTag: 0 };

/** The run as planned, or undefined when no experiment has it. */
export function plannedRun(bl: number, run: number): PlannedRun | undefined {
  const experiment = experiments.find((e) => e.beamline === bl && run >= e.firstRun && run <= e.lastRun);
  return experiment === undefined ? undefined : runOf(experiment, run);
}

function runOf(experiment: Experiment, run: number): PlannedRun {
  const index = run - experiment.firstRun;
  const startTag = experiment.firstTag + index * experiment.pitchTags;
  const pause = experiment.pause !== undefined && index % 2 === 0 ? experiment.pause : noPause;
  return { experiment, run, startTag, endTag: startTag + experiment.tagsPerRun, step: stepOf(experiment), pause };
}

export function stepOf(experiment: Experiment): number {
  return TAG_RATE_HZ / experiment.rateHz;
}

/** Images at the head of an exposed run that are taken with the shutter closed: 100, or a fifth of a short run. */
export function darkHeadOf(experiment: Experiment): number {
  if (!experiment.darkHead) return 0;
  return Math.min(darkHeadImages, Math.round((darkHeadShare * experiment.tagsPerRun) / stepOf(experiment)));
}

/** Whether `tag` is an image of the run. */
export function isImage(planned: PlannedRun, tag: number): boolean {
  const offset = tag - planned.startTag;
  if (offset < 0 || tag >= planned.endTag || offset % planned.step !== 0) return false;
  return offset < planned.pause.fromTag || offset >= planned.pause.toTag;
}

/** The conditions of one shot. One object is reused for a whole column. */
export interface Shot {
  experiment: Experiment;
  /** Stands for (seed, beamline, HighTag) in every draw. */
  key: number;
  tag: number;
  /** −1 outside of runs. */
  run: number;
  /** Whether the beamline gets a pulse at this tag: every 60/rate-th. */
  onBeat: boolean;
  xrayShutterOpen: boolean;
  laserShutterOpen: boolean;
  delayPulse: number;
  timingPulse: number;
}

/**
 * What a beamline did in the tags of one HighTag. Between runs, and before the first one, the conditions are those of
 * the experiment begun last, with the shutter open.
 */
export class Timeline {
  /** By first tag. */
  readonly #experiments: readonly Experiment[];
  readonly #first: Experiment;
  readonly #shot: Shot;

  /** Undefined when the beamline has no experiment in the HighTag. */
  static of(seed: number, bl: number, hightag: number): Timeline | undefined {
    const own = experiments.filter((e) => e.beamline === bl && e.hightag === hightag).sort((a, b) => a.firstTag - b.firstTag);
    const [first] = own;
    return first === undefined ? undefined : new Timeline(first, own, hash(seed, "shot", bl, hightag));
  }

  private constructor(first: Experiment, own: readonly Experiment[], key: number) {
    this.#first = first;
    this.#experiments = own;
    const stages = { delayPulse: 0, timingPulse: 0 };
    this.#shot = { experiment: first, key, tag: 0, run: -1, onBeat: false, xrayShutterOpen: true, laserShutterOpen: false, ...stages };
  }

  /** The experiment in force at a tag. */
  experimentAt(tag: number): Experiment {
    let found = this.#first;
    for (const experiment of this.#experiments) if (experiment.firstTag <= tag) found = experiment;
    return found;
  }

  /** The conditions at a tag, in the one reused object. */
  at(tag: number): Shot {
    const shot = this.#shot;
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
    shot.experiment = experiment;
    shot.tag = tag;
    shot.run = isRun ? run : -1;
    shot.onBeat = offset % step === 0;
    shot.xrayShutterOpen = !isRun || (!wholeDark && exposedIndex >= 0);
    shot.laserShutterOpen = experiment.pump !== undefined && !wholeDark && imageIndex % 2 === 0;
    shot.delayPulse = experiment.pump?.t0Pulse ?? 0;
    shot.timingPulse = timingParameters.zeroPulse;
    moveStages(shot, index, Math.max(0, exposedIndex));
    return shot;
  }

  /** Tags with a pulse from `first` to `last`, both included. */
  *beats(first: number, last: number): Generator<number, void, undefined> {
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

function moveStages(shot: Shot, runIndex: number, exposedIndex: number): void {
  const { scan } = shot.experiment;
  if (scan === undefined) return;
  const count = scan.imagesPerStep === null ? Math.max(0, runIndex) : Math.floor(exposedIndex / scan.imagesPerStep);
  const pulse = scan.fromPulse + (count % scan.steps) * scan.stepPulse;
  if (scan.axis === "delay") shot.delayPulse = pulse;
  else shot.timingPulse = pulse;
}

/** What has happened so far: the newest tag, and the state of each run. */
export class Progress {
  readonly #nowTag: () => number;

  /** `nowTag` gives the newest tag of the live HighTag. */
  constructor(nowTag: () => number) {
    this.#nowTag = nowTag;
  }

  /** The newest tag of a HighTag that has happened: everything, for a HighTag of the past. */
  newestTag(hightag: number): number {
    return hightag === liveHightag ? this.#nowTag() : Infinity;
  }

  /** −1 not yet existing, 0 stopped, 1 paused, 2 running. */
  status(planned: PlannedRun | undefined): -1 | 0 | 1 | 2 {
    if (planned === undefined) return -1;
    const now = this.newestTag(planned.experiment.hightag);
    if (now < planned.startTag) return -1;
    if (now >= planned.endTag) return 0;
    const offset = now - planned.startTag;
    return offset >= planned.pause.fromTag && offset < planned.pause.toTag ? 1 : 2;
  }

  /** End of the tags taken so far, exclusive. */
  endTag(planned: PlannedRun): number {
    return Math.min(planned.endTag, this.newestTag(planned.experiment.hightag) + 1);
  }

  /** The newest `last` runs of a beamline that have begun, ascending. */
  runs(bl: number, last: number): number[] {
    const found: number[] = [];
    const own = experiments.filter((e) => e.beamline === bl).sort((a, b) => b.firstRun - a.firstRun);
    for (const experiment of own) {
      const begun = Math.floor((this.newestTag(experiment.hightag) - experiment.firstTag) / experiment.pitchTags);
      const newest = Math.min(experiment.lastRun, experiment.firstRun + begun);
      for (let run = newest; run >= experiment.firstRun && found.length < last; run--) found.push(run);
    }
    return found.reverse();
  }
}
