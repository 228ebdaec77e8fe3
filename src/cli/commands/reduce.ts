import { readJsonFile } from "../../files/index.ts";
import { type AddCommand, type CommandResult, collect, declare, findRun, parseNumber, parseWhole } from "../command.ts";
import { previewReduction, type Reducing, type ReducingOptions, reduceRun } from "../reducing.ts";

interface Options extends ReducingOptions {
  readonly out?: string;
  readonly dryRun?: boolean;
}

/** `sacla reduce RUN REQUEST.json -o RESULT.h5`: all that a request file asks of the shots of a run. */
export const reduce: AddCommand = (program, io) =>
  declare<Options, [string, string]>(
    program,
    io,
    "reduce",
    "reduce a run as a request file says: reducers, corrections, cubes; here or as jobs of Slurm or PBS",
    (command) =>
      command
        .argument("<run>", "run number, or newest")
        .argument("<request>", "JSON file, see docs/batch.md")
        .option("-o, --out <file>", "result file (default: <run>-reduced.h5)")
        .option("--jobs <n>", "processes on this computer", parseWhole, 1)
        .option("--slurm", "submit the work to Slurm, and wait for it")
        .option("--pbs", "submit the work to PBS, and wait for it")
        .option("--shards <n>", "pieces that the shots are cut into", parseWhole)
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
      const request = await readJsonFile("The request", path);
      const run = await findRun(session, runNumber(number));
      const source = { db: session.facility.db, st: session.facility.st, run };
      const out = options.out ?? `${run.number}-reduced.h5`;
      if (options.dryRun === true) return preview(await previewReduction(session, source, request, out, options));
      return report(await reduceRun(session, source, request, out, options), run.number);
    },
  );

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
    `run ${run}: ${shots} shots of ${sensors.length} sensors, dark ${dark ?? "none"}`,
    `${shards.length} pieces of ${Math.min(...sizes)} to ${Math.max(...sizes)} shots; result: ${out}`,
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
  const { asked, used, dropped } = account;
  const reasons = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
  return {
    json: { run, out, shards, ended: true, asked, used, dropped },
    text: `${out}: ${used} of ${asked} shots used${reasons.length === 0 ? "" : `, dropped: ${reasons.join(", ")}`}`,
  };
}
