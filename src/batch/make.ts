import type { DetectorInfo } from "../core/detector.ts";
import type { Run, ShotLabels, TimingEdges } from "../db/index.ts";
import { timingEdges } from "../db/index.ts";
import { readTextFile } from "../files/index.ts";
import { fromBeamCentre } from "../ip/index.ts";
import {
  byClass,
  type Correction,
  type CubeOptions,
  correct,
  correctedDelay,
  covariance,
  type Dark,
  darkMaps,
  droplets,
  histogram,
  hits,
  mean,
  minMax,
  normalised,
  photonCounts,
  pixelHistogram,
  projections,
  type Reducer,
  radialProfile,
  roiSeries,
  roiSum,
  type ShotValue,
  speckleContrast,
  speckleDelays,
  variance,
} from "../reduce/index.ts";
import type { AxisValueRequest, CheckedRequest, CorrectionRequest, CubeRequest, ReducerRequest } from "./request.ts";
import { type MapsRequest, pathOf, type RequestFiles, readMaps, readPoni } from "./request-files.ts";

/** What a request becomes for one run: ready to take in shots. */
export interface Made {
  readonly reducers: Record<string, Reducer<unknown>>;
  readonly corrections: readonly Correction[];
  readonly cubes: Readonly<Record<string, CubeOptions>>;
  /** For the cubes that keep pumped and unpumped shots apart. */
  readonly labels: ShotLabels | undefined;
  /** 0-D signals that the shots must carry. */
  readonly signals: readonly string[];
}

/** What of a run the parts of a request need; read once. */
interface Known {
  readonly run: Run;
  readonly sensors: readonly DetectorInfo[];
  readonly dark: Dark | undefined;
  readonly labels: ShotLabels | undefined;
  readonly runEdges: TimingEdges | undefined;
  readonly configuredEv: number;
  readonly files: RequestFiles;
}

/**
 * Reducers, corrections and cubes of a request.
 * @param files - those that it names, see {@link requestFiles}
 * @throws BAD_ARGUMENT when one of them refuses its options @throws FILE_NOT_FOUND for a file that it names
 */
export async function makeAccumulators(
  request: CheckedRequest,
  run: Run,
  sensorIds: readonly string[],
  dark: Dark | undefined,
  files: RequestFiles,
): Promise<Made> {
  const asked = [...Object.values(request.reducers), ...Object.values(request.cubes).flatMap(reducersOf)];
  const axes = Object.values(request.cubes).flatMap(({ axes }) => axes.map(({ of }) => of));
  const needsLabels =
    asked.some(({ by }) => by !== undefined) || Object.values(request.cubes).some(({ labels }) => labels);
  const known: Known = {
    run,
    sensors: await Promise.all(sensorIds.map(async (id) => await run.detectorInfo(id))),
    dark,
    labels: needsLabels ? await run.labels() : undefined,
    runEdges: axes.some(asksTheRun) ? await run.timingEdges() : undefined,
    configuredEv: request.corrections.some(({ kind }) => kind === "photons") ? await run.photonEnergyEv() : NaN,
    files,
  };
  const reducers = Object.fromEntries(
    Object.entries(request.reducers).map(([name, reducer]) => [name, makeReducer(reducer, known)]),
  );
  const corrections = await Promise.all(request.corrections.map((correction) => makeCorrection(correction, known)));
  const chain = [...(dark === undefined ? [] : [correct.dark(dark)]), ...corrections];
  const cubes = Object.fromEntries(
    Object.entries(request.cubes).map(([name, cube]) => [name, makeCube(cube, known, chain)]),
  );
  return { reducers, corrections, cubes, labels: known.labels, signals: signalsOf(reducers, corrections, cubes) };
}

function reducersOf({ images = {} }: CubeRequest): ReducerRequest[] {
  return Object.values(images);
}

function asksTheRun(of: AxisValueRequest): boolean {
  return typeof of !== "string" && of.delay.jitter?.edges === "run";
}

function signalsOf(
  reducers: Made["reducers"],
  corrections: readonly Correction[],
  cubes: Made["cubes"],
): readonly string[] {
  const ofAxes = Object.values(cubes).flatMap(({ axes }) =>
    axes.flatMap(({ of }) => (typeof of === "string" ? [of] : of.signals)),
  );
  const ofValues = Object.values(cubes).flatMap(({ values }) => [
    ...(values?.signals ?? []),
    ...(values?.normaliseBy === undefined ? [] : [values.normaliseBy]),
    ...Object.values(values?.images ?? {}).flatMap(({ signals = [] }) => signals),
  ]);
  const others = [...Object.values(reducers), ...corrections].flatMap(({ signals = [] }) => signals);
  return [...new Set([...others, ...ofAxes, ...ofValues])];
}

/** Options without those that are absent, which a JSON file cannot tell from undefined ones. */
type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;

function optionsOf<T extends { readonly kind: string }>(asked: T): Without<T, "kind" | "by"> {
  return Object.fromEntries(
    Object.entries(asked).filter(([key, value]) => key !== "kind" && key !== "by" && value !== undefined),
  ) as Without<T, "kind" | "by">;
}

