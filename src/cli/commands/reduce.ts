import { SaclaError } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import { readJsonFile } from "../../files/index.ts";
import {
  type AddCommand,
  type CommandResult,
  collect,
  declare,
  findRun,
  parseCount,
  parseNumber,
  parseWhole,
  type Session,
} from "../command.ts";
import { previewReduction, type Reducing, type ReducingOptions, reduceRun } from "../reducing.ts";
import { parseRuns, reduceRuns } from "../reducing-runs.ts";

interface Options extends ReducingOptions {
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly runs?: readonly [first: number, last: number];
  readonly follow?: boolean;
}

/** `sacla reduce RUN REQUEST.json -o RESULT.h5`: all that a request file asks of the shots of a run. */
export const reduce: AddCommand = (program, io) =>
  declare<Options, [string, string | undefined]>(
    program,
    io,
    "reduce",
    "reduce a run as a request file says: reducers, corrections, cubes; here or as jobs of Slurm or PBS",
    (command) =>
      command
        .argument("<run>", "run number, or newest; left out with --runs")
        .argument("[request]", "JSON file, see docs/batch.md")
        .option("-o, --out <file>", "result file (default: <run>-reduced.h5); with --runs a folder (default: reduced)")
        .option("--runs <first-last>", "each of these runs, and a table of them, runs.parquet", parseRuns)
        .option("--follow", "with --runs: each run as it ends, until the last one")
        .option("--jobs <n>", "processes on this computer", parseCount, 1)
        .option("--slurm", "submit the work to Slurm, and wait for it")
        .option("--pbs", "submit the work to PBS, and wait for it")
        .option("--shards <n>", "pieces that the shots are cut into", parseCount)
        .option(
          "--minutes <m>",
          "pieces of so many minutes of work, as a short trial says (default for jobs: 10)",
          parseNumber,
        )
        .option(
          "--batch-option <text>",
          "a line for the scheduler, such as --time=01:00:00; can be repeated",
          collect,
          [],
        )
        .option("--checkpoint <s>", "seconds between two saved states of a piece", parseNumber, 30)
        .option("--no-wait", "submit and leave")
        .option("--dry-run", "show the pieces and the scripts; write and submit nothing")
        .option("--restart", "discard what an earlier call has done, and begin anew")
        .option("--overwrite", "replace an existing result file")
        .option("--keep", "keep the folder of pieces, <out>.parts"),
    async (session, options, [number, path]) => {
      if (options.runs !== undefined) return await manyRuns(session, options, options.runs, number, path);
      if (path === undefined || options.follow === true)
        throw new SaclaError("BAD_ARGUMENT", "Give a run and a request, or --runs FIRST-LAST and a request.");
      const request = await readJsonFile("The request", path);
      const run = await findRun(session, runNumber(number));
      const source = { db: session.facility.db, st: session.facility.st, run };
      const out = options.out ?? `${run.number}-reduced.h5`;
      if (options.dryRun === true) return preview(await previewReduction(session, source, request, out, options));
      return report(await reduceRun(session, source, request, out, options), run.number);
    },
  );

async function manyRuns(
  session: Session,
  options: Options,
  runs: readonly [first: number, last: number],
  path: string,
  more: string | undefined,
): Promise<CommandResult> {
  if (more !== undefined || options.dryRun === true || !options.wait)
    throw new SaclaError("BAD_ARGUMENT", "With --runs give one request, and neither --dry-run nor --no-wait.");
  const request = await readJsonFile("The request", path);
  const found = await reduceRuns(session, runs, request, options.out ?? "reduced", options);
  const { table, done, failed, kept } = found;
  const lines = [
    `${table}: ${counted(done.length, "run")} reduced, ${kept.length} were there already, ${failed.length} failed`,
    ...failed.map(({ run, message }) => `run ${run}: ${message}`),
  ];
  return { json: found, text: lines.join("\n"), exitCode: failed.length === 0 ? 0 : 1 };
}

function runNumber(text: string): number | "newest" {
  return text === "newest" ? text : parseWhole(text);
}

function preview({ manifest, scripts }: Awaited<ReturnType<typeof previewReduction>>): CommandResult {
  const { shards, sensors, out, run, dark } = manifest;
  const sizes = shards.map((ranges) =>
    ranges.reduce((n, [first, last, step]) => n + Math.floor((last - first) / step) + 1, 0),
  );
  const shots = sizes.reduce((a, b) => a + b, 0);
  const lines = [
    `run ${run}: ${counted(shots, "shot")} of ${counted(sensors.length, "sensor")}, dark ${dark ?? "none"}`,
    `${counted(shards.length, "piece")} of ${Math.min(...sizes)} to ${Math.max(...sizes)} shots; result: ${out}`,
    ...scripts.slice(0, 2).map(({ path, text }) => `--- ${path}\n${text.trimEnd()}`),
    ...(scripts.length > 3 ? [`--- and ${scripts.length - 3} more like the last one`] : []),
    ...scripts
      .slice(2)
      .slice(-1)
      .map(({ path, text }) => `--- ${path}\n${text.trimEnd()}`),
    "nothing was written or submitted",
  ];
  return { json: { run, out, shots, sensors, dark, shards: sizes, scripts }, text: lines.join("\n") };
}

function report({ out, account, shards, note }: Reducing, run: number): CommandResult {
  if (account === undefined) return { json: { run, out, shards, ended: false }, text: note ?? "" };
  const { asked, used, dropped, notes = {} } = account;
  const words = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(", ");
  const reasons = Object.keys(dropped).length === 0 ? "" : `, dropped: ${words(dropped)}`;
  const noted = Object.keys(notes).length === 0 ? "" : `; noted: ${words(notes)}`;
  return {
    json: { run, out, shards, ended: true, asked, used, dropped, notes },
    text: `${out}: ${used} of ${asked} shots used${reasons}${noted}`,
  };
}
