import { TAG_RATE_HZ } from "../core/constants.ts";
import { hash } from "../core/random.ts";
import { type Experiment, experiments, liveHightag, liveTag } from "./experiments.ts";
import { timingParameters } from "./parameters.ts";
import type { PulseModel } from "./pulse.ts";

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
  /** Tag offsets between which the run is paused. */
  readonly pauses: readonly { readonly fromTag: number; readonly toTag: number }[];
  /** How far a run is that control started; a planned one follows the clock alone. */
  state?(newestTag: number): "running" | "paused" | "stopping" | "ready";
}

/** The run as planned, or undefined when no experiment has it. */
export function plannedRun(bl: number, run: number): PlannedRun | undefined {
  const experiment = experiments.find((e) => e.beamline === bl && run >= e.firstRun && run <= e.lastRun);
  return experiment === undefined ? undefined : runOf(experiment, run);
}

function runOf(experiment: Experiment, run: number): PlannedRun {
  const index = run - experiment.firstRun;
  const startTag = experiment.firstTag + index * experiment.pitchTags;
  const pauses = experiment.pause !== undefined && index % 2 === 0 ? [experiment.pause] : [];
  return { experiment, run, startTag, endTag: startTag + experiment.tagsPerRun, step: stepOf(experiment), pauses };
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
  return !isPaused(planned, offset);
}

function isPaused({ pauses }: PlannedRun, offset: number): boolean {
  return pauses.some(({ fromTag, toTag }) => offset >= fromTag && offset < toTag);
}

/** What is set by control at a shot, for the signals that show it. */
export interface ShotControl {
  /** What the counter of a stage shows; undefined for one that control does not know. */
  counter(equipId: string, tag: number): number | undefined;
  /** Factor on the voltage of a photodiode behind the sample position. */
  diodeFactor(equipId: string, shot: Shot, pulses: PulseModel): number;
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
  xrayShutterClosed: boolean;
  laserShutterOpen: boolean;
  delayPulse: number;
  timingPulse: number;
  photonEnergyEv: number;
  /** False while the accelerator has tripped. */
  beamOn: boolean;
  /** Slow drift of the pulse energy, and what a changed undulator costs. */
  energyFactor: number;
  /** Slow drift of the pointing, in beam sizes. */
  pointingX: number;
  pointingY: number;
  /** Share of diode values whose fit fails without a reason. */
  unconverged: number;
  /** What comes from the beam monitors to the sample: attenuator and pulse selector. */
  transmission: number;
  /** What radiation has left of the sample's signal. */
  sampleFactor: number;
  /** Null where nobody controls. */
  control: ShotControl | null;
}

/** What befalls the shots of the present day beyond the plan. */
export interface LiveConditions {
  /** The last tag that follows the plan; Infinity when all do. */
  takenTag(bl: number): number;
  /** The conditions of a shot after {@link takenTag}, whose key and tag are set. */
  fillControlled(bl: number, shot: Shot): void;
  /** Trips and drifts. */
  fillMachine(bl: number, shot: Shot): void;
}

/** A shot to which nothing has happened. */
export function plainShot(experiment: Experiment, key: number): Shot {
  return {
    experiment,
    key,
    tag: 0,
    run: -1,
    onBeat: false,
    xrayShutterOpen: true,
    xrayShutterClosed: false,
    laserShutterOpen: false,
    delayPulse: 0,
    timingPulse: 0,
    photonEnergyEv: experiment.photonEnergyEv,
    beamOn: true,
    energyFactor: 1,
    pointingX: 0,
    pointingY: 0,
    unconverged: 0,
    transmission: 1,
    sampleFactor: 1,
    control: null,
  };
}

