import { TAG_RATE_HZ } from "../core/constants.ts";
import type { RunSeries } from "./experiment.ts";
import { experiments } from "./experiments.ts";

const darkHeadImages = 100;
const darkHeadShare = 0.2;

/** A run as planned; how far a live one has come is a matter of the clock. */
export interface PlannedRun {
  readonly experiment: RunSeries;
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

function runOf(experiment: RunSeries, run: number): PlannedRun {
  const index = run - experiment.firstRun;
  const startTag = experiment.firstTag + index * experiment.pitchTags;
  const pauses = experiment.pause !== undefined && index % 2 === 0 ? [experiment.pause] : [];
  return { experiment, run, startTag, endTag: startTag + experiment.tagsPerRun, step: stepOf(experiment), pauses };
}

export function stepOf(experiment: RunSeries): number {
  return TAG_RATE_HZ / experiment.rateHz;
}

/** Images at the head of an exposed run that are taken with the shutter closed: 100, or a fifth of a short run. */
export function darkHeadOf(experiment: RunSeries): number {
  if (!experiment.darkHead) return 0;
  return Math.min(darkHeadImages, Math.round((darkHeadShare * experiment.tagsPerRun) / stepOf(experiment)));
}

/** Whether `tag` is an image of the run. */
export function isImage(planned: PlannedRun, tag: number): boolean {
  const offset = tag - planned.startTag;
  if (offset < 0 || tag >= planned.endTag || offset % planned.step !== 0) return false;
  return !isPaused(planned, offset);
}

export function isPaused({ pauses }: PlannedRun, offset: number): boolean {
  return pauses.some(({ fromTag, toTag }) => offset >= fromTag && offset < toTag);
}
