import { Detectors } from "../core/detectors.ts";
import { isSaclaError } from "../core/errors.ts";
import { defined } from "../core/options.ts";
import { onOffDifference } from "../core/ratio.ts";
import type { Run, RunTags, SignalColumn } from "../db/index.ts";
import { combineHits, type Dark, darkAverage, defineReducer, hits, type Reducer, reduce } from "../reduce/index.ts";
import type { St } from "../st/index.ts";
import { shareError } from "./hit-rate.ts";

/** A shot is a hit when so many pixels have this many ADU above the dark, as `sacla live` has it. */
const HIT = { threshold: 50, minPixels: 20 };
/** Most shots of each class, spread over the run: enough for a table of runs. */
const MOST_SHOTS = 50;

/** Numbers that describe a run by its images. */
interface ImageNumbers {
  /** Share of hits. */
  readonly hits: { readonly value: number; readonly error: number };
  /** Pumped against unpumped shots: the sum over the detector, divided by the beam monitor; null: no pump laser. */
  readonly onOff: { readonly contrast: number; readonly contrastError: number; readonly significance: number } | null;
  /** What was done, in words. */
  readonly note: string;
}

/** Sum of the finite pixels of each shot. */
function total(): Reducer<{ readonly tags: Uint32Array; readonly sums: Float64Array }> {
  return defineReducer({
    name: "total",
    layout: () => ({ sums: { type: "series", width: 1 } }),
    add: ({ sums }, pixels, { tag }) => {
      let sum = 0;
      for (let i = 0; i < pixels.length; i++) {
        const x = pixels[i] ?? NaN;
        if (x - x === 0) sum += x;
      }
      sums.push(tag, sum);
    },
    result: ({ sums }) => ({ tags: sums.tags, sums: sums.column() }),
  });
}

/**
 * Hit rate and pumped/unpumped of the detector with the most sensors, from a sample of the run's shots.
 * @param darkFor - the run whose dark shots are subtracted from images of a detector; undefined: nothing is
 * @throws NO_SHOTS when no exposed shot has images
 */
export async function imageNumbers(
  st: St,
  run: Run,
  darkFor: (detector: string) => Promise<Run | undefined>,
): Promise<ImageNumbers> {
  const ids = (await run.detectors()).flatMap(({ sensors }) => sensors);
  const detector = new Detectors(ids, `Run ${run.number}`).largest();
  const labels = await run.labels().catch(nullWhenUnknown);
  const hasPump = labels !== null && labels.on.length > 0 && labels.off.length > 0;
  const exposed = hasPump ? labels.on.union(labels.off) : await run.exposedTags();
  const tags = hasPump ? spread(labels.on).union(spread(labels.off)) : spread(exposed);
  const darkRun = await darkFor(detector.id);
  const dark = darkRun === undefined ? undefined : await darkOfRun(st, darkRun, detector.sensors);
  const shots = st.shots({ run, detectors: detector.sensors, tags });
  const { found, sums } = await reduce(shots, { found: hits(HIT), sums: total() }, defined({ dark }));
  const { isHit } = combineHits(found);
  const hitCount = isHit.reduce((n, hit) => n + hit, 0);
  const what = [
    `${detector.id}, ${isHit.length} of ${exposed.length} shots`,
    darkRun === undefined ? "raw" : `dark of run ${darkRun.number} subtracted`,
    `hit: ${HIT.minPixels} pixels of ${HIT.threshold} ADU or more`,
  ];
  let onOff: ImageNumbers["onOff"] = null;
  if (hasPump) {
    const monitor = await run.column(`xfel_bl_${run.bl}_tc_bm_1_pd/charge`, tags).catch(nullWhenUnknown);
    what.push(monitor === null ? "not normalised" : `sums divided by ${monitor.equipId}`);
    const [on, off] = [labels.on, labels.off].map((of) => classOf(sums, (tag) => of.has(tag), monitor));
    if (on !== undefined && off !== undefined) {
      const { contrast, contrastError, difference, differenceError } = onOffDifference(on, off);
      onOff = { contrast, contrastError, significance: difference / differenceError };
    }
  }
  return {
    hits: { value: hitCount / isHit.length, error: shareError(hitCount, isHit.length) },
    onOff,
    note: what.join("; "),
  };
}

/** At most {@link MOST_SHOTS}, evenly spread. */
function spread(tags: RunTags): RunTags {
  return tags.every(Math.max(1, Math.ceil(tags.length / MOST_SHOTS)));
}

async function darkOfRun(st: St, run: Run, detectors: readonly string[]): Promise<Dark> {
  return await darkAverage(st.shots({ run, detectors, tags: spread(await run.darkTags()) }));
}

/** Null for a signal that the run does not have; other errors are thrown. */
function nullWhenUnknown(error: unknown): null {
  if (isSaclaError(error, "UNKNOWN_SIGNAL")) return null;
  throw error;
}

type Sums = Readonly<Record<string, { readonly tags: Uint32Array; readonly sums: Float64Array }>>;

/** The sums over all sensors of the shots of a class, with the monitor of the same shots. */
function classOf(bySensor: Sums, isOf: (tag: number) => boolean, monitor: SignalColumn | null) {
  const totals = new Map<number, number>();
  for (const { tags, sums } of Object.values(bySensor))
    tags.forEach((tag, i) => {
      if (isOf(tag)) totals.set(tag, (totals.get(tag) ?? 0) + (sums[i] ?? NaN));
    });
  const of =
    monitor === null ? undefined : [...totals.keys()].map((tag) => monitor.values[monitor.tags.indexOf(tag)] ?? NaN);
  return { values: [...totals.values()], ...(of === undefined ? {} : { monitor: of }) };
}
