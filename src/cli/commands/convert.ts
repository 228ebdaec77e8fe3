import { readFileSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import { SaclaError } from "../../core/errors.ts";
import type { Roi } from "../../core/roi.ts";
import { parseTagList } from "../../db/index.ts";
import { type ConvertRequest, convert as convertRun, type FileFormat, fileFormats, type ShotClass, shotClasses } from "../../hdf5/index.ts";
import type { View } from "../../ip/index.ts";
import { type AddCommand, declare, findRun, parseNumber, parseWhole, runArgument } from "../command.ts";
import { ledgerLine } from "../look.ts";

interface Options {
  readonly out?: string;
  readonly format: FileFormat;
  readonly class: ShotClass;
  readonly tags?: string;
  readonly where: string[];
  readonly limit?: number;
  readonly detector: string[];
  readonly roi?: Roi;
  readonly signals: string[];
  readonly dark?: "none" | "head" | number;
  readonly assembled?: boolean;
  readonly view: View;
  /** Commander's form of `--no-sensors`. */
  readonly sensors: boolean;
  readonly compression: string;
  readonly pixels?: "float32" | "uint16";
  readonly missing?: "keep" | "drop" | "error";
  readonly cameraLength?: number;
  readonly table?: string;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

/** `sacla convert RUN -o FILE`: shots of a run as an HDF5 file that others can read. */
export const convert: AddCommand = (program, io) =>
  declare<Options, [number | "newest"]>(
    program,
    io,
    "convert",
    "write shots of a run to an HDF5 file; given again after an interruption, it goes on where it stopped",
    (command) =>
      command
        .addArgument(runArgument())
        .option("-o, --out <file>", "file to write (default: <run>.h5)")
        .addOption(new Option("--format <format>", "layout of the file").choices(fileFormats).default("dataconvert"))
        .addOption(new Option("--class <class>", "which shots").choices(shotClasses).default("all"))
        .option("--tags <file>", "only the tags in this list, as MakeTagList or sacla tags -o writes it")
        .option("--where <condition>", 'only shots where a signal fulfils a condition, e.g. "xfel_bl_3_tc_bm_1_pd/charge > 5e-9"; can be repeated', collect, [])
        .option("-n, --limit <shots>", "at most this many", parseWhole)
        .option("--detector <id>", "only this detector or sensor; can be repeated (default: all; of cheetah and nxmx the largest)", collect, [])
        .option("--roi <rows,columns>", "only this rectangle of each sensor, e.g. 100:200,0:512 (ends excluded)", parseRoi)
        .option("--signals <id>", "equipment id or pattern with *; can be repeated; none for none (default: those DataConvert knows)", collect, [])
        .option("--dark <from>", "subtract a dark: head (of the run), none, or a dark run (default: none; head for cheetah and nxmx)", parseDark)
        .option("--assembled", "also write one assembled picture a shot")
        .addOption(new Option("--view <view>", "of assembled pictures").choices(["source", "detector"]).default("detector"))
        .option("--no-sensors", "with --assembled: leave out the sensors' own images")
        .option("--compression <kind>", "none, or gzip-1 to gzip-9", "none")
        .addOption(new Option("--pixels <type>", "of the dataconvert format; uint16 only if nothing is lost").choices(["float32", "uint16"]))
        .addOption(new Option("--missing <policy>", "a shot without all its images").choices(["keep", "drop", "error"]))
        .option("--camera-length <mm>", "sample to detector, for cheetah and nxmx", parseNumber)
        .option("--table <file>", "also write the signals as CSV")
        .option("--overwrite", "replace a file of that name")
        .option("--restart", "throw away what an unfinished conversion has left"),
    async (session, options, [number]) => {
      const run = await findRun(session, number);
      const out = options.out ?? `${run.run}.h5`;
      const { signal } = session;
      const request = requestOf(run, options);
      const { overwrite, restart, url, table } = options;
      const written = await session.progress(`run ${run.run}`, (update) =>
        convertRun(session.facility, request, out, { signal, url: url ?? "sim:", overwrite, restart, onProgress: (_, done, total) => update(done, total) }),
      );
      const { ledger, images, bytes, resumedShots, geomPath, provenance } = written;
      if (table !== undefined) {
        const ids = provenance.signals.map(({ id }) => id);
        if (ids.length === 0) throw new SaclaError("BAD_ARGUMENT", "There are no signals to write a table of; name some with --signals.");
        const dropped = new Set(ledger.dropped.flatMap((entry) => entry.tags));
        io.writeFile(
          table,
          (
            await run.table(
              ids,
              (await run.tags({ signal })).filter((tag) => !dropped.has(tag)),
              { signal },
            )
          ).toCsv(),
        );
      }
      const files = [out, geomPath, table].filter((file) => file !== null && file !== undefined);
      const resumed = resumedShots > 0 ? `\n${resumedShots} shots had been read before the interruption` : "";
      return {
        json: { bl: run.bl, run: run.run, file: out, geom: geomPath, table: table ?? null, bytes, images, resumedShots, ledger },
        text: `${files.join(", ")}: ${images} images, ${(bytes / 1e6).toFixed(1)} MB\n${ledgerLine(ledger)}${resumed}`,
      };
    },
  );

function requestOf(run: { bl: number; run: number }, options: Options): ConvertRequest {
  const { format, limit, roi, dark, assembled, view, sensors, compression, pixels, missing, where, cameraLength, tags, detector, signals } = options;
  return {
    bl: run.bl,
    run: run.run,
    format,
    shots: options.class,
    where,
    limit,
    roi,
    dark,
    view,
    sensors,
    compression,
    pixels,
    missing,
    assembled,
    cameraLengthMm: cameraLength,
    tags: tags === undefined ? undefined : [...parseTagList(readFileSync(tags, "utf8")).tags],
    detectors: detector.length === 0 ? undefined : detector,
    signals: signals.length === 0 ? undefined : signals.filter((id) => id !== "none"),
  };
}

function collect(text: string, all: string[]): string[] {
  return [...all, text];
}

function parseRoi(text: string): Roi {
  const [r0, r1, c0, c1] = (/^(\d+):(\d+),(\d+):(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (r0 === undefined || r1 === undefined || c0 === undefined || c1 === undefined) {
    throw new InvalidArgumentError("It must be rows,columns as 100:200,0:512.");
  }
  return { rows: [r0, r1], columns: [c0, c1] };
}

function parseDark(text: string): "none" | "head" | number {
  return text === "none" || text === "head" ? text : parseWhole(text);
}
