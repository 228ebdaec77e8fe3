import type { DetectorInfo } from "../core/detector.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { asInteger } from "../core/guards.ts";
import { droppedBecause, type Ledger, mergeLedgers, onlyDropped } from "../core/ledger.ts";
import type { PreciseImage } from "../core/ndarray.ts";
import { any, defined, resolveOptions } from "../core/options.ts";
import type { ShotStream } from "../core/shots.ts";
import type { ClassificationBasis, Run, RunTags } from "../db/index.ts";
import type { Correction } from "./corrections/correction.ts";
import { type Dark, darkAverage } from "./dark-average.ts";
import { type Reduced, reduce } from "./reduce.ts";
import type { Reducer } from "./reducer.ts";
import { type Histogram, type HistogramOptions, histogram } from "./reducers/histogram.ts";
import { mean } from "./reducers/pixel-statistics.ts";

/** Where dark shots come from: the head of the run itself, another run, or nowhere. */
export type DarkSource = "head" | "none" | Run;

/** What {@link averageSelected} is told. */
interface PassOptions {
  /** Where dark shots come from. @default "head" */
  readonly dark?: DarkSource | undefined;
  /**
   * Done to every exposed image after the dark, in this order; see {@link correct}. Dark shots are averaged as they
   * are. The images are then what the chain makes of them: with `correct.photons` photons, not ADU. @default nothing
   */
  readonly corrections?: readonly Correction[] | undefined;
  /** At most this many exposed shots, and as many dark ones, from the first on. @default all */
  readonly limit?: number | undefined;
  readonly onProgress?: ((step: "dark" | "exposed", done: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface QuickLookOptions extends PassOptions {
  /** Which shots. @default those with X-rays */
  readonly tags?: RunTags | undefined;
  /** Bins of the histograms, in the unit of the corrected images. @default 1 ADU wide, from −100 to 500 */
  readonly histogram?: HistogramOptions | undefined;
}

/**
 * Means and histogram of one sensor. Images have shape [ysize, xsize] and are in ADU, unless corrections say otherwise.
 */
export interface SensorSummary {
  readonly id: string;
  readonly info: DetectorInfo;
  /** Mean of the dark shots; null when none were asked for. */
  readonly darkMean: PreciseImage | null;
  /** Mean of the exposed shots, less the dark, corrected. */
  readonly correctedMean: PreciseImage;
  /** Of all pixels of all exposed shots, less the dark, corrected. */
  readonly histogram: Histogram;
}

/** Where {@link quickLook} reads images: `facility.st`. */
export interface ShotReader {
  shots(options: {
    readonly run: Run;
    readonly tags: RunTags;
    readonly detectors: readonly string[];
    readonly signals?: readonly string[] | undefined;
    readonly signal?: AbortSignal | undefined;
  }): ShotStream;
}

/** The first look at a run. */
export interface QuickLook {
  readonly run: Run;
  readonly detector: DetectorGroup;
  /** Tags that went into the dark and into the average; in the order of the run. */
  readonly tags: { readonly dark: RunTags; readonly exposed: RunTags };
  /** How dark and exposed shots were classified. */
  readonly basis: ClassificationBasis | undefined;
  readonly sensors: readonly SensorSummary[];
  /**
   * Every shot of the run that was asked for: used for the dark or the average, or dropped with the reason; and what
   * the corrections noted.
   */
  readonly ledger: Ledger;
}

/**
 * From a run to corrected averages and histograms of a detector's sensors, in two passes: the dark shots, then the
 * exposed ones. A shot for which one of the sensors has no image is left out for all.
 *
 * @throws NO_DARK when there are no dark shots to subtract
 * @throws NO_SHOTS when no exposed shot was left
 * @example
 * const look = await quickLook(facility.st, run, detector);
 * look.sensors[0].correctedMean.get(512, 256);
 *
 * const infos = await Promise.all(detector.sensors.map((id) => run.detectorInfo(id)));
 * const configuredEv = await run.photonEnergyEv();
 * const inPhotons = await quickLook(facility.st, run, detector, {
 *   corrections: [correct.commonMode(), correct.gain(relative), correct.photons({ detectors: infos, configuredEv })],
 *   histogram: { from: -1, to: 5, binWidth: 0.02 },
 * });
 */
export async function quickLook(
  st: ShotReader,
  run: Run,
  detector: DetectorGroup,
  options: QuickLookOptions = {},
): Promise<QuickLook> {
  resolveOptions("quickLook", options, {
    dark: any,
    corrections: any,
    histogram: any,
    tags: any,
    limit: any,
    onProgress: any,
    signal: any,
  });
  const { signal, histogram: bins, tags: chosen, ...pass } = options;
  const selected = chosen ?? (await run.exposedTags(undefined, { signal }));
  const reducers = { average: mean(), spectrum: histogram(bins) };
  const { results, dark, tags, ledger } = await averageSelected(st, run, detector, selected, reducers, {
    signal,
    ...pass,
  });
  const sensors: SensorSummary[] = [];
  for (const id of detector.sensors) {
    const [correctedMean, counts] = [results.average[id], results.spectrum[id]];
    if (correctedMean === undefined || counts === undefined) continue;
    const info = await run.detectorInfo(id, { signal });
    sensors.push({ id, info, darkMean: dark?.mean[id] ?? null, correctedMean, histogram: counts });
  }
  return { run, detector, tags, basis: selected.basis, sensors, ledger };
}

/** What {@link averageSelected} gives. */
interface Averaged<R extends Record<string, Reducer<unknown>>> {
  readonly results: Reduced<R>;
  readonly dark: Dark | null;
  /** How the dark shots were selected. */
  readonly darkBasis: ClassificationBasis | undefined;
  /** Tags that were used. */
  readonly tags: { readonly dark: RunTags; readonly exposed: RunTags };
  /** Of the selected shots, the dark shots of the same run, and the shots that were neither. */
  readonly ledger: Ledger;
}

/**
 * @internal Two passes over a run: the dark shots, then the selected ones with the dark subtracted.
 * @throws NO_DARK when there are no dark shots to subtract
 * @throws NO_SHOTS when no selected shot was left
 */
export async function averageSelected<R extends Record<string, Reducer<unknown>>>(
  st: ShotReader,
  run: Run,
  detector: DetectorGroup,
  selected: RunTags,
  reducers: R,
  options: PassOptions,
): Promise<Averaged<R>> {
  const { dark: darkFrom = "head", corrections = [], limit, signal, onProgress } = options;
  if (limit !== undefined) asInteger("limit", limit, 1);
  const common = { detectors: detector.sensors, signal };
  const darkRun = darkFrom === "head" ? run : darkFrom;
  let [dark, darkBasis, darkTags]: [Dark | null, ClassificationBasis | undefined, RunTags] = [
    null,
    undefined,
    selected.slice(0, 0),
  ];
  if (darkRun !== "none") {
    const all = await darkRun.darkTags(undefined, { signal });
    if (all.length === 0) throw noDarkAt(all);
    [darkBasis, darkTags] = [all.basis, all.slice(0, limit)];
    dark = await darkAverage(st.shots({ run: darkRun, tags: darkTags, ...common }), {
      onProgress: (done, total) => onProgress?.("dark", done, total),
    });
  }
  const asked = selected.slice(0, limit);
  const signals = [...new Set([...corrections, ...Object.values(reducers)].flatMap(({ signals = [] }) => signals))];
  const shots = st.shots({ run, tags: asked, ...common, signals });
  const results = await reduce(shots, reducers, {
    dark: dark ?? undefined,
    corrections,
    onProgress: (done, total) => onProgress?.("exposed", done, total),
  });
  const { ledger } = results;
  if (ledger.used === 0) {
    throw new SaclaError(
      "NO_SHOTS",
      `None of the ${ledger.asked} shots selected of run ${run.number} of beamline ${run.bl} could be used` +
        `${droppedBecause(ledger.dropped)}.`,
      { details: { ledger, selection: selected.ledger } },
    );
  }
  const ownDark = darkRun === run && dark !== null ? dark.ledger : undefined;
  return {
    results,
    dark,
    darkBasis,
    tags: { dark: without(darkTags, dark?.ledger), exposed: without(asked, ledger) },
    ledger: account(ledger, ownDark, selected.ledger),
  };
}

/** For a choice of dark shots that is empty; its ledger says why. */
function noDarkAt({ run, basis, ledger }: RunTags): SaclaError {
  const rule = basis === undefined ? "" : ` (rule: ${basis.rule}; signals: ${basis.signals.join(", ")})`;
  return new SaclaError(
    "NO_DARK",
    `Run ${run.number} of beamline ${run.bl} has no dark shots at its head${rule}. ` +
      "Name a dark run, or subtract no dark.",
    { details: { bl: run.bl, run: run.number, ...defined({ ledger }) } },
  );
}

function without(tags: RunTags, ledger: Ledger | undefined): RunTags {
  const dropped = new Set(ledger?.dropped.flatMap((d) => d.tags));
  return tags.filter((tag) => !dropped.has(tag));
}

/** One account of the selected shots, the dark shots of the same run, and the shots that were neither. */
function account(exposed: Ledger, dark: Ledger | undefined, selection: Ledger | undefined): Ledger {
  const used = dark === undefined ? exposed : mergeLedgers(exposed, dark);
  // Dark shots that went into the dark are in its ledger; with a dark from elsewhere they were not used.
  const rest = (selection?.dropped ?? []).filter(({ reason }) => reason !== "dark" || dark === undefined);
  const whole = mergeLedgers(used, onlyDropped({ asked: 0, used: 0, dropped: rest }));
  const dropped = whole.dropped.map(({ reason, tags }) => ({ reason, tags: [...tags].sort((a, b) => a - b) }));
  return { ...whole, dropped };
}
