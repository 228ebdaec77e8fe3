import { type Command, InvalidArgumentError, Option } from "commander";
import { isSaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { defined } from "../../core/options.ts";
import { type Run, type TimingEdges, timingEdges } from "../../db/index.ts";
import { linePlot, textTable } from "../../plot/index.ts";
import type { DelayStage, JitterOptions } from "../../reduce/index.ts";
import { type DelayPoint, type DelayScanFit, fittedChange } from "../../scan/index.ts";
import { analyseDelayScan, type DelayScan, type DelayScanOptions, TimingDb } from "../../timing/index.ts";
import { ledgerLine } from "../average-run.ts";
import {
  type AddCommand,
  type CommandResult,
  declare,
  declareSubcommands,
  findRun,
  parseFileName,
  parseNumber,
  parseWhole,
  runArgument,
  type Session,
} from "../command.ts";
import { addLiveDelayScan, addSharedDelayScan, lifetimeText } from "../delay-sweeps.ts";
import { checkFolder, type Io } from "../io.ts";
import { readText } from "../read-text.ts";
import { rangeOf } from "../tma-range.ts";

interface Options {
  readonly of?: string;
  readonly detector?: string;
  readonly roi?: readonly [number, number, number, number];
  readonly i0?: string;
  readonly stage: string;
  readonly fsPerPulse: number;
  readonly zero?: number;
  readonly edges?: string;
  readonly tma?: number;
  readonly db: string;
  readonly fsPerPixel?: number;
  readonly zeroPixel?: number;
  readonly estimator: "fitting" | "derivative";
  readonly sign: "1" | "-1";
  readonly offset?: boolean;
  readonly robust?: boolean;
  readonly out?: string;
  readonly plot?: string;
}

/** With the other sign of the timing monitor's scale, χ² must be less than so much of it to be told. */
const LESS_SCATTER = 0.8;
/** Points of the curve that people look at. */
const SHOWN = 40;

/** `sacla delay-scan RUN`: a stored pump–probe scan to time zero, rise, lifetime and amplitude. */
export const delayScan: AddCommand = (program, io) => {
  declare<Options, [number | "newest"]>(
    program,
    io,
    "delay-scan",
    "time zero, rise, lifetime and amplitude of a stored pump-probe scan; or scan until they are known: live, shared",
    configure,
    async (session, options, [number]) => {
      for (const file of [options.out, options.plot]) if (file !== undefined) checkFolder(file);
      return await analyse(session, options, await findRun(session, number), io);
    },
  );
  declareSubcommands(program, io, "delay-scan", [addLiveDelayScan, addSharedDelayScan]);
};

function configure(command: Command): Command {
  return command
    .addArgument(runArgument())
    .option("--of <signal>", "0-D signal that the pump changes, such as a diode")
    .option("--detector <id>", "or a sensor, with --roi")
    .option("--roi <r0,r1,c0,c1>", "rows and columns of the sensor that are summed, ends excluded", parseRoi)
    .option("--i0 <signal>", "what each shot is divided by (default: charge of BM1)")
    .option("--stage <signal>", "position of the pump's delay stage", "xfel_bl_3_st_2_motor_1/position")
    .option("--fs-per-pulse <fs>", "time of one pulse of the stage, there and back", parseNumber, 6.671281904)
    .option("--zero <pulse>", "reading of the stage near time zero (default: the middle of the scan)", parseNumber)
    .option("--edges <csv>", "edges of the timing monitor (default: those that the source has)")
    .option("--tma <id>", "or those of this id in the user database", parseWhole)
    .option("--db <file>", "user database of --tma", "tma.sqlite")
    .option("--fs-per-pixel <fs>", "scale of the timing monitor; without it the jitter is not corrected", parseNumber)
    .option("--zero-pixel <px>", "edge at which time zero holds (default: the median edge)", parseNumber)
    .addOption(new Option("--estimator <name>", "which edges").choices(["fitting", "derivative"]).default("fitting"))
    .addOption(
      new Option("--sign <sign>", "-1 where larger readings are earlier X-rays").choices(["1", "-1"]).default("1"),
    )
    .option("--offset", "part of the change stays: fit a step beside the decay")
    .option("--robust", "shots far off the curve do not decide")
    .option("-o, --out <file>", "write the curve as CSV, one line for each shot or group of shots")
    .option("--plot <file>", "write curve and fit as an SVG plot", parseFileName(".svg"));
}

function parseRoi(text: string): readonly [number, number, number, number] {
  const [r0, r1, c0, c1, ...rest] = text.split(",").map(Number);
  const all = [r0, r1, c0, c1];
  if (rest.length > 0 || r0 === undefined || r1 === undefined || c0 === undefined || c1 === undefined)
    throw new InvalidArgumentError("It must be four whole numbers: first row, end, first column, end.");
  if (!all.every((each) => Number.isInteger(each))) throw new InvalidArgumentError("It must be four whole numbers.");
  return [r0, r1, c0, c1];
}

async function analyse(session: Session, options: Options, run: Run, io: Io): Promise<CommandResult> {
  const { signal } = session;
  const stage: DelayStage = {
    equipId: options.stage,
    fsPerPulse: options.fsPerPulse,
    zeroPulse: options.zero ?? (await middleOf(run, options.stage, signal)),
  };
  const jitter = await jitterOf(session, options, run);
  const of = targetOf(options);
  const analysed = async (timing?: JitterOptions) =>
    analyseDelayScan(session.facility.st, {
      run,
      of,
      stage,
      sign: options.sign === "1" ? 1 : -1,
      offset: options.offset,
      robust: options.robust,
      signal,
      ...defined({ normaliseBy: options.i0, jitter: timing }),
    });
  const found = await session.progress(`run ${run.number}`, async () => analysed(jitter));
  if (jitter !== undefined) await warnOfSign(io, jitter, found.fit, analysed);
  const { fit, t0Pulse, t0ErrorPulse, ledger } = found;
  const { curve, ...numbers } = fit;
  if (options.out !== undefined) io.writeFile(options.out, csvOf(curve));
  if (options.plot !== undefined) io.writeFile(options.plot, plotOf(fit, `run ${run.number}`));
  const timing = jitter === undefined ? null : { fsPerPixel: jitter.fsPerPixel, zeroPixel: jitter.zeroPixel };
  const files = [options.out, options.plot].filter((file) => file !== undefined);
  return {
    json: { bl: run.bl, run: run.number, of, stage, timing, t0Pulse, t0ErrorPulse, ...numbers, files, ledger },
    text: [
      textOf(fit, `${t0Pulse.toFixed(2)} ± ${t0ErrorPulse.toFixed(2)} pulses of ${options.stage}`),
      timing === null
        ? "not corrected for jitter: give --fs-per-pixel, and --edges or --tma"
        : `corrected for jitter: ${timing.fsPerPixel} fs per pixel; time zero is that of an edge at pixel ` +
          `${Number(timing.zeroPixel.toFixed(2))}`,
      ...files,
      ledgerLine(ledger),
    ].join("\n"),
  };
}

/** Edges with the wrong sign double the jitter: seen where shots scatter more than their errors. */
async function warnOfSign(
  io: Io,
  jitter: JitterOptions,
  { errorScale, reducedChiSquare }: DelayScanFit,
  analysed: (jitter: JitterOptions) => Promise<DelayScan>,
): Promise<void> {
  if (!(errorScale > 1)) return;
  const turned = { ...jitter, fsPerPixel: -jitter.fsPerPixel };
  try {
    const { fit } = await analysed(turned);
    if (!(fit.reducedChiSquare < LESS_SCATTER * reducedChiSquare)) return;
    io.err(
      `warning: shots scatter less with --fs-per-pixel ${turned.fsPerPixel}: χ² per degree of freedom ` +
        `${fit.reducedChiSquare.toFixed(2)} instead of ${reducedChiSquare.toFixed(2)}; is the sign right?\n`,
    );
  } catch (error) {
    if (!isSaclaError(error, "NO_STEP")) throw error;
  }
}

function targetOf({ of, detector, roi }: Options): DelayScanOptions["of"] {
  if (of !== undefined && detector === undefined && roi === undefined) return of;
  if (of === undefined && detector !== undefined && roi !== undefined)
    return { detector, roi: { rows: [roi[0], roi[1]], columns: [roi[2], roi[3]] } };
  throw badArgument("what the pump changes", of ?? detector, "--of SIGNAL, or --detector ID with --roi");
}

async function middleOf(run: Run, stage: string, signal: AbortSignal): Promise<number> {
  const positions = (await run.column(stage, undefined, { signal })).values.filter(Number.isFinite).sort();
  const [first, last] = [positions[0], positions.at(-1)];
  if (first === undefined || last === undefined)
    throw badArgument("--stage", stage, "an axis with a position at some shots");
  return Math.round((first + last) / 2);
}

async function jitterOf(session: Session, options: Options, run: Run): Promise<JitterOptions | undefined> {
  const { fsPerPixel, zeroPixel, estimator } = options;
  const isNamed = options.edges !== undefined || options.tma !== undefined;
  if (fsPerPixel === undefined) {
    if (isNamed || zeroPixel !== undefined)
      throw badArgument("--fs-per-pixel", undefined, "the scale of the timing monitor, such as sacla tma scale gives");
    return undefined;
  }
  const edges = await edgesOf(session, options, run);
  const pixels = (estimator === "fitting" ? edges.fittingPx : edges.derivativePx).filter(Number.isFinite).sort();
  const median = pixels[pixels.length >> 1];
  if (median === undefined) throw badArgument("edges", "no edge at any shot", "edges at some shots");
  return { edges, fsPerPixel, zeroPixel: zeroPixel ?? median, estimator };
}

async function edgesOf(session: Session, options: Options, run: Run): Promise<TimingEdges> {
  if (options.edges !== undefined) return timingEdges(readText(options.edges, "the edges"));
  if (options.tma !== undefined) {
    using db = TimingDb.open(options.db);
    return db.edges(options.tma, await rangeOf(session, { db: options.db, run: run.number }), false);
  }
  try {
    return await run.timingEdges({ signal: session.signal });
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED")) throw error;
    throw badArgument("--edges", undefined, "a CSV of the timing monitor, or --tma ID: this source has no edges");
  }
}

function textOf(fit: DelayScanFit, t0: string): string {
  const percent = (value: number, error: number): string =>
    `${(100 * value).toFixed(2)} ± ${(100 * error).toFixed(2)} %`;
  const rows = [
    ["time zero", t0],
    ["rise", `${fit.riseFs.toFixed(1)} ± ${fit.riseErrorFs.toFixed(1)} fs rms`],
    ["lifetime", lifetimeText(fit)],
    ["change that decays", percent(fit.amplitude, fit.amplitudeError)],
    ...(fit.offsetError === 0 ? [] : [["change that stays", percent(fit.offset, fit.offsetError)]]),
    ["change before", percent(fit.background, fit.backgroundError)],
    ...(fit.drift < 0.01 ? [] : [["unpumped shots drifted", `${(100 * fit.drift).toFixed(0)} %`]]),
    ["shots", `${fit.shots.pumped} pumped, ${fit.shots.unpumped} unpumped`],
    ["χ² per degree of freedom", fit.reducedChiSquare.toFixed(2)],
  ];
  return textTable(["", ""], rows);
}

function csvOf(curve: readonly DelayPoint[]): string {
  const rows = curve.map(({ delayFs, change, error, shots }) =>
    [delayFs.toFixed(2), change.toPrecision(7), error.toPrecision(4), shots].join(","),
  );
  return `delay_fs,change,error,shots\n${rows.join("\n")}\n`;
}

/** Of many points, some next to each other are shown as one. */
function plotOf(fit: DelayScanFit, title: string): string {
  const size = Math.max(1, Math.ceil(fit.curve.length / SHOWN));
  const groups = Array.from({ length: Math.ceil(fit.curve.length / size) }, (_, k) =>
    fit.curve.slice(k * size, (k + 1) * size),
  );
  const mean = (group: readonly DelayPoint[], of: (point: DelayPoint) => number): number => {
    const weight = group.reduce((sum, { error }) => sum + error ** -2, 0);
    return group.reduce((sum, point) => sum + of(point) / point.error ** 2, 0) / weight;
  };
  const points = {
    label: "on/off − 1",
    x: groups.map((group) => mean(group, ({ delayFs }) => delayFs)),
    y: groups.map((group) => 100 * mean(group, ({ change }) => change)),
    error: groups.map((group) => 100 / Math.sqrt(group.reduce((sum, { error }) => sum + error ** -2, 0))),
    style: "points",
  } as const;
  const x = curveDelays(fit);
  const line = { label: "fit", x, y: x.map((delay) => 100 * fittedChange(fit, delay)), style: "line" } as const;
  return linePlot([points, line], { title, xLabel: "delay (fs)", yLabel: "on/off − 1 (%)" });
}

/** Delays at which the curve is drawn, from the first point to the last: close together where it rises. */
export function curveDelays({ curve, t0Fs, riseFs, lifetimeFs }: DelayScanFit): number[] {
  const [first, last] = [curve[0]?.delayFs ?? NaN, curve.at(-1)?.delayFs ?? NaN];
  const spread = (from: number, to: number, count: number): number[] =>
    Array.from({ length: count + 1 }, (_, k) => from + (k * (to - from)) / count);
  const all = [
    ...spread(first, last, 100),
    ...spread(t0Fs - 4 * riseFs, t0Fs + 4 * riseFs, 100),
    ...spread(t0Fs, t0Fs + 5 * lifetimeFs, 100),
  ];
  return all.filter((delay) => delay >= first && delay <= last).sort((a, b) => a - b);
}
