import { defined } from "../../core/options.ts";
import { oneLine } from "../../core/printable.ts";
import { counted } from "../../core/show.ts";
import { demoRun } from "../../facility/index.ts";
import type { QuickLook } from "../../reduce/index.ts";
import { summarise } from "../../reduce/picture.ts";
import { averageRun, findSelection, ledgerLine } from "../average-run.ts";
import { pixelText } from "../caption.ts";
import { type AddCommand, declare, parseCount, parseWhole, type Session } from "../command.ts";
import { type Assembled, assembleMeans, beamMonitor, demoReport, unitOf } from "../report.ts";

interface Options {
  readonly run?: number;
  readonly detector?: string;
  readonly limit?: number;
  readonly out: string;
}

/** `sacla demo`: the whole path from a run to pictures, and a report to look at. */
export const demo: AddCommand = (program, io) =>
  declare<Options, [string | undefined]>(
    program,
    io,
    "demo",
    "from a run to a corrected, averaged, assembled picture: on the simulated facility, or on a DataConvert file",
    (command) =>
      command
        .argument("[source]", "file or address to read (default: the simulated facility)")
        .option(
          "--run <run>",
          `run number (default: the newest of a file, ${demoRun.run} of the simulated facility)`,
          parseWhole,
        )
        .option("--detector <id>", "detector (default: the one with the most sensors)")
        .option("-n, --limit <shots>", "at most this many exposed shots, and dark ones", parseCount)
        .option("-o, --out <file>", "report to write", "report.html"),
    async (session, options, [source]) => {
      const address = source ?? options.url ?? "sim:";
      const simulated = address.startsWith("sim:") && options.run === undefined && options.bl === undefined;
      const where: Session = simulated ? { ...session, bl: demoRun.bl } : session;
      const number = simulated ? demoRun.run : (options.run ?? "newest");
      const wanted = { where: [], out: options.out, ...defined({ limit: options.limit }) };
      const found = await averageRun(where, wanted, await findSelection(where, wanted, [number, options.detector]));
      const assembled = await assembleMeans(found);
      const monitor = await beamMonitor(found.run);
      io.writeFile(
        options.out,
        demoReport(found, assembled, monitor, address, session.zone, await session.isSimulated()),
      );
      return { json: demoJson(found, assembled), text: summaryText(found, assembled, options.out) };
    },
    (_options, [source]) => ({ url: source }),
  );

function demoJson({ run, tags, sensors, ledger }: QuickLook, { assembler, brightest }: Assembled): object {
  return {
    run: run.number,
    tags: { dark: [...tags.dark], exposed: [...tags.exposed] },
    sensors: sensors.map(({ id, darkMean, correctedMean, histogram: { from, to, counts } }) => ({
      id,
      darkMean: { sum: darkMean === null ? null : summarise(darkMean).sum },
      correctedMean: summarise(correctedMean),
      histogram: { from, to, counts: [...counts] },
    })),
    assembled: { view: assembler.view, width: assembler.width, height: assembler.height, brightest },
    ledger,
  };
}

function summaryText(found: QuickLook, { assembler, brightest }: Assembled, report: string): string {
  const { run, detector, tags } = found;
  const [spot] = brightest;
  const unit = unitOf(found);
  return [
    `run ${run.number} of beamline ${run.bl}: ${oneLine(run.comment)}`,
    `${tags.dark.length} dark and ${counted(tags.exposed.length, "exposed shot")} of ${detector.id}, ` +
      `classified by: ${found.basis?.rule ?? "no rule"}`,
    ledgerLine(found.ledger),
    `assembled ${assembler.width} × ${assembler.height}, ${assembler.view} view` +
      (spot === undefined
        ? ""
        : `; brightest at column ${spot.column}, row ${spot.row}: ${pixelText(spot.value, unit)} ${unit}`),
    `report with pictures: ${report}`,
  ].join("\n");
}
