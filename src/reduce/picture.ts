import ndarray from "ndarray";
import type { DetectorInfo } from "../core/detector.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import type { Ledger } from "../core/ledger.ts";
import { asImage, type Image, type NdArray, type PreciseImage } from "../core/ndarray.ts";
import { any, flag, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import type { ClassificationBasis, Run, RunTags } from "../db/index.ts";
import { placedSensors } from "../db/run-assembler.ts";
import {
  Assembler,
  type AssemblyMethod,
  type BrightSpot,
  brightestSpots,
  spotCentre,
  usable,
  type View,
} from "../ip/index.ts";
import { correct } from "./corrections/index.ts";
import type { Dark } from "./dark-average.ts";
import { averageSelected, type DarkSource, type SensorSummary, type ShotReader } from "./quick-look.ts";
import { variance } from "./reducers/pixel-statistics.ts";

/** Which shots: all with X-rays, or only those with (`on`) or without (`off`) the pump laser. */
export type PictureClass = "exposed" | "on" | "off";

export interface PictureOptions {
  readonly run: Run;
  /** Id of a detector or of one sensor. @default the detector with the most sensors */
  readonly detector?: string | DetectorGroup | undefined;
  /** Where dark shots come from: the head of the run itself, another run, or none. @default "head" */
  readonly dark?: DarkSource | undefined;
  /** @default "source" */
  readonly view?: View | undefined;
  /** @default "exposed" */
  readonly class?: PictureClass | undefined;
  /** These shots of the run instead of a class. @default those of the class */
  readonly tags?: RunTags | undefined;
  /**
   * `"nearest"`: the sensor pixel under the centre of each pixel, so it samples: counts change by up to 0.3 %, and by
   * the ratio of areas where pixels are not as large as the sensor's. `"area"`: shared by overlap, counts stay.
   * @default "nearest"
   */
  readonly method?: AssemblyMethod | undefined;
  /** Subtract the common mode of each readout port, image by image (`correct.commonMode`). @default false */
  readonly commonMode?: boolean | undefined;
  /** At most this many shots of the class, and as many dark ones, from the first on. @default all */
  readonly limit?: number | undefined;
  readonly onProgress?: ((step: "dark" | "exposed", done: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One sensor of a {@link Picture}. Images have shape [ysize, xsize] and are in ADU. */
export interface SensorMean {
  readonly id: string;
  readonly info: DetectorInfo;
  /** Mean of the dark shots; null for a raw picture. */
  readonly darkMean: PreciseImage | null;
  /** Mean of the shots, corrected. */
  readonly correctedMean: PreciseImage;
  /** Standard error of {@link correctedMean}, that of the dark included. */
  readonly standardError: PreciseImage;
}

/** What was done to get a {@link Picture}: plain values, for a log or a title. */
export interface PictureSteps {
  /** Null: shots that were named one by one. */
  readonly class: PictureClass | null;
  /** How the shots of the class were selected. */
  readonly basis: ClassificationBasis | undefined;
  /** Shots averaged. */
  readonly shots: number;
  /** What was subtracted; null: nothing, the picture is raw. `rule` is how dark shots were selected. */
  readonly dark: { readonly run: number; readonly shots: number; readonly rule: string } | null;
  readonly commonMode: boolean;
  /** Null for a camera without geometry, which is not assembled. */
  readonly view: View | null;
  readonly method: AssemblyMethod | null;
}

/** The mean of a run's shots as one image. All pixels are in ADU; gaps and bad pixels are NaN. */
export interface Picture {
  readonly run: Run;
  readonly detector: DetectorGroup;
  /** Shape [height, width]. */
  readonly image: Image;
  /** Standard error of the mean of each pixel of {@link image}, same shape; NaN where it is not determined. */
  readonly error: Image;
  /**
   * Centres of columns and rows in µm from the beam: X to the right looking from the source, Y up. Null for a camera
   * without geometry.
   */
  readonly axes: { readonly xUm: Float64Array; readonly yUm: Float64Array } | null;
  /** Maps places of the picture to sensor pixels and back; null for a camera without geometry. */
  readonly assembler: Assembler | null;
  readonly done: PictureSteps;
  /** Tags that went into the dark and into the mean. */
  readonly tags: { readonly dark: RunTags; readonly shots: RunTags };
  readonly sensors: readonly SensorMean[];
  /** Every shot of the run: used for the mean or the dark, or dropped with the reason. */
  readonly ledger: Ledger;
}

/**
 * The mean of a run's shots, less its dark, assembled to one image with an error map. `facility.picture` is the short
 * form.
 *
 * The error is the standard error of the mean, from the scatter of the shots, with that of the dark added in squares;
 * see {@link Assembler.assembleErrors} for how it is carried through assembling. It is NaN where the scatter does not
 * tell it: fewer than two shots or dark shots, or a pixel that had the same value every time.
 *
 * @throws NO_DARK when there are no dark shots to subtract
 * @throws NO_SHOTS when the run has no shot of the class that could be used
 * @throws UNKNOWN_DETECTOR when the run has no such detector
 * @throws UNKNOWN_SIGNAL when the flags that the class needs are not recorded
 * @throws BAD_GEOMETRY when the halves of the detector are open
 * @example
 * const { image, error, done, ledger } = await facility.picture({ run, detector: "MPCCD-8N0-3-002" });
 */
export async function picture(st: ShotReader, options: PictureOptions): Promise<Picture> {
  const resolved = resolveOptions("picture", options, {
    run: any,
    detector: any,
    dark: any,
    view: optional(oneOf("source", "detector"), "source"),
    class: optional(oneOf("exposed", "on", "off"), "exposed"),
    tags: any,
    method: optional(oneOf("nearest", "area"), "nearest"),
    commonMode: optional(flag, false),
    limit: optional(integer(1)),
    onProgress: any,
    signal: any,
  });
  const { view, method, class: shotClass, commonMode, limit } = resolved;
  const { run, dark: darkFrom = "head", onProgress, signal } = options;
  const { detector, infos } = await detectorOf(run, options.detector, signal);
  const assembler = await assemblerFor(run, infos, view, method, signal);
  const selected =
    options.tags ??
    (shotClass === "exposed"
      ? await run.exposedTags(undefined, { signal })
      : await (shotClass === "on" ? run.on({ signal }) : run.off({ signal })));
  const averaged = await averageSelected(
    st,
    run,
    detector,
    selected,
    { statistics: variance({ ddof: 1 }) },
    { dark: darkFrom, corrections: commonMode ? [correct.commonMode()] : [], limit, onProgress, signal },
  );
  const { results, dark, tags, ledger } = averaged;
  const sensors = infos.flatMap((info): SensorMean[] => {
    const statistics = results.statistics[info.id];
    if (statistics === undefined) return [];
    // Made when asked for: most who look at a picture do not.
    const standardError = once(() => errorOf(statistics.standardError, dark, info.id));
    return [
      {
        id: info.id,
        info,
        darkMean: dark?.mean[info.id] ?? null,
        correctedMean: statistics.mean,
        get standardError() {
          return standardError();
        },
      },
    ];
  });
  const image = assembledMeans(assembler, sensors);
  const error = once(() => assembledErrors(assembler, sensors));
  const darkRun = darkFrom === "head" ? run : darkFrom;
  return {
    run,
    detector,
    image,
    get error() {
      return error();
    },
    axes: assembler === null ? null : axesOf(assembler),
    assembler,
    done: {
      class: options.tags === undefined ? shotClass : null,
      basis: selected.basis,
      shots: tags.exposed.length,
      dark:
        darkRun === "none"
          ? null
          : { run: darkRun.number, shots: tags.dark.length, rule: averaged.darkBasis?.rule ?? "" },
      commonMode,
      view: assembler?.view ?? null,
      method: assembler?.method ?? null,
    },
    tags: { dark: tags.dark, shots: tags.exposed },
    sensors,
    ledger,
  };
}

/**
 * A detector of a run and the information of its sensors.
 * @throws UNKNOWN_DETECTOR
 */
export async function detectorOf(
  run: Run,
  wanted: PictureOptions["detector"],
  signal: AbortSignal | undefined,
): Promise<{ readonly detector: DetectorGroup; readonly infos: readonly DetectorInfo[] }> {
  if (typeof run?.exposedTags !== "function") throw badArgument("run", run, "a Run, as facility.run gives it");
  const detector = typeof wanted === "object" ? wanted : await run.findDetector(wanted, { signal });
  const infos: DetectorInfo[] = [];
  for (const id of detector.sensors) infos.push(await run.detectorInfo(id, { signal }));
  return { detector, infos };
}

/** Standard error of the mean less the dark. Where nothing scattered the scatter says nothing, so the error is NaN. */
function errorOf({ data, shape }: PreciseImage, dark: Dark | null, id: string): PreciseImage {
  const noise = dark?.noise[id]?.data;
  // The noise is that of the population: noise² / (n − 1) is the squared standard error of the mean of n dark shots.
  const freedom = (dark?.ledger.used ?? 0) - 1;
  const errors = new Float64Array(data.length);
  for (let i = 0; i < errors.length; i++) {
    const own = data[i] ?? NaN;
    const square = own * own + (noise === undefined ? 0 : (noise[i] ?? NaN) ** 2 / freedom);
    errors[i] = square > 0 && square < Infinity ? Math.sqrt(square) : NaN;
  }
  return ndarray(errors, shape);
}

/** What `make` gives, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The image of all sensors; of the only one where there is no geometry. */
export function assembledMeans(
  assembler: Assembler | null,
  sensors: readonly Pick<SensorMean, "id" | "correctedMean">[],
): Image {
  return assembler === null ? single(sensors[0]?.correctedMean) : assembler.assemble(correctedMeans(sensors));
}

/** The same of their errors. */
export function assembledErrors(
  assembler: Assembler | null,
  sensors: readonly Pick<SensorMean, "id" | "standardError">[],
): Image {
  return assembler === null
    ? single(sensors[0]?.standardError)
    : assembler.assembleErrors(Object.fromEntries(sensors.map(({ id, standardError }) => [id, standardError])));
}

function single(image: PreciseImage | undefined): Image {
  if (image === undefined) throw new SaclaError("NO_SHOTS", "The detector has no sensor with an image.");
  const [rows = 0, columns = 0] = image.shape;
  return asImage(Float32Array.from(image.data), rows, columns);
}

export function axesOf(assembler: Assembler): { xUm: Float64Array; yUm: Float64Array } {
  return {
    xUm: Float64Array.from({ length: assembler.width }, (_, c) => assembler.imageToMicrometres(c + 0.5, 0).xUm),
    yUm: Float64Array.from({ length: assembler.height }, (_, r) => assembler.imageToMicrometres(0, r + 0.5).yUm),
  };
}

/**
 * The assembler of a detector of a run, without its edges, dead ports and bad pixels; gaps are NaN. Sensors without a
 * place, or without a gain where others have one, are not drawn. Null for cameras without a geometry.
 * @throws BAD_GEOMETRY when the halves of the detector are open
 */
export async function assemblerFor(
  run: Pick<Run, "badPixels">,
  infos: readonly DetectorInfo[],
  view: View,
  method: AssemblyMethod = "nearest",
  signal?: AbortSignal,
): Promise<Assembler | null> {
  const { sensors, unplaced } = placedSensors(infos);
  if (sensors.length === 0) return null;
  const masks = (await run.badPixels(sensors, { signal })).map(usable);
  return new Assembler(sensors, { view, method, masks, unplaced });
}

/** Sum, largest value and where it is. */
interface ImageSummary {
  readonly sum: number;
  readonly max: number;
  readonly argmax: [row: number, column: number];
}

export function summarise(image: NdArray<Float32Array | Float64Array | Uint16Array>): ImageSummary {
  const { data } = image;
  const columns = image.shape[1] ?? 1;
  let sum = 0;
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? NaN;
    sum += value;
    if (value > (data[at] ?? NaN)) at = i;
  }
  return { sum, max: data[at] ?? NaN, argmax: [Math.floor(at / columns), at % columns] };
}

/** The sum of the histograms of all sensors. */
export function sumHistograms(sensors: readonly SensorSummary[]): { from: number; counts: Float64Array } {
  const counts = new Float64Array(sensors[0]?.histogram.counts.length ?? 0);
  for (const { histogram } of sensors) {
    for (let i = 0; i < counts.length; i++) counts[i] = (counts[i] ?? 0) + (histogram.counts[i] ?? 0);
  }
  return { from: sensors[0]?.histogram.from ?? 0, counts };
}

/** Two spots of the list are further apart than this. */
const SPOT_DISTANCE = 50;

/**
 * The eight brightest spots of an assembled picture: the pixel at the centre of each, and the value of its brightest
 * pixel. The centre is found on the sensor, where no pixel has been moved to the picture's grid.
 * @param images - by sensor id, those the picture was assembled from
 */
export function findSpots(
  assembler: Assembler,
  image: Image,
  images: Readonly<Record<string, NdArray<Float64Array>>>,
): BrightSpot[] {
  // Centres lie a few pixels from the maxima, so maxima are kept a little further apart.
  const maxima = brightestSpots(image, { count: 8, minDistance: SPOT_DISTANCE + 10 });
  return maxima.map((spot) => {
    const place = assembler.toSensor(spot.column + 0.5, spot.row + 0.5);
    const pixels = place === null ? undefined : images[place.sensor];
    if (place === null || pixels === undefined) return spot;
    const { row, column } = spotCentre(pixels, {
      row: place.row,
      column: place.column,
      value: pixels.get(place.row, place.column),
    });
    // Of pixels that are infinite there is no centre.
    if (!Number.isFinite(row + column)) return spot;
    const centre = assembler.toImage(place.sensor, row, column);
    return { column: Math.floor(centre.column), row: Math.floor(centre.row), value: spot.value };
  });
}

/** The corrected means by sensor id, as the assembler takes them. */
export function correctedMeans(
  sensors: readonly { readonly id: string; readonly correctedMean: PreciseImage }[],
): Record<string, NdArray<Float64Array>> {
  return Object.fromEntries(sensors.map(({ id, correctedMean }) => [id, correctedMean]));
}
