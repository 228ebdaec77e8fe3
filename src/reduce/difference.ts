import { withClipped } from "../core/clipped.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { asText } from "../core/guards.ts";
import { droppedBecause, type Ledger, reasonsByTag } from "../core/ledger.ts";
import { asImage, type Image, type PreciseImage } from "../core/ndarray.ts";
import { any, flag, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import type { RatioMethod } from "../core/ratio.ts";
import { type PairOptions, type Run, type RunTags, ShotLabels } from "../db/index.ts";
import type { Assembler } from "../ip/index.ts";
import { correct } from "./corrections/index.ts";
import type { Dark } from "./dark-average.ts";
import { bothClasses, continued, filterShots } from "./filter.ts";
import {
  assembledErrors,
  assembledMeans,
  assemblerFor,
  axesOf,
  detectorOf,
  type PictureOptions,
  type PictureSteps,
} from "./picture.ts";
import { averageSelected, type ShotReader } from "./quick-look.ts";
import type { Reducer } from "./reducer.ts";
import { byClass } from "./reducers/by-class.ts";
import { normalised } from "./reducers/normalised.ts";
import { variance } from "./reducers/pixel-statistics.ts";

export interface DifferenceOptions extends Omit<PictureOptions, "class"> {
  /** Only these shots of both classes. @default all */
  readonly tags?: RunTags | undefined;
  /** `"area"`: counts stay counts. `"nearest"` samples; see `Assembler`. @default "area" */
  readonly method?: PictureOptions["method"];
  /** Equipment id of the intensity monitor (I0). Images are then given for its mean. @default not normalised */
  readonly normaliseBy?: string | undefined;
  /** How. @default "ratio-of-sums" */
  readonly ratio?: RatioMethod | undefined;
  /**
   * Only pumped shots with an unpumped one near in time, and only those unpumped ones: `{ after: 2, within: 60 }`, see
   * `ShotLabels.paired`. Shots without I0 or without an image make no pair. @default all shots
   */
  readonly pair?: PairOptions | undefined;
  /** Labels of your own, instead of `run.labels()`. */
  readonly labels?: ShotLabels | undefined;
}

/** The shots of one class. */
export interface ClassOfPicture {
  readonly tags: RunTags;
  /** Mean I0; null when not normalised. */
  readonly monitor: number | null;
}

/** Pumped less unpumped shots as one image. All pixels are in ADU; gaps and bad pixels are NaN. */
export interface DifferencePicture {
  readonly run: Run;
  readonly detector: DetectorGroup;
  /** on − off, shape [height, width]. */
  readonly image: Image;
  /** Standard error of each pixel of {@link image}. */
  readonly error: Image;
  /**
   * image / error: beyond ±3 once in 370 pixels by chance, beyond ±5 once in 2 million. NaN where there is no error.
   */
  readonly significance: Image;
  readonly on: ClassOfPicture;
  readonly off: ClassOfPicture;
  /** See `Picture`. */
  readonly axes: { readonly xUm: Float64Array; readonly yUm: Float64Array } | null;
  readonly assembler: Assembler | null;
  readonly done: Omit<PictureSteps, "class"> & {
    readonly normaliseBy: string | null;
    readonly ratio: RatioMethod | null;
    /** I0 for which the images are given; null when not normalised. */
    readonly reference: number | null;
    /** How shots were paired; null: not. */
    readonly pairs: string | null;
  };
  /** Every shot of the run: used for the difference or the dark, or dropped with the reason. */
  readonly ledger: Ledger;
}

interface ClassMean {
  readonly mean: PreciseImage;
  readonly standardError: PreciseImage;
  readonly monitor: number | null;
}

/**
 * Pumped less unpumped shots of a run, normalised by a monitor and assembled to one image, with its error map and its
 * significance. `facility.difference` is the short form.
 *
 * The error is from the scatter of the shots of each class, with the covariance of pixel and monitor; it needs about
 * twenty shots a class. The dark falls out of the difference but for a part as large as the mean I0 of the classes
 * differ, which is in the error. Neighbouring pixels of an `"area"` picture share sensor pixels, so their errors are
 * correlated.
 *
 * @throws NO_DARK when there are no dark shots to subtract
 * @throws NO_SHOTS when a class has no shot that could be used
 * @throws UNKNOWN_DETECTOR when the run has no such detector
 * @throws UNKNOWN_SIGNAL when the flags of the pump laser, or the monitor, are not recorded
 * @throws BAD_GEOMETRY when the halves of the detector are open
 * @example
 * const { image, significance } = await facility.difference({ run, normaliseBy: bm1, pair: { after: 2, within: 60 } });
 */
export async function differencePicture(st: ShotReader, options: DifferenceOptions): Promise<DifferencePicture> {
  const { view, method, commonMode, limit, normaliseBy, ratio } = resolveOptions("differencePicture", options, {
    run: any,
    detector: any,
    dark: any,
    view: optional(oneOf("source", "detector"), "source"),
    method: optional(oneOf("nearest", "area"), "area"),
    commonMode: optional(flag, false),
    limit: optional(integer(1)),
    normaliseBy: optional(asText),
    ratio: optional(oneOf("ratio-of-sums", "mean-of-ratios"), "ratio-of-sums"),
    pair: any,
    labels: any,
    tags: any,
    onProgress: any,
    signal: any,
  });
  const { run, dark: darkFrom = "head", pair, onProgress, signal } = options;
  const { detector, infos } = await detectorOf(run, options.detector, signal);
  const assembler = await assemblerFor(run, infos, view, method, signal);
  const all = options.labels ?? (await run.labels(options.tags, { signal }));
  const both = bothClasses(all.tags, all);
  // A shot without I0 is no part of a normalised image.
  const measured =
    normaliseBy === undefined
      ? both
      : await filterShots(both, [{ name: "i0", equipId: normaliseBy, where: () => true }], { signal });
  const paired = pair === undefined ? null : await pairsAmong(run, measured, all, pair, detector, signal);
  const selected = paired?.tags ?? measured;
  const on = new Set(all.on);
  requireBoth(run, selected.slice(0, limit), on, selected.ledger);
  const i0 = normaliseBy === undefined ? null : await run.column(normaliseBy, selected, { signal });
  const reference = i0?.mean() ?? null;
  const reducer: Reducer<ClassOf> =
    normaliseBy === undefined || reference === null
      ? variance({ ddof: 1 })
      : normalised({ equipId: normaliseBy, reference, method: ratio });
  const averaged = await averageSelected(
    st,
    run,
    detector,
    selected,
    { classes: byClass(reducer, ["on", "off"], (tag) => (on.has(tag) ? "on" : "off")) },
    { dark: darkFrom, corrections: commonMode ? [correct.commonMode()] : [], limit, onProgress, signal },
  );
  requireBoth(run, averaged.tags.exposed, on, averaged.ledger);
  const sensors = infos.flatMap((info) => {
    const classes = averaged.results.classes[info.id]?.classes;
    const [pumped, unpumped] = [classes?.["on"], classes?.["off"]];
    if (pumped === undefined || unpumped === undefined) return [];
    const parts = [pumped, unpumped].map((part): ClassMean => ({ monitor: null, ...part }));
    return [{ id: info.id, ...subtracted(parts, averaged.dark, info.id, reference), parts }];
  });
  const [image, error] = [assembledMeans(assembler, sensors), assembledErrors(assembler, sensors)];
  const classOf = (k: number): ClassOfPicture => ({
    tags: averaged.tags.exposed.filter((tag) => on.has(tag) === (k === 0)),
    monitor: sensors[0]?.parts[k]?.monitor ?? null,
  });
  const darkRun = darkFrom === "head" ? run : darkFrom;
  const dark = { run: darkRun === "none" ? NaN : darkRun.number, shots: averaged.tags.dark.length };
  return {
    run,
    detector,
    image,
    error,
    significance: inErrors(image, error),
    on: classOf(0),
    off: classOf(1),
    axes: assembler === null ? null : axesOf(assembler),
    assembler,
    done: {
      basis: selected.basis,
      shots: averaged.tags.exposed.length,
      dark: darkRun === "none" ? null : { ...dark, rule: averaged.darkBasis?.rule ?? "" },
      commonMode,
      view: assembler?.view ?? null,
      method: assembler?.method ?? null,
      normaliseBy: normaliseBy ?? null,
      ratio: normaliseBy === undefined ? null : ratio,
      reference,
      pairs: paired?.rule ?? null,
    },
    ledger:
      i0 === null ? averaged.ledger : withClipped(averaged.ledger, selected.slice(0, limit).values, { i0: i0.values }),
  };
}

/**
 * The shots of pairs of which both can be used. Shots without an image stay: the reason for that is known when they are
 * read.
 */
async function pairsAmong(
  run: Run,
  measured: RunTags,
  all: ShotLabels,
  pair: PairOptions,
  { sensors }: DetectorGroup,
  signal: AbortSignal | undefined,
): Promise<{ readonly tags: RunTags; readonly rule: string }> {
  const stored = await Promise.all(sensors.map((detector) => run.tags({ detector, signal })));
  const usable = measured.filter((tag) => stored.every((tags) => tags.has(tag)));
  const labels = new ShotLabels(usable, (tag) => (all.on.has(tag) ? "on" : "off"), all.basis).paired(pair);
  const reasons = reasonsByTag(labels.dropped);
  const chosen = measured.select((tag) => reasons.get(tag) ?? null, labels.basis.laser);
  return { tags: continued(measured, chosen), rule: labels.rule };
}

/** @throws NO_SHOTS */
function requireBoth(run: Run, tags: RunTags, on: ReadonlySet<number>, ledger: Ledger | undefined): void {
  const pumped = tags.filter((tag) => on.has(tag)).length;
  const unpumped = tags.length - pumped;
  if (pumped > 0 && unpumped > 0) return;
  throw new SaclaError(
    "NO_SHOTS",
    `Pumped less unpumped needs shots of both: ${pumped} pumped and ${unpumped} unpumped ones of run ${run.number} ` +
      `can be used${droppedBecause(ledger?.dropped ?? [])}.`,
    { details: { pumped, unpumped, ledger: ledger ?? null } },
  );
}

/** image / error, NaN where there is no error. */
function inErrors(image: Image, error: Image): Image {
  const [height = 0, width = 0] = image.shape;
  const out = new Float32Array(image.data.length);
  for (let i = 0; i < out.length; i++) {
    const sigma = error.data[i] ?? NaN;
    out[i] = sigma > 0 ? (image.data[i] ?? NaN) / sigma : NaN;
  }
  return asImage(out, height, width);
}

type ClassOf = Omit<ClassMean, "monitor"> & { readonly monitor?: number };

/**
 * on − off of one sensor, with its error: of the dark only what the classes have of it in unlike parts. Written over
 * what the pumped shots gave.
 */
function subtracted(
  [on, off]: readonly ClassMean[],
  dark: Dark | null,
  id: string,
  reference: number | null,
): { readonly correctedMean: PreciseImage; readonly standardError: PreciseImage } {
  if (on === undefined || off === undefined) throw new TypeError("two classes");
  const noise = dark?.noise[id]?.data;
  const freedom = (dark?.ledger.used ?? 0) - 1;
  const part = (monitor: number | null): number => (reference === null || monitor === null ? 1 : reference / monitor);
  const unlike = noise === undefined ? 0 : (part(on.monitor) - part(off.monitor)) ** 2 / Math.max(1, freedom);
  const [means, errors] = [on.mean.data, on.standardError.data];
  for (let i = 0; i < means.length; i++) {
    means[i] = (means[i] ?? NaN) - (off.mean.data[i] ?? NaN);
    const square = (errors[i] ?? NaN) ** 2 + (off.standardError.data[i] ?? NaN) ** 2 + unlike * (noise?.[i] ?? 0) ** 2;
    errors[i] = square > 0 && square < Infinity ? Math.sqrt(square) : NaN;
  }
  return { correctedMean: on.mean, standardError: on.standardError };
}
