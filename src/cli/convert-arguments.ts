import { type Command, InvalidArgumentError, Option } from "commander";
import { defined } from "../core/options.ts";
import type { Roi } from "../core/roi.ts";
import { parseCondition, type Run } from "../db/index.ts";
import {
  type ConvertRequest,
  compressions,
  type FileFormat,
  fileFormats,
  type PixelUnits,
  pixelUnits,
  type ShotClass,
  shotClasses,
} from "../hdf5/index.ts";
import type { View } from "../ip/index.ts";
import { chooseDark, type DarkOptions, listedTags, tagsMeaning, withDark } from "./choices.ts";
import {
  type CommonOptions,
  collect,
  findDetector,
  parseCount,
  parseNumber,
  parseWhole,
  runArgument,
  type Session,
} from "./command.ts";
import { type ConvertProgram, convertPrograms, formatFor } from "./convert-for.ts";

export interface ConvertArguments extends CommonOptions, DarkOptions {
  readonly out?: string;
  readonly format?: FileFormat;
  readonly for?: ConvertProgram;
  readonly units?: PixelUnits;
  readonly class: ShotClass;
  readonly tags?: string;
  readonly where: string[];
  readonly limit?: number;
  readonly hits?: number;
  readonly hitPhotons?: number;
  readonly hitSnr?: number;
  readonly detector: string[];
  readonly roi?: Roi;
  readonly signal: string[];
  readonly assembled?: boolean;
  readonly view: View;
  /** Commander's form of `--no-sensors`. */
  readonly sensors: boolean;
  readonly compression: string;
  readonly fletcher32?: boolean;
  readonly pixels?: "float32" | "uint16";
  readonly missing?: "keep" | "drop" | "error";
  readonly cameraLength?: number;
  readonly table?: string;
  readonly dryRun?: boolean;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

/** The options of `sacla convert`: which shots, detectors and signals, and the form of the file. */
export function withConvertOptions(command: Command): Command {
  return withForm(withContent(withDark(command, "none; head for cheetah, nxmx and cxi").addArgument(runArgument())));
}

function withContent(command: Command): Command {
  return command
    .option("-o, --out <file>", "file to write (default: <run>.h5, or <run>.cxi)")
    .addOption(
      new Option(
        "--format <format>",
        "layout of the file (default: dataconvert; nxmx with --for; cxi with --hits)",
      ).choices(fileFormats),
    )
    .addOption(
      new Option(
        "--for <program>",
        "the program that will read the file: chooses the layout, and prints what to type next",
      ).choices(convertPrograms),
    )
    .addOption(new Option("--class <class>", "which shots").choices(shotClasses).default("all"))
    .option("--tags <tags>", tagsMeaning)
    .option(
      "--where <condition>",
      'only shots where a signal fulfils a condition: "i0 > 5nC", or a band, "4nC < i0 < 6nC"; can be repeated',
      collect,
      [],
    )
    .option("-n, --limit <shots>", "at most this many shots", parseCount)
    .option(
      "--hits <peaks>",
      "only shots with at least so many peaks, for cxi, nxmx and cheetah (default: 20 for cxi)",
      parseWhole,
    )
    .option("--hit-photons <photons>", "least photons in the greatest pixel of a peak (default: 5)", parseNumber)
    .option("--hit-snr <times>", "least height of a peak over the spread of its surroundings (default: 5)", parseNumber)
    .option(
      "--detector <id>",
      "only this detector or sensor; can be repeated (default: all; for formats other than dataconvert the largest)",
      collect,
      [],
    )
    .option("--roi <rows,columns>", "only this rectangle of each sensor, e.g. 100:200,0:512 (ends excluded)", parseRoi)
    .option(
      "--signal <id>",
      "equipment id or pattern with *; can be repeated; none: no signals (default: those of DataConvert)",
      collect,
      [],
    );
}

function withForm(command: Command): Command {
  return command
    .option("--assembled", "also write one assembled picture per shot")
    .addOption(new Option("--view <view>", "of assembled pictures").choices(["source", "detector"]).default("detector"))
    .option("--no-sensors", "with --assembled: do not write the images of the single sensors")
    .addOption(
      new Option("--compression <kind>", "of images; those after gzip-9 need the package h5wasm-plugins")
        .choices(compressions)
        .default("none"),
    )
    .option("--fletcher32", "a checksum in each chunk; without compression only (gzip has one)")
    .addOption(
      new Option("--pixels <type>", "of the dataconvert format; uint16 only if nothing is lost").choices([
        "float32",
        "uint16",
      ]),
    )
    .addOption(new Option("--missing <policy>", "a shot without all its images").choices(["keep", "drop", "error"]))
    .addOption(
      new Option(
        "--units <units>",
        "of pixels, for nxmx, cxi and cheetah (default: photons; tenths for cheetah)",
      ).choices(pixelUnits),
    )
    .option("--camera-length <mm>", "distance from sample to detector, for cheetah, nxmx and cxi", parseNumber)
    .option("--table <file>", "also write the signals as a table: .csv, .arrow (Feather) or .parquet")
    .option("--dry-run", "print what would be written, and write nothing")
    .option("--overwrite", "replace an existing file")
    .option("--restart", "discard an unfinished conversion and start again");
}

/** What a conversion is asked for. */
export async function convertRequestOf(session: Session, run: Run, given: ConvertArguments): Promise<ConvertRequest> {
  const options = withIds(session, given);
  const {
    format,
    units,
    limit,
    roi,
    assembled,
    view,
    sensors,
    compression,
    fletcher32,
    pixels,
    missing,
    where,
    cameraLength,
    tags,
    detector,
    signal,
  } = options;
  const hits = hitsOf(options);
  const layout = formatFor(options.for, format, hits !== undefined);
  return {
    bl: run.bl,
    run: run.number,
    format: layout,
    units,
    shots: options.class,
    where,
    limit,
    hits,
    roi,
    dark: await darkOf(session, run, options, layout === undefined || layout === "dataconvert"),
    view,
    sensors,
    compression,
    fletcher32,
    pixels,
    missing,
    assembled,
    cameraLengthMm: cameraLength,
    tags:
      tags === undefined
        ? undefined
        : [...(await listedTags(run, await run.tags({ signal: session.signal }), tags, session.signal))],
    detectors: detector.length === 0 ? undefined : detector,
    signals: signal.length === 0 ? undefined : signal.filter((id) => id !== "none"),
  };
}

/** The file and its record have ids, whatever they are called in this beam time. */
function withIds({ facility }: Session, options: ConvertArguments): ConvertArguments {
  const { names } = facility.endpoint;
  if (names === undefined) return options;
  return {
    ...options,
    detector: options.detector.map((name) => names.detectorId(name)),
    signal: options.signal.map((name) => (/^none$|[*?]/.test(name) ? name : names.signalId(name))),
    where: options.where.map((text) => {
      const { equipId } = parseCondition(text);
      return text.replace(equipId, () => names.signalId(equipId));
    }),
  };
}

/** Undefined: what the layout has without a word. A run stands with its number in the file. */
async function darkOf(
  session: Session,
  run: Run,
  options: ConvertArguments,
  takesAll: boolean,
): Promise<ConvertRequest["dark"]> {
  if (options.dark === undefined && options.darkRun === undefined) return undefined;
  const usual = takesAll ? await run.detectors({ signal: session.signal }) : [await findDetector(run, undefined)];
  const detectors = options.detector.length === 0 ? usual.map(({ id }) => id) : options.detector;
  const dark = await chooseDark(session, run, detectors, options);
  return typeof dark === "string" ? dark : dark.number;
}

/** Any of the options of hits asks for hits. */
function hitsOf({ hits, hitPhotons, hitSnr }: ConvertArguments): ConvertRequest["hits"] {
  if (hits === undefined && hitPhotons === undefined && hitSnr === undefined) return undefined;
  return defined({
    minPeaks: hits,
    thresholdPhotons: hitPhotons,
    snr: hitSnr,
  });
}

function parseRoi(text: string): Roi {
  const [r0, r1, c0, c1] = (/^(\d+):(\d+),(\d+):(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (r0 === undefined || r1 === undefined || c0 === undefined || c1 === undefined) {
    throw new InvalidArgumentError("It must be rows,columns as 100:200,0:512.");
  }
  return { rows: [r0, r1], columns: [c0, c1] };
}
