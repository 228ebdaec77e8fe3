import { InvalidArgumentError } from "commander";
import { formatCsv } from "../../core/csv.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import { quantity, quantityWithError } from "../../core/quantities.ts";
import type { Run, ShotLabels } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { Cube, type CubeAxis, contrast, scanTargets } from "../../reduce/index.ts";
import { headOf, ledgerLine } from "../average-run.ts";
import { monitorOf } from "../beam-monitor.ts";
import { type ChoiceOptions, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, declare, findRun, runArgument, type Session } from "../command.ts";
import { checkFolder } from "../io.ts";
import { drawnFor } from "../signal-plot.ts";

interface Options extends ChoiceOptions {
  readonly bins?: readonly [from: number, to: number, step: number];
  /** False: `--no-normalise`. */
  readonly normalise?: string | false;
  readonly out?: string;
  readonly plot?: string;
}

/** `sacla cube RUN AXIS SIGNAL`: a signal in bins of another, pumped and unpumped shots apart. */
export const cube: AddCommand = (program, io) =>
  declare<Options, [number | "newest", string, string]>(
    program,
    io,
    "cube",
    "a signal in bins of another, such as the delay: pumped over unpumped shots with errors, as table, CSV and plot",
    (command) =>
      withChoice(
        command
          .addArgument(runArgument())
          .argument("<axis>", "signal that is binned: delay, or another name or equipment id")
          .argument("<signal>", "signal that is averaged in the bins"),
        "all",
      )
        .option("--bins <from,to,step>", "bins of equal width (default: the positions of a step scan)", parseBins)
        .option("--normalise <signal>", "intensity monitor (default: the run's first beam monitor)")
        .option("--no-normalise", "do not normalise")
        .option("-o, --out <file>", "CSV of the bins")
        .option("--plot <file>", "plot, .svg or .png"),
    async (session, options, [number, axis, signal]) => {
      for (const path of [options.out, options.plot]) if (path !== undefined) checkFolder(path);
      const run = await findRun(session, number);
      const chosen = await chooseShots(session, run, options, "all");
      const tags = chosen.tags.slice(0, options.limit);
      const stop = session.signal;
      const monitor = options.normalise === false ? null : (options.normalise ?? (await monitorOf(run, stop)));
      const column = await run.column(axis, tags, { signal: stop });
      const made = new Cube({
        axes: [axisOf(axis, column.values, options)],
        values: { signals: [signal], ...(monitor === null ? {} : { normaliseBy: monitor }) },
      });
      const labels = await labelsOf(session, run);
      const shots = session.facility.shots({ run, signals: [...made.signals], tags, signal: stop });
      await session.progress(`run ${run.number}`, async (update) => {
        await made.update(shots, { ...(labels === null ? {} : { labels }), onProgress: update, signal: stop });
      });
      const { unit } = await run.column(signal, tags.slice(0, 1), { signal: stop });
      const monitorUnit = monitor === null ? "" : (await run.column(monitor, tags.slice(0, 1), { signal: stop })).unit;
      const perUnit = `${unit}/${monitorUnit}`;
      const bins = binsOf(made, signal, monitor !== null, labels !== null);
      const what = monitor === null ? signal : `${signal} / ${monitor}`;
      if (options.out !== undefined) io.writeFile(options.out, csvOf(bins, axis, column.unit));
      if (options.plot !== undefined) {
        const head = await headOf(session, run, `run ${run.number}: ${what} against ${axis}`);
        io.writeFile(
          options.plot,
          drawnFor(
            options.plot,
            panelsOf(bins, axis, column.unit, monitor === null ? what : `${what} (${perUnit})`, head),
          ),
        );
      }
      const files = [options.out, options.plot].filter((path) => path !== undefined);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          axis,
          unit: column.unit,
          signal,
          normalise: monitor,
          bins,
          ledger: made.ledger,
        },
        text: [
          tableOf(bins, `${axis}${column.unit === "" ? "" : ` (${column.unit})`}`, monitor === null ? unit : perUnit),
          `${what} of ${chosen.words}, run ${run.number}`,
          ...files,
          ledgerLine(made.ledger),
        ].join("\n"),
      };
    },
  );

interface MeanOfBin {
  readonly shots: number;
  readonly mean: number;
  readonly error: number;
}
interface Bin {
  readonly at: number;
  /** Of a run without pump laser: all shots, and no ratio. */
  readonly on: MeanOfBin;
  readonly off: MeanOfBin | null;
  readonly ratio: number | null;
  readonly ratioError: number | null;
}

