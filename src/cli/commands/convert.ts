import { existsSync, realpathSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { badArgument } from "../../core/guards.ts";
import { droppedWords, type Ledger } from "../../core/ledger.ts";
import { defined } from "../../core/options.ts";
import type { Roi } from "../../core/roi.ts";
import { counted } from "../../core/show.ts";
import { parseCondition, type Run, tableFormOf } from "../../db/index.ts";
import {
  type Converted,
  type ConvertPreview,
  type ConvertRequest,
  compressions,
  convert as convertRun,
  type FileFormat,
  fileFormats,
  type PixelUnits,
  pixelUnits,
  previewConversion,
  type ShotClass,
  shotClasses,
} from "../../hdf5/index.ts";
import type { View } from "../../ip/index.ts";
import { textTable } from "../../plot/text.ts";
import { ledgerLine } from "../average-run.ts";
import { chooseDark, type DarkOptions, listedTags, tagsMeaning, withDark } from "../choices.ts";
import {
  type AddCommand,
  type CommandResult,
  type CommonOptions,
  collect,
  declare,
  findDetector,
  findRun,
  parseNumber,
  parseWhole,
  runArgument,
  type Session,
} from "../command.ts";
import { type ConvertProgram, convertPrograms, formatFor, nextCommands, readerWarnings } from "../convert-for.ts";
import { StepProgress } from "../progress.ts";

interface Options extends CommonOptions, DarkOptions {
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

/** `sacla convert RUN -o FILE`: shots of a run as an HDF5 file that others can read. */
export const convert: AddCommand = (program, io) =>
  declare<Options, [number | "newest"]>(
    program,
    io,
    "convert",
    "write shots of a run to an HDF5 file; after an interruption, the same command continues where it stopped",
    withOptions,
    async (session, options, [number]) => {
      const run = await findRun(session, number);
      const request = await requestOf(session, run, withIds(session, options));
      const out = options.out ?? `${run.number}.${request.format === "cxi" ? "cxi" : "h5"}`;
      // What can be known to be wrong is said before hours of reading.
      if (options.table !== undefined) tableFormOf(options.table);
      refuseSource(options.url, out);
      if (options.table !== undefined && request.signals?.length === 0)
        throw badArgument("--table", options.table, "absent when there are no signals");
      return options.dryRun === true
        ? await preview(session, request, out, options.overwrite === true)
        : await write(session, run, request, out, options);
    },
  );

function withOptions(command: Command): Command {
  const usual = "none; head for cheetah, nxmx and cxi";
  return withDark(command, usual)
    .addArgument(runArgument())
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
    .option("-n, --limit <shots>", "at most this many shots", parseWhole)
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
    )
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

/** Over its own source a conversion would throw away for good what was not asked for. @throws BAD_ARGUMENT */
function refuseSource(url: string | undefined, out: string): void {
  const source = url?.replace(/^file:/, "").replace(/\?.*$/, "");
  if (source === undefined || !existsSync(source) || !existsSync(out) || realpathSync(source) !== realpathSync(out))
    return;
  throw badArgument("--out", out, "another file than the one that is read");
}

async function write(
  session: Session,
  run: Run,
  request: ConvertRequest,
  out: string,
  options: Options,
): Promise<CommandResult> {
  const { facility, io, signal } = session;
  const { overwrite, restart, url, table } = options;
  const progress = new StepProgress(io, `run ${run.number}`);
  const written = await convertRun(facility, request, out, {
    signal,
    url: url ?? "sim:",
    overwrite,
    restart,
    onProgress: progress.update,
  }).finally(() => progress.end());
  const { ledger, images, bytes, resumedShots, geomPath, provenance } = written;
  if (table !== undefined) await writeTable(session, run, written, table);
  const files = [out, geomPath, table].filter((file) => file !== null && file !== undefined);
  const reader = options.for ?? (request.format === "cxi" ? "crystfel" : undefined);
  const next = reader === undefined ? [] : nextCommands(reader, { path: out, geomPath, provenance });
  const warnings = readerWarnings(provenance.request, provenance.constants.sensors);
  const lines = [
    `${files.join(", ")}: ${counted(images, "image")}, ${megabytes(bytes)}`,
    ledgerLine(ledger),
    ...clippedLines(provenance.constants.photons?.clipped),
    ...(resumedShots > 0 ? [`${counted(resumedShots, "shot")} had been read before the interruption`] : []),
    ...leftOutLines(written.signalsLeftOut),
    ...warnings,
    ...(next.length > 0 ? ["next:", ...next.map((line) => `  ${line}`)] : []),
  ];
  return {
    json: {
      bl: run.bl,
      run: run.number,
      file: out,
      geom: geomPath,
      table: table ?? null,
      bytes,
      images,
      resumedShots,
      clipped: provenance.constants.photons?.clipped ?? null,
      signalsLeftOut: written.signalsLeftOut,
      ledger,
      warnings,
      next,
    },
    text: lines.join("\n"),
  };
}

/** The signals of the shots that are in the file. */
async function writeTable(
  { io, signal }: Session,
  run: Run,
  { provenance, ledger }: Converted,
  path: string,
): Promise<void> {
  const ids = provenance.signals.map(({ id }) => id);
  if (ids.length === 0) throw badArgument("--table", path, "absent: there are no signals; name some with --signal");
  const dropped = new Set(ledger.dropped.flatMap(({ tags }) => tags));
  const tags = (await run.tags({ signal })).filter((tag) => !dropped.has(tag));
  io.writeFile(path, await (await run.table(ids, tags, { signal })).encode(path));
}

async function preview(
  { facility, signal }: Session,
  request: ConvertRequest,
  out: string,
  overwrite: boolean,
): Promise<CommandResult> {
  const found = await previewConversion(facility, request, { signal });
  const { ledger, images, signals, imageBytes, diskBytes } = found;
  const freeBytes = await freeSpace(out);
  const exists = existsSync(out);
  const room =
    freeBytes === null
      ? ""
      : freeBytes < diskBytes
        ? `: NOT ENOUGH, ${megabytes(freeBytes)} are free`
        : `; ${megabytes(freeBytes)} are free`;
  const lines = [
    textTable(["", "image", "rows", "columns", "stored as"], images.map(asRow)),
    `${counted(signals.length, "signal")}: ${signals.join(", ")}`,
    ...leftOutLines(found.signalsLeftOut),
    selectionLine(ledger),
    `${out}: about ${megabytes(imageBytes)} before compression; ` +
      `needs about ${megabytes(diskBytes)} while it works${room}`,
    ...(exists
      ? [
          `${out} is there already: ` +
            (overwrite ? "it will be replaced" : "give --overwrite to replace it, or another name"),
        ]
      : []),
    "nothing was written",
  ];
  return { json: { file: out, exists, ...found, freeBytes }, text: lines.join("\n") };
}

function asRow({ kind, id, rows, columns, type }: ConvertPreview["images"][number]): (string | number)[] {
  return [kind, id, rows, columns, type];
}

function selectionLine({ asked, used, dropped }: Ledger): string {
  const reasons = droppedWords(dropped);
  return `${used} of ${asked} shots to read${reasons === "" ? "" : `, left out: ${reasons}`}`;
}

/** Free bytes where the file will be; null when its folder is not there or does not say. */
async function freeSpace(out: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(dirname(resolve(out)));
    return bavail * bsize;
  } catch {
    return null;
  }
}

function clippedLines(clipped: readonly number[] | undefined): string[] {
  const [below = 0, above = 0, notNumbers = 0] = clipped ?? [];
  const parts = [
    ...(below > 0 ? [`${below} below the lowest`] : []),
    ...(above > 0 ? [`${above} above the highest`] : []),
    ...(notNumbers > 0 ? [`${notNumbers} that are no number (written as 0)`] : []),
  ];
  return parts.length === 0 ? [] : [`pixels the format cannot hold: ${parts.join(", ")}`];
}

/** So many kinds of signals are named. */
const MOST_KINDS = 12;

/** The signals that are not in the file, those of one kind as the pattern that --signal takes. */
function leftOutLines(ids: readonly string[]): string[] {
  if (ids.length === 0) return [];
  const kinds = new Map<string, string[]>();
  for (const id of ids) {
    const kind = id.replace(/\d+/g, "*");
    kinds.set(kind, [...(kinds.get(kind) ?? []), id]);
  }
  const named = [...kinds].map(([kind, of]) => (of.length === 1 ? of[0] : `${kind} (${of.length})`));
  const others = named.length - MOST_KINDS;
  const more = others > 0 ? `, and ${counted(others, "more kind")}, see: sacla signals` : "";
  return [`signals left out (add them with --signal): ${named.slice(0, MOST_KINDS).join(", ")}${more}`];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The file and its record have ids, whatever they are called in this beam time. */
function withIds({ facility }: Session, options: Options): Options {
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

async function requestOf(session: Session, run: Run, options: Options): Promise<ConvertRequest> {
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

/** Undefined: what the layout has without a word. A run stands with its number in the file. */
async function darkOf(
  session: Session,
  run: Run,
  options: Options,
  takesAll: boolean,
): Promise<ConvertRequest["dark"]> {
  if (options.dark === undefined && options.darkRun === undefined) return undefined;
  const usual = takesAll ? await run.detectors({ signal: session.signal }) : [await findDetector(run, undefined)];
  const detectors = options.detector.length === 0 ? usual.map(({ id }) => id) : options.detector;
  const dark = await chooseDark(session, run, detectors, options);
  return typeof dark === "string" ? dark : dark.number;
}

/** Any of the options of hits asks for hits. */
function hitsOf({ hits, hitPhotons, hitSnr }: Options): ConvertRequest["hits"] {
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