/** Takes back what machine and control did to the shot before. */
export function untouch(shot: Shot, experiment: Experiment): void {
  shot.experiment = experiment;
  shot.photonEnergyEv = experiment.photonEnergyEv;
  shot.beamOn = true;
  shot.energyFactor = 1;
  shot.pointingX = 0;
  shot.pointingY = 0;
  shot.unconverged = 0;
  shot.transmission = 1;
  shot.sampleFactor = 1;
  shot.control = null;
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
  readonly #live: LiveConditions | undefined;

  /** Undefined when the beamline has no experiment in the HighTag. `live` is for the HighTag of the present day. */
  static of(seed: number, bl: number, hightag: number, live: LiveConditions): Timeline | undefined {
    const own = experiments
      .filter((e) => e.beamline === bl && e.hightag === hightag)
      .sort((a, b) => a.firstTag - b.firstTag);
    const [first] = own;
    return first === undefined
      ? undefined
      : new Timeline(first, own, hash(seed, "shot", bl, hightag), hightag === liveHightag ? live : undefined);
  }

  private constructor(first: Experiment, own: readonly Experiment[], key: number, live: LiveConditions | undefined) {
    this.#first = first;
    this.#experiments = own;
    this.#live = live;
    this.#shot = plainShot(first, key);
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
    shot.tag = tag;
    const bl = this.#first.beamline;
    if (this.#live !== undefined && tag > this.#live.takenTag(bl)) {
      this.#live.fillControlled(bl, shot);
      return shot;
    }
    this.#fillPlanned(shot, tag);
    if (tag > liveTag) this.#live?.fillMachine(bl, shot);
    return shot;
  }

  #fillPlanned(shot: Shot, tag: number): void {
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
    shot.laserShutterOpen = experiment.pump !== undefined && !wholeDark && imageIndex % 2 === 0;
    shot.delayPulse = experiment.pump?.t0Pulse ?? 0;
    shot.timingPulse = timingParameters.zeroPulse;
    moveStages(shot, index, Math.max(0, exposedIndex));
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

/** Runs that control started, and where the planned ones end because of it. */
export interface OwnRuns {
  takenTag(bl: number): number;
  controlled(bl: number): readonly PlannedRun[];
}

/** What has happened so far: the newest tag, and the state of each run. */
export class Progress {
  readonly #nowTag: () => number;
  readonly #own: OwnRuns;

  /** `nowTag` gives the newest tag of the live HighTag. */
  constructor(nowTag: () => number, own: OwnRuns) {
    this.#nowTag = nowTag;
    this.#own = own;
  }

  /** The newest tag of a HighTag that has happened: everything, for a HighTag of the past. */
  newestTag(hightag: number): number {
    return hightag === liveHightag ? this.#nowTag() : Infinity;
  }

  /** A run that is planned or was started; undefined when there is none, or control has taken its place. */
  run(bl: number, run: number): PlannedRun | undefined {
    const controlled = this.#own.controlled(bl);
    const first = controlled[0]?.run ?? Infinity;
    if (run >= first) return controlled[run - first];
    const planned = plannedRun(bl, run);
    const taken = this.#own.takenTag(bl);
    if (planned === undefined || planned.experiment.hightag !== liveHightag || planned.endTag <= taken + 1)
      return planned;
    return planned.startTag > taken ? undefined : { ...planned, endTag: taken + 1 };
  }

  /** −1 not yet existing, 0 stopped, 1 paused, 2 running. */
  status(planned: PlannedRun | undefined): -1 | 0 | 1 | 2 {
    if (planned === undefined) return -1;
    const now = this.newestTag(planned.experiment.hightag);
    const state = planned.state?.(now);
    if (state !== undefined) return state === "ready" ? 0 : state === "paused" ? 1 : 2;
    if (now < planned.startTag) return -1;
    if (now >= planned.endTag) return 0;
    return isPaused(planned, now - planned.startTag) ? 1 : 2;
  }

  /** End of the tags taken so far, exclusive. */
  endTag(planned: PlannedRun): number {
    return Math.max(planned.startTag, Math.min(planned.endTag, this.newestTag(planned.experiment.hightag) + 1));
  }

  /** The newest `last` runs of a beamline that have begun, ascending. */
  runs(bl: number, last: number): number[] {
    const controlled = this.#own.controlled(bl);
    const found = controlled
      .slice(Math.max(0, controlled.length - last))
      .map(({ run }) => run)
      .reverse();
    const own = experiments.filter((e) => e.beamline === bl).sort((a, b) => b.firstRun - a.firstRun);
    for (const experiment of own) {
      const { hightag, firstTag, pitchTags, firstRun, lastRun } = experiment;
      const upTo = hightag === liveHightag ? Math.min(this.newestTag(hightag), this.#own.takenTag(bl)) : Infinity;
      const newest = Math.min(lastRun, firstRun + Math.floor((upTo - firstTag) / pitchTags));
      for (let run = newest; run >= firstRun && found.length < last; run--) found.push(run);
    }
    return found.reverse();
  }
}
