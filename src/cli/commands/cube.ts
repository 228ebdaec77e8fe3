import { InvalidArgumentError } from "commander";
import { withClipped } from "../../core/clipped.ts";
import { formatCsv } from "../../core/csv.ts";
import { isSaclaError, SaclaError } from "../../core/errors.ts";
import { droppedWords } from "../../core/ledger.ts";
import { prefixedUnit, quantity, quantityWithError } from "../../core/quantities.ts";
import { monitorOf } from "../../db/beam-monitor.ts";
import type { Run, RunTags, ShotLabels, SignalColumn } from "../../db/index.ts";
import { textTable } from "../../plot/text.ts";
import { bothClasses } from "../../reduce/filter.ts";
import { Cube, type CubeAxis, contrast, filterShots, scanTargets } from "../../reduce/index.ts";
import { ledgerLine } from "../average-run.ts";
import { whenAndWhere } from "../caption.ts";
import { type ChoiceOptions, chooseShots, withChoice } from "../choices.ts";
import { type AddCommand, declare, findRun, parseFileName, runArgument, type Session } from "../command.ts";
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
        .option("--plot <file>", "plot, .svg or .png", parseFileName(".svg", ".png")),
    async (session, options, [number, axis, signal]) => {
      for (const path of [options.out, options.plot]) if (path !== undefined) checkFolder(path);
      const run = await findRun(session, number);
      const chosen = await chooseShots(session, run, options, "all");
      const stop = session.signal;
      const monitor = options.normalise === false ? null : (options.normalise ?? (await monitorOf(run, stop)));
      const needed = [
        { name: "signal", equipId: signal },
        ...(monitor === null ? [] : [{ name: "i0", equipId: monitor }]),
      ];
      const asked = chosen.tags.slice(0, options.limit);
      const labels = await labelsOf(session, run);
      // No bin holds a shot of neither class or one that lacks a number; the class is the first reason to be named.
      const tags = await filterShots(
        labels === null ? await exposedOf(session, run, asked, options) : bothClasses(asked, labels),
        needed.map((each) => ({ ...each, where: () => true })),
        { signal: stop },
      );
      if (tags.length === 0) {
        const dropped = droppedWords(tags.ledger?.dropped ?? []);
        throw new SaclaError("NO_SHOTS", `No shot of run ${run.number} can be used: ${dropped}.`, {
          details: { ledger: tags.ledger },
        });
      }
      const column = await run.column(axis, tags, { signal: stop });
      const scale = scaleOf(session, axis, column);
      const made = new Cube({
        axes: [axisOf(axis, column.values, options, scale)],
        values: { signals: [signal], ...(monitor === null ? {} : { normaliseBy: monitor }) },
      });
      const shots = session.facility.shots({ run, signals: [...made.signals], tags, signal: stop });
      await session.progress(`run ${run.number}`, async (update) => {
        await made.update(shots, {
          ...(labels === null ? {} : { labels }),
          selection: tags,
          onProgress: update,
          signal: stop,
        });
      });
      const of = await run.column(signal, tags, { signal: stop });
      const by = monitor === null ? null : await run.column(monitor, tags, { signal: stop });
      const { unit } = of;
      const numbers = { signal: of.values, ...(by === null ? {} : { i0: by.values }) };
      const ledger = withClipped(made.ledger, tags.values, numbers);
      const bins = binsOf(made, signal, by !== null, labels !== null, scale);
      const what = by === null ? signal : `${signal} / ${nameOf(session, by.equipId)}`;
      const shown = shownUnit(bins, unit, by);
      if (options.out !== undefined)
        io.writeFile(options.out, csvOf(bins, axis, scale.unit, by === null ? unit : `${unit}/${by.unit}`));
      if (options.plot !== undefined) {
        const shots = `${made.ledger.used} ${chosen.words(made.ledger.used)}`;
        const title = `run ${run.number}: ${what} against ${axis}, ${shots}`;
        const head = { title, lines: [await whenAndWhere(session, run)] };
        io.writeFile(options.plot, drawnFor(options.plot, panelsOf(bins, axis, scale.unit, what, shown, head)));
      }
      const files = [options.out, options.plot].filter((path) => path !== undefined);
      return {
        json: {
          bl: run.bl,
          run: run.number,
          axis,
          unit: scale.unit,
          signal,
          normalise: monitor,
          bins,
          ledger,
        },
        text: [
          tableOf(bins, withUnit(axis, scale.unit), shown),
          `${what} of ${made.ledger.used} ${chosen.words(made.ledger.used)}, run ${run.number}`,
          ...files,
          ledgerLine(ledger),
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

/** From the unit of a signal to the unit that is shown: `shown = offset + recorded / perUnit`. */
interface AxisScale {
  readonly unit: string;
  readonly offset: number;
  /** Negative where the axis counts the other way. */
  readonly perUnit: number;
}

/** The position of an axis of the experiment is recorded in pulses, and shown in its own unit. */
function scaleOf({ experiment }: Session, name: string, { unit }: SignalColumn): AxisScale {
  const axis = unit === "pulse" ? experiment?.axes[name] : undefined;
  if (axis === undefined) return { unit, offset: 0, perUnit: 1 };
  return { unit: axis.unit, offset: axis.offset, perUnit: axis.sign * axis.pulsesPerUnit };
}

/** The experiment's name of a signal. */
function nameOf({ experiment }: Session, equipId: string): string {
  const [name = equipId] = Object.entries(experiment?.signals ?? {}).find(([, { id }]) => id === equipId) ?? [];
  return name;
}

/** A unit that suits the values of the bins, and what they are multiplied by: `mV/nC` for 10⁸ V/C. */
function shownUnit(
  bins: readonly Bin[],
  unit: string,
  by: SignalColumn | null,
): { readonly unit: string; readonly factor: number } {
  const largest = Math.max(...bins.map(({ on }) => Math.abs(on.mean)).filter(Number.isFinite), 0);
  if (by === null) return prefixedUnit(unit, largest);
  const below = prefixedUnit(by.unit, by.mean());
  const above = prefixedUnit(unit, largest / below.factor);
  return { unit: `${above.unit}/${below.unit}`, factor: above.factor / below.factor };
}

function withUnit(name: string, unit: string): string {
  return unit === "" ? name : `${name} (${unit})`;
}

function axisOf(name: string, values: Float64Array, { bins }: Options, { offset, perUnit }: AxisScale): CubeAxis {
  if (bins !== undefined) {
    const ends = [(bins[0] - offset) * perUnit, (bins[1] - offset) * perUnit];
    return { name, of: name, from: Math.min(...ends), to: Math.max(...ends), step: bins[2] * Math.abs(perUnit) };
  }
  const numbers = values.filter(Number.isFinite);
  const spread = Math.max(...numbers) - Math.min(...numbers);
  // What a stage jitters by around its positions is small beside the steps.
  const tolerance = spread === 0 ? 0.5 : spread / 200;
  const targets = scanTargets(numbers, tolerance);
  if (targets.length > 200)
    throw new SaclaError("BAD_ARGUMENT", `${name} has no positions of a step scan; say the bins: --bins FROM,TO,STEP.`);
  return { name, of: name, targets, tolerance };
}

/** Bins of dark shots hold noise: without `--class` those with X-rays, all where no flags tell them apart. */
async function exposedOf(
  { signal }: Session,
  run: Run,
  asked: RunTags,
  { class: choice }: ChoiceOptions,
): Promise<RunTags> {
  if (choice !== undefined) return asked;
  try {
    return await run.exposedTags(asked, { signal });
  } catch (error) {
    if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
    return asked;
  }
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

function binsOf(made: Cube, signal: string, isNormalised: boolean, hasClasses: boolean, scale: AxisScale): Bin[] {
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
    at: scale.offset + at / scale.perUnit,
    on: bin(on, i),
    off: off === null ? null : bin(off, i),
    ratio: both?.ratio.get(i) ?? null,
    ratioError: both?.ratioError.get(i) ?? null,
  }));
}

function tableOf(bins: readonly Bin[], axis: string, { unit, factor }: ReturnType<typeof shownUnit>): string {
  const cell = ({ mean, error }: MeanOfBin): string => quantityWithError(mean * factor, error * factor, unit);
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

function csvOf(bins: readonly Bin[], axis: string, axisUnit: string, unit: string): string {
  const of = (name: string, its: string): string => (its === "" ? name : `${name}(${its})`);
  const head = [of(axis, axisUnit), "on_shots", of("on_mean", unit), of("on_error", unit)];
  const rest = ["off_shots", of("off_mean", unit), of("off_error", unit), "ratio", "ratio_error"];
  const rows = bins.map(({ at, on, off, ratio, ratioError }) => [
    ...[at, on.shots, on.mean, on.error],
    ...[off?.shots ?? 0, off?.mean ?? NaN, off?.error ?? NaN, ratio ?? NaN, ratioError ?? NaN],
  ]);
  return formatCsv([[...head, ...rest], ...rows]);
}

function panelsOf(
  bins: readonly Bin[],
  axis: string,
  axisUnit: string,
  what: string,
  { unit, factor }: ReturnType<typeof shownUnit>,
  head: { readonly title: string; readonly lines: readonly string[] },
): Parameters<typeof drawnFor>[1] {
  const x = bins.map(({ at }) => at);
  const xLabel = withUnit(axis, axisUnit);
  const yLabel = withUnit(what, unit);
  const curve = (label: string, of: (bin: Bin) => MeanOfBin | null) => ({
    label,
    x,
    y: bins.map((bin) => of(bin)?.mean ?? NaN).map((value) => value * factor),
    error: bins.map((bin) => of(bin)?.error ?? NaN).map((value) => value * factor),
    style: "line-and-points" as const,
  });
  if (bins.every(({ off }) => off === null))
    return [{ series: [curve("all", ({ on }) => on)], xLabel, yLabel, ...head }];
  const ratio = {
    x,
    y: bins.map((bin) => bin.ratio ?? NaN),
    error: bins.map(({ ratioError }) => ratioError ?? NaN),
    style: "line-and-points" as const,
  };
  return [
    { series: [curve("pumped", ({ on }) => on), curve("unpumped", ({ off }) => off)], yLabel, ...head },
    { series: [ratio], xLabel, yLabel: "pumped / unpumped" },
  ];
}

function parseBins(text: string): [number, number, number] {
  const [from, to, step, ...rest] = text.split(",").map(Number);
  if (from === undefined || to === undefined || !(step !== undefined && step > 0) || !(from < to) || rest.length > 0)
    throw new InvalidArgumentError("It must be three numbers, from,to,step.");
  return [from, to, step];
}
