import { Argument, type Command } from "commander";
import type { DetectorGroup } from "../core/detectors.ts";
import { isSaclaError } from "../core/errors.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Image, NdArray } from "../core/ndarray.ts";
import type { Run } from "../db/index.ts";
import {
  Assembler,
  type AssemblyMethod,
  badPixels,
  brightestSpots,
  type Spot,
  spotCentre,
  usable,
  type View,
} from "../ip/index.ts";
import { correct, type QuickLook, quickLook, type SensorLook } from "../reduce/index.ts";
import { findDetector, findRun, parseWhole, runArgument, type Session } from "./command.ts";
import { checkFolder } from "./io.ts";

/** Options of the commands that average a run. */
export interface LookOptions {
  readonly darkRun?: number | undefined;
  /** Commander's form of `--no-dark`. */
  readonly dark: boolean;
  readonly commonMode?: boolean | undefined;
  readonly limit?: number | undefined;
  /** The file that the command will write. */
  readonly out?: string | undefined;
}

/** Arguments of the commands that look at a detector of a run. */
export type LookArguments = [run: number | "newest", detector: string | undefined];

/** Adds the arguments RUN and DETECTOR. */
export function withRunAndDetector(command: Command): Command {
  return command
    .addArgument(runArgument())
    .addArgument(new Argument("[detector]", "detector or sensor (default: the one with the most sensors)"));
}

/** Adds the options of {@link LookOptions}. */
export function withLookOptions(command: Command): Command {
  return command
    .option(
      "--dark-run <run>",
      "take the dark from this run (default: the dark shots at the head of the run)",
      parseWhole,
    )
    .option("--no-dark", "subtract no dark")
    .option("--common-mode", "take off what the pixels of each readout port drift together, image by image")
    .option("-n, --limit <shots>", "at most this many exposed shots, and dark ones", parseWhole);
}

/** Averages and histograms of a detector, with progress lines. */
export async function look(session: Session, options: LookOptions, [number, id]: LookArguments): Promise<QuickLook> {
  if (options.out !== undefined) checkFolder(options.out);
  const run = await findRun(session, number);
  const detector = await findDetector(run, id);
  const dark = options.dark
    ? options.darkRun === undefined
      ? "head"
      : await session.facility.run(run.bl, options.darkRun)
    : "none";
  return await session.progress(`run ${run.number} ${detector.id}`, async (update) => {
    return await quickLook(session.facility.st, run, detector, {
      dark,
      corrections: options.commonMode === true ? [correct.commonMode()] : [],
      signal: session.signal,
      onProgress: (_, done, total) => update(done, total),
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    });
  });
}

/**
 * The assembler of a detector: edges, dead ports and bad pixels left out, gaps NaN. Null for cameras without a
 * geometry.
 */
export async function assemblerFor(
  { facility, signal }: Pick<Session, "facility" | "signal">,
  run: Run,
  sensors: readonly { readonly info: SensorLook["info"] }[],
  view: View,
  method: AssemblyMethod = "nearest",
): Promise<Assembler | null> {
  const infos = sensors.map(({ info }) => info);
  if (infos.length === 0 || infos.some(({ geometry }) => geometry === null)) return null;
  const citius = infos.some(({ id }) => id.startsWith("CITIUS-"))
    ? await citiusBadPixels(facility, run, signal)
    : undefined;
  const masks = infos.map(({ id, ysize, xsize }) =>
    usable(citius?.get(id) ?? badPixels(id, run.bl, run.number, [ysize, xsize])),
  );
  return new Assembler(infos, { view, method, masks });
}

/** The bad pixels of CITIUS sensors, which the facility tells for each run. Converted files do not hold them. */
async function citiusBadPixels(
  { st }: Session["facility"],
  { bl, number: run }: Run,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, NdArray<Uint8Array>>> {
  try {
    const buffer = new st.ctdapyXfel.CtrlBuffer(bl, run);
    const ids = await buffer.readDetidlist({ signal });
    const stack = await buffer.readBadpixelMasks({ signal });
    return new Map(ids.map((id, i) => [id, stack.pick(i)]));
  } catch (error) {
    if (isSaclaError(error, "UNSUPPORTED")) return new Map();
    throw error;
  }
}

/** Sum, largest value and its place. */
export interface ImageSummary {
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

/** The account in one line for people. */
export function ledgerLine({ asked, used, dropped, notes = {} }: Ledger): string {
  const reasons = dropped.map(({ reason, tags }) => `${tags.length} ${reason}`).join(", ");
  const noted = Object.entries(notes).map(([what, times]) => `${times} ${what}`);
  return `${used} of ${asked} shots used${reasons === "" ? "" : `, dropped: ${reasons}`}${noted.length === 0 ? "" : `; noted: ${noted.join(", ")}`}`;
}

/** A file name part from a detector group. */
export function fileStem(run: Run, detector: DetectorGroup | { id: string }, what: string): string {
  return `${run.number}-${detector.id}-${what}`;
}

/** The histograms of all sensors together. */
export function sumHistograms(sensors: readonly SensorLook[]): { from: number; counts: Float64Array } {
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
 */
export function findSpots(
  assembler: Assembler,
  picture: Image,
  images: Readonly<Record<string, NdArray<Float64Array>>>,
): Spot[] {
  // Centres lie a few pixels from the maxima, so maxima are kept a little further apart.
  const maxima = brightestSpots(picture, { count: 8, minDistance: SPOT_DISTANCE + 10 });
  return maxima.map((spot) => {
    const place = assembler.toSensor(spot.column + 0.5, spot.row + 0.5);
    const image = place === null ? undefined : images[place.sensor];
    if (place === null || image === undefined) return spot;
    const { row, column } = spotCentre(image, {
      row: place.row,
      column: place.column,
      value: image.get(place.row, place.column),
    });
    const centre = assembler.toImage(place.sensor, row, column);
    return { column: Math.floor(centre.column), row: Math.floor(centre.row), value: spot.value };
  });
}

/** The dark-subtracted means by sensor id, as the assembler takes them. */
export function correctedMeans({ sensors }: QuickLook): Record<string, NdArray<Float64Array>> {
  return Object.fromEntries(sensors.map(({ id, correctedMean }) => [id, correctedMean]));
}