function makeReducer(asked: ReducerRequest, known: Known): Reducer<unknown> {
  const reducer = plainReducer(asked, known);
  const { labels } = known;
  if (asked.by === undefined || labels === undefined) return reducer;
  return byClass(reducer, ["on", "off"], classOf(labels));
}

const classesOf = new WeakMap<ShotLabels, (tag: number) => string | null>();

/** One function for one set of labels, so that the kernel counts for all reducers together. */
function classOf(labels: ShotLabels): (tag: number) => string | null {
  const known = classesOf.get(labels);
  if (known !== undefined) return known;
  const made = (tag: number): string | null => (labels.on.has(tag) ? "on" : labels.off.has(tag) ? "off" : null);
  classesOf.set(labels, made);
  return made;
}

function plainReducer(asked: ReducerRequest, known: Known): Reducer<unknown> {
  switch (asked.kind) {
    case "mean":
      return mean();
    case "variance":
      return variance(optionsOf(asked));
    case "minMax":
      return minMax();
    case "histogram":
      return histogram(optionsOf(asked));
    case "pixelHistogram":
      return pixelHistogram(optionsOf(asked));
    case "roiSum":
      return roiSum(asked.roi, asked.between === undefined ? {} : { between: asked.between });
    case "roiSeries":
      return roiSeries(asked.rois, asked.between === undefined ? {} : { between: asked.between });
    case "projections":
      return projections();
    case "radialProfile": {
      const { geometry, ...options } = optionsOf(asked);
      if (geometry === undefined) return radialProfile({ sensors: known.sensors, ...options });
      const bent =
        "poni" in geometry ? readPoni(known.files, geometry, known.sensors) : { geometry: fromBeamCentre(geometry) };
      return radialProfile({ sensors: known.sensors, ...bent, ...options });
    }
    case "covariance":
      return covariance(optionsOf(asked));
    case "normalised":
      return normalised(optionsOf(asked));
    case "photonCounts":
      return photonCounts(optionsOf(asked));
    case "droplets": {
      const { noiseAdu, ...options } = optionsOf(asked);
      return droplets({ ...options, ...(noiseAdu === undefined ? {} : { noiseAdu: noise(noiseAdu, known) }) });
    }
    case "speckleContrast":
      return speckleContrast({ ...optionsOf(asked), noiseAdu: noise(asked.noiseAdu, known) });
    case "speckleDelays":
      return speckleDelays({ ...optionsOf(asked), noiseAdu: noise(asked.noiseAdu, known) });
    case "hits":
      return hits(optionsOf(asked));
    case "darkMaps":
      return darkMaps(optionsOf(asked));
  }
}

function noise(
  asked: "dark" | number | Record<string, number>,
  { dark }: Known,
): number | Record<string, number> | Dark {
  return asked === "dark" && dark !== undefined ? dark : asked === "dark" ? NaN : asked;
}

async function makeCorrection(asked: CorrectionRequest, known: Known): Promise<Correction> {
  const { run, sensors, configuredEv, files } = known;
  switch (asked.kind) {
    case "mask": {
      if (asked.pixels !== "known") return correct.mask(await readMaps(files, asked.pixels, "mask", sensors));
      const bad = await run.badPixels(sensors);
      return correct.mask(Object.fromEntries(sensors.flatMap(({ id }, i) => (bad[i] ? [[id, bad[i]]] : []))));
    }
    case "commonMode":
      return correct.commonMode(optionsOf(asked));
    case "gain":
      return correct.gain(
        isMaps(asked.relative) ? await readMaps(files, asked.relative, "gain", sensors) : asked.relative,
      );
    case "photons":
      return correct.photons({ detectors: sensors, configuredEv, ...optionsOf(asked) });
    case "normalise":
      return correct.normalise(optionsOf(asked));
    case "between":
      return correct.between(asked.low ?? -Infinity, asked.high ?? Infinity, asked.otherwise);
    case "scale":
      return correct.scale(asked.factor);
  }
}

function isMaps(asked: MapsRequest | Record<string, number>): asked is MapsRequest {
  return typeof asked["file"] === "string";
}

function makeCube(asked: CubeRequest, known: Known, corrections: readonly Correction[]): CubeOptions {
  const { axes, images = {}, sums = {}, signals = [], normaliseBy } = asked;
  return {
    axes: axes.map((axis) => ({ ...axis, of: axisValue(axis.of, known) })),
    values: {
      images: Object.fromEntries(Object.entries(images).map(([name, each]) => [name, makeReducer(each, known)])),
      sums: Object.fromEntries(
        Object.entries(sums).map(([name, { detector, roi }]) => [
          name,
          { detector, ...(roi === undefined ? {} : { roi }) },
        ]),
      ),
      signals,
      normaliseBy,
    },
    corrections,
  };
}

function axisValue(of: AxisValueRequest, { runEdges, files }: Known): string | ShotValue {
  if (typeof of === "string") return of;
  const { stage, sign, jitter } = of.delay;
  if (jitter === undefined) return correctedDelay({ stage, sign });
  const edges =
    jitter.edges === "run" ? runEdges : timingEdges(readTextFile("The timing edges", pathOf(files, jitter.edges)));
  if (edges === undefined) return correctedDelay({ stage, sign });
  return correctedDelay({ stage, sign, jitter: { ...jitter, edges } });
}