function axisOf(name: string, values: Float64Array, { bins }: Options): CubeAxis {
  if (bins !== undefined) return { name, of: name, from: bins[0], to: bins[1], step: bins[2] };
  const numbers = values.filter(Number.isFinite);
  const spread = Math.max(...numbers) - Math.min(...numbers);
  // What a stage jitters by around its positions is small beside the steps.
  const tolerance = spread === 0 ? 0.5 : spread / 200;
  const targets = scanTargets(numbers, tolerance);
  if (targets.length > 200)
    throw new SaclaError("BAD_ARGUMENT", `${name} has no positions of a step scan; say the bins: --bins FROM,TO,STEP.`);
  return { name, of: name, targets, tolerance };
}

/** Null for a run without a pump laser. */
async function labelsOf({ signal }: Session, run: Run): Promise<ShotLabels | null> {
  try {
    const labels = await run.labels(undefined, { signal });
    return labels.on.length > 0 && labels.off.length > 0 ? labels : null;
  } catch (error) {
    if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    return null;
  }
}

function binsOf(made: Cube, signal: string, isNormalised: boolean, hasClasses: boolean): Bin[] {
  const of = (label: "on" | "off" | "all") =>
    isNormalised ? made.normalised(signal, label) : made.numbers(signal, label);
  const on = of(hasClasses ? "on" : "all");
  const off = hasClasses ? of("off") : null;
  const both = off === null ? null : contrast(on, off);
  const bin = (from: typeof on, i: number): MeanOfBin => ({
    shots: from.count.get(i),
    mean: from.mean.get(i),
    error: from.standardError.get(i),
  });
  return Array.from(made.axes[0]?.centres ?? [], (at, i) => ({
    at,
    on: bin(on, i),
    off: off === null ? null : bin(off, i),
    ratio: both?.ratio.get(i) ?? null,
    ratioError: both?.ratioError.get(i) ?? null,
  }));
}

function tableOf(bins: readonly Bin[], axis: string, unit: string): string {
  const cell = ({ mean, error }: MeanOfBin): string => quantityWithError(mean, error, unit);
  if (bins.every(({ off }) => off === null))
    return textTable(
      [axis, "shots", "mean"],
      bins.map(({ at, on }) => [Number(at.toPrecision(9)), on.shots, cell(on)]),
    );
  const rows = bins.map(({ at, on, off, ratio, ratioError }) => [
    Number(at.toPrecision(9)),
    on.shots,
    off?.shots ?? 0,
    cell(on),
    off === null ? "" : cell(off),
    quantityWithError(ratio ?? NaN, ratioError ?? NaN),
    ratio === null || ratioError === null ? "" : quantity((ratio - 1) / ratioError, "", 2),
  ]);
  return textTable([axis, "on", "off", "pumped", "unpumped", "on / off", "σ from 1"], rows);
}

function csvOf(bins: readonly Bin[], axis: string, unit: string): string {
  const head = [unit === "" ? axis : `${axis}(${unit})`, "on_shots", "on_mean", "on_error"];
  const rest = ["off_shots", "off_mean", "off_error", "ratio", "ratio_error"];
  const rows = bins.map(({ at, on, off, ratio, ratioError }) => [
    ...[at, on.shots, on.mean, on.error],
    ...[off?.shots ?? 0, off?.mean ?? NaN, off?.error ?? NaN, ratio ?? NaN, ratioError ?? NaN],
  ]);
  return formatCsv([[...head, ...rest], ...rows]);
}

function panelsOf(
  bins: readonly Bin[],
  axis: string,
  unit: string,
  what: string,
  head: { readonly title: string; readonly lines: readonly string[] },
): Parameters<typeof drawnFor>[1] {
  const x = bins.map(({ at }) => at);
  const xLabel = unit === "" ? axis : `${axis} (${unit})`;
  const curve = (label: string, of: (bin: Bin) => MeanOfBin | null) => ({
    label,
    x,
    y: bins.map((bin) => of(bin)?.mean ?? NaN),
    error: bins.map((bin) => of(bin)?.error ?? NaN),
    style: "line-and-points" as const,
  });
  if (bins.every(({ off }) => off === null))
    return [{ series: [curve("all", ({ on }) => on)], xLabel, yLabel: what, ...head }];
  const ratio = {
    x,
    y: bins.map((bin) => bin.ratio ?? NaN),
    error: bins.map(({ ratioError }) => ratioError ?? NaN),
    style: "line-and-points" as const,
  };
  return [
    { series: [curve("pumped", ({ on }) => on), curve("unpumped", ({ off }) => off)], yLabel: what, ...head },
    { series: [ratio], xLabel, yLabel: "pumped / unpumped" },
  ];
}

function parseBins(text: string): [number, number, number] {
  const [from, to, step, ...rest] = text.split(",").map(Number);
  if (from === undefined || to === undefined || !(step !== undefined && step > 0) || !(from < to) || rest.length > 0)
    throw new InvalidArgumentError("It must be three numbers, from,to,step.");
  return [from, to, step];
}
