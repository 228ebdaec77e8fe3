import type { CallOptions } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { asInteger } from "../core/guards.ts";
import type { Dropped, Ledger } from "../core/ledger.ts";
import type { PreciseImage } from "../core/ndarray.ts";
import { any, resolveOptions } from "../core/options.ts";
import type { ShotStream } from "../core/shots.ts";
import type { ClassificationBasis, Run, RunTags } from "../db/index.ts";
import type { Correction } from "./corrections/correction.ts";
import { type Dark, darkAverage } from "./dark-average.ts";
import { reduce } from "./reduce.ts";
import { type Histogram, type HistogramOptions, histogram } from "./reducers/histogram.ts";
import { mean } from "./reducers/pixel-statistics.ts";

export interface QuickLookOptions {
  /** Where dark shots come from: the head of the run itself, another run, or none. @default "head" */
  readonly dark?: "head" | "none" | Run | undefined;
  /**
   * Done to every exposed image after the dark, in this order; see {@link correct}. Dark shots are averaged as they
   * are. The images are then what the chain makes of them: with `correct.photons` photons, not ADU. @default nothing
   */
  readonly corrections?: readonly Correction[] | undefined;
  /** Bins of the histograms, in the unit of the corrected images. @default 1 ADU wide, from −100 to 500 */
  readonly histogram?: HistogramOptions | undefined;
  /** At most this many exposed shots, and as many dark ones, from the first on. @default all */
  readonly limit?: number | undefined;
  readonly onProgress?: (step: "dark" | "exposed", done: number, total: number | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What was found for one sensor. Images have shape [ysize, xsize] and are in ADU, unless corrections say otherwise. */
export interface SensorLook {
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
    readonly signals?: readonly string[];
    readonly signal?: AbortSignal;
  }): ShotStream;
  detectorInfo(bl: number, run: number, detId: string, options?: CallOptions): Promise<DetectorInfo>;
}

/** The first look at a run. */
export interface QuickLook {
  readonly run: Run;
  readonly detector: DetectorGroup;
  /** Tags that went into the dark and into the average; in the order of the run. */
  readonly tags: { readonly dark: RunTags; readonly exposed: RunTags };
  /** How dark and exposed shots were told apart. */
  readonly basis: ClassificationBasis | undefined;
  readonly sensors: readonly SensorLook[];
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
 * const inPhotons = await quickLook(facility.st, run, detector, {
 *   corrections: [correct.commonMode(), correct.gain(relative), correct.photons({ detectors: infos, configuredEv: await
 * run.photonEnergyEv() })],
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
    limit: any,
    onProgress: any,
    signal: any,
  });
  const { dark: darkFrom = "head", corrections = [], limit, signal } = options;
  if (limit !== undefined) asInteger("limit", limit, 1);
  const common = { detectors: detector.sensors, ...(signal === undefined ? {} : { signal }) };

  const exposedTags = await run.exposedTags(undefined, { signal });
  const darkRun = darkFrom === "head" ? run : darkFrom;
  const allDark = darkRun === "none" ? null : await darkRun.darkTags(undefined, { signal });
  if (allDark?.length === 0) throw noDarkAt(allDark);
  const darkTags = allDark?.slice(0, limit) ?? null;
  const dark =
    darkTags === null || darkRun === "none" ? null : await averageDark(st, darkRun, darkTags, common, options);

  const asked = exposedTags.slice(0, limit);
  const signals = [...new Set(corrections.flatMap((correction) => correction.signals ?? []))];
  const shots = st.shots({ run, tags: asked, ...common, ...(signals.length === 0 ? {} : { signals }) });
  const { average, spectrum, ledger } = await reduce(
    shots,
    { average: mean(), spectrum: histogram(options.histogram) },
    {
      ...(dark === null ? {} : { dark }),
      corrections,
      onProgress: (done, total) => options.onProgress?.("exposed", done, total),
    },
  );
  if (ledger.used === 0) {
    throw new SaclaError(
      "NO_SHOTS",
      `Run ${run.number} of beamline ${run.bl} has no exposed shot that could be used, of ${ledger.asked} asked for.`,
      {
        details: { ledger, selection: exposedTags.ledger },
      },
    );
  }
  const sensors: SensorLook[] = [];
  for (const id of detector.sensors) {
    const [correctedMean, counts] = [average[id], spectrum[id]];
    if (correctedMean === undefined || counts === undefined) continue;
    const info = await run.detectorInfo(id, { signal });
    sensors.push({ id, info, darkMean: dark?.mean[id] ?? null, correctedMean, histogram: counts });
  }
  const ownDark = darkRun === run && dark !== null ? dark.ledger : undefined;
  return {
    run,
    detector,
    tags: { dark: without(darkTags ?? exposedTags.slice(0, 0), dark?.ledger), exposed: without(asked, ledger) },
    basis: exposedTags.basis,
    sensors,
    ledger: account(ledger, ownDark, exposedTags.ledger),
  };
}

async function averageDark(
  st: ShotReader,
  run: Run,
  tags: RunTags,
  common: { detectors: readonly string[]; signal?: AbortSignal },
  options: QuickLookOptions,
): Promise<Dark> {
  const shots = st.shots({ run, tags, ...common });
  return await darkAverage(shots, { onProgress: (done, total) => options.onProgress?.("dark", done, total) });
}

/** For a choice of dark shots that is empty; its ledger says why. */
function noDarkAt({ run, basis, ledger }: RunTags): SaclaError {
  const rule = basis === undefined ? "" : ` (rule: ${basis.rule}; signals: ${basis.signals.join(", ")})`;
  return new SaclaError(
    "NO_DARK",
    `Run ${run.number} of beamline ${run.bl} has no dark shots at its head${rule}. Name a dark run, or go without a dark.`,
    {
      details: { bl: run.bl, run: run.number, ...(ledger === undefined ? {} : { ledger }) },
    },
  );
}

function without(tags: RunTags, ledger: Ledger | undefined): RunTags {
  const dropped = new Set(ledger?.dropped.flatMap((d) => d.tags));
  return tags.filter((tag) => !dropped.has(tag));
}

/** One account of the exposed shots, the dark shots of the same run, and the shots that were neither. */
function account(exposed: Ledger, dark: Ledger | undefined, selection: Ledger | undefined): Ledger {
  const dropped = new Map<string, number[]>();
  const add = ({ reason, tags }: Dropped): void => {
    dropped.set(
      reason,
      [...(dropped.get(reason) ?? []), ...tags].sort((a, b) => a - b),
    );
  };
  for (const entry of [...exposed.dropped, ...(dark?.dropped ?? [])]) add(entry);
  // Dark shots that went into the dark have their place there; with a dark from elsewhere they were not used.
  for (const entry of selection?.dropped ?? []) if (entry.reason !== "dark" || dark === undefined) add(entry);
  const used = exposed.used + (dark?.used ?? 0);
  const entries = [...dropped].map(([reason, tags]) => ({ reason, tags }));
  const asked = used + entries.reduce((n, d) => n + d.tags.length, 0);
  return { asked, used, dropped: entries, ...(exposed.notes === undefined ? {} : { notes: exposed.notes }) };
}
