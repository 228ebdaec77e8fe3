import { existsSync, realpathSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { badArgument } from "../../core/guards.ts";
import { droppedWords, type Ledger } from "../../core/ledger.ts";
import { counted } from "../../core/show.ts";
import { type Run, tableFormOf } from "../../db/index.ts";
import {
  type Converted,
  type ConvertPreview,
  type ConvertRequest,
  convert as convertRun,
  previewConversion,
} from "../../hdf5/index.ts";
import { textTable } from "../../plot/text.ts";
import { ledgerLine } from "../average-run.ts";
import { type AddCommand, type CommandResult, declare, findRun, type Session } from "../command.ts";
import { type ConvertArguments, convertRequestOf, withConvertOptions } from "../convert-arguments.ts";
import { nextCommands, readerWarnings } from "../convert-for.ts";
import { StepProgress } from "../progress.ts";

/** `sacla convert RUN -o FILE`: shots of a run as an HDF5 file that others can read. */
export const convert: AddCommand = (program, io) =>
  declare<ConvertArguments, [number | "newest"]>(
    program,
    io,
    "convert",
    "write shots of a run to an HDF5 file; after an interruption, the same command continues where it stopped",
    withConvertOptions,
    async (session, options, [number]) => {
      const run = await findRun(session, number);
      const request = await convertRequestOf(session, run, options);
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
  options: ConvertArguments,
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
