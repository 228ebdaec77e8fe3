import type { Command } from "commander";
import { badArgument } from "../core/guards.ts";
import { defined } from "../core/options.ts";
import { unitFactor } from "../core/quantities.ts";
import { counted } from "../core/show.ts";
import { textTable } from "../plot/text.ts";
import { leastLifetime } from "../scan/fits/decay.ts";
import { type DelayScanFit, type DelaySweeps, delaySweeps, type SharedScan, sharedScan } from "../scan/index.ts";
import { type CommandResult, declare, parseCount, parseNumber, type Session } from "./command.ts";
import { contextOf, requireSignals } from "./commands/scan.ts";
import { view } from "./control.ts";
import { shutterOption, tellEnd, whereOption } from "./curve-options.ts";
import type { Io } from "./io.ts";
import { conditionsOf } from "./scan-beam.ts";
import { type ScanningOptions, withScanning } from "./scan-options.ts";
import { runPlan } from "./scanning.ts";

type SweepSettings = Parameters<typeof delaySweeps>[0];

interface Options extends ScanningOptions {
  readonly of: string;
  readonly pumped: string;
  readonly i0: string;
  readonly t0Error: number;
  readonly shots: number;
  readonly most: number;
  readonly fsPerUnit?: number;
  readonly edgeSignal?: string;
  readonly fsPerPixel?: number;
  readonly zeroPixel: number;
  readonly offset?: boolean;
  readonly where: string[];
  readonly shutter?: readonly string[];
}

/** `sacla delay-scan live AXIS FROM TO`: fast sweeps until time zero is as precise as asked. */
export function addLiveDelayScan(group: Command, io: Io): void {
  declare<Options, [string, number, number]>(
    group,
    io,
    "live",
    "sweep a delay stage to and fro until time zero is as precise as asked: shows what it takes, then asks",
    (command) =>
      withScanning(
        command
          .argument("<axis>", "name of the experiment file, which has a signal of the same name")
          .argument("<from>", "in the unit of the axis", parseNumber)
          .argument("<to>", "included", parseNumber)
          .requiredOption("--of <signal>", "0-D signal that the pump changes")
          .requiredOption("--pumped <signal>", "1 at pumped shots, 0 at the others")
          .requiredOption("--i0 <signal>", "what each shot is divided by")
          .option("--t0-error <fs>", "ends when the error of time zero is no larger", parseNumber, 10)
          .option("--shots <n>", "shots of one sweep: they give its speed", parseCount, 600)
          .option("--most <n>", "ends after so many sweeps", parseCount, 50)
          .option(
            "--fs-per-unit <fs>",
            "delay of one unit of the axis; negative where it is earlier (default: its unit of time)",
            parseNumber,
          )
          .option("--edge-signal <id>", "0-D signal with the timing monitor's edge, where it comes live")
          .option("--fs-per-pixel <fs>", "its scale", parseNumber)
          .option("--zero-pixel <px>", "edge at which time zero holds", parseNumber, 1000)
          .option("--offset", "part of the change stays: fit a step beside the decay")
          .addOption(whereOption())
          .addOption(shutterOption("each sweep")),
      ),
    async (session, options, [axis, from, to]) => {
      const { of, pumped, i0, edgeSignal: signalName, fsPerPixel, zeroPixel } = options;
      if ((signalName === undefined) !== (fsPerPixel === undefined))
        throw badArgument("--edge-signal, --fs-per-pixel", signalName ?? fsPerPixel, "both, or none of them");
      const jitter =
        signalName === undefined || fsPerPixel === undefined ? undefined : { signalName, fsPerPixel, zeroPixel };
      await requireSignals(session, [of, pumped, i0, ...(jitter === undefined ? [] : [jitter.signalName])]);
      const settings: SweepSettings = {
        axis,
        from,
        to,
        shots: options.shots,
        signalName: of,
        normaliseBy: i0,
        pumpedBy: pumped,
        fsPerUnit: options.fsPerUnit ?? fsIn((await view(session)).axis(axis)),
        t0ErrorFs: options.t0Error,
        mostSweeps: options.most,
        ...(await conditionsOf(session, options.where)),
        ...defined({ jitter, offset: options.offset, shutter: options.shutter }),
      };
      const context = { command: "delay-scan live", settings, ...contextOf(options) };
      return await runSweeps(session, options, settings, context);
    },
  );
}

/** @throws BAD_ARGUMENT for an axis that is not in a unit of time */
function fsIn({ name, unit }: { readonly name: string; readonly unit: string }): number {
  const fs = unitFactor(unit, "fs");
  if (fs === undefined)
    throw badArgument("--fs-per-unit", undefined, `given: ${name} is in ${unit || "no unit"}, which is no time`);
  return fs;
}

type SharedSettings = Parameters<typeof sharedScan>[0];

interface SharedOptions extends ScanningOptions {
  readonly of: string;
  readonly pumped?: string;
  readonly i0?: string;
  readonly error: number;
  readonly pilot: number;
  readonly most: number;
  readonly where: string[];
  readonly shutter?: readonly string[];
  readonly settle: number;
}

/** `sacla delay-scan shared AXIS FROM TO POINTS`: shots shared between the delays by their variance. */
export function addSharedDelayScan(group: Command, io: Io): void {
  declare<SharedOptions, [string, number, number, number]>(
    group,
    io,
    "shared",
    "a scan by steps until every point is as precise as asked: shots go to the delays that scatter most",
    (command) =>
      withScanning(
        command
          .argument("<axis>", "name of the experiment file, or control name")
          .argument("<from>", "in the unit of the axis", parseNumber)
          .argument("<to>", "included", parseNumber)
          .argument("<points>", "number of delays", parseCount)
          .requiredOption("--of <signal>", "0-D signal that the pump changes")
          .option("--pumped <signal>", "1 at pumped shots, 0 at the others: the curve is on/off − 1")
          .option("--i0 <signal>", "what each shot is divided by: the curve is of ratios of sums")
          .requiredOption(
            "--error <number>",
            "largest standard error of a point, in the unit of the curve",
            parseNumber,
          )
          .option("--pilot <n>", "good shots at each point of the first round", parseCount, 30)
          .option("--most <n>", "good shots of the whole scan at most", parseCount, 100_000)
          .addOption(whereOption())
          .addOption(shutterOption("the shots of each point"))
          .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0),
      ),
    async (session, options, [axis, from, to, points]) => {
      const { of, pumped, i0, where, shutter } = options;
      await requireSignals(
        session,
        [of, pumped, i0].filter((name) => name !== undefined),
      );
      const settings: SharedSettings = {
        ...{ axis, from, to, points },
        signalName: of,
        error: options.error,
        pilotShots: options.pilot,
        mostShots: options.most,
        settleSeconds: options.settle,
        ...(await conditionsOf(session, where)),
        ...defined({ pumpedBy: pumped, normaliseBy: i0, shutter }),
      };
      const context = { command: "delay-scan shared", settings, ...contextOf(options) };
      return await runShared(session, options, settings, context);
    },
  );
}

/** Runs it, or goes on with it, and shows its points. */
export async function runShared(
  session: Session,
  options: ScanningOptions,
  settings: SharedSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const plan = sharedScan(settings);
  const { unit } = (await view(session)).axis(settings.axis);
  return tellEnd(plan, await runPlan(session, options, plan, context, resumes), (found) => pointsText(found, unit));
}

function pointsText({ points, shots, rounds, outcome }: SharedScan, unit: string): string {
  const rows = points.map(({ at, value, error, shots: count }) => [
    Number(at.toPrecision(9)),
    value.toPrecision(5),
    error.toPrecision(2),
    count,
  ]);
  const ends = {
    precise: "every point is as precise as asked",
    "most-shots": "the most shots are used: not every point is as precise as asked",
    "no-number": "a point has no number: look at the signals there",
  } as const;
  const most = points.length * Math.max(...points.map(({ shots: count }) => count));
  return [
    textTable([`at ${unit}`, "value", "error", "shots"], rows),
    `${ends[outcome]}: ${counted(shots, "shot")} in ${counted(rounds, "round")}; as many at each point: ${most}`,
  ].join("\n");
}

/** Runs them, or goes on with them, and says where time zero is. */
export async function runSweeps(
  session: Session,
  options: ScanningOptions,
  settings: SweepSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const plan = delaySweeps(settings);
  return tellEnd(plan, await runPlan(session, options, plan, context, resumes), endText);
}

function endText({ fit, sweeps, outcome }: DelaySweeps): string {
  const how = outcome === "precise" ? "as precise as asked" : "not as precise as asked";
  if (fit === null)
    return `no time zero after ${counted(sweeps, "sweep")}: look further, or check pump, overlap and signal`;
  return (
    `time zero ${fit.t0Fs.toFixed(1)} ± ${fit.t0ErrorFs.toFixed(1)} fs (${how} after ${counted(sweeps, "sweep")}), ` +
    `rise ${fit.riseFs.toFixed(0)} ± ${fit.riseErrorFs.toFixed(0)} fs rms, ` +
    `lifetime ${lifetimeText(fit)}, ` +
    `change ${(100 * fit.amplitude).toFixed(2)} ± ${(100 * fit.amplitudeError).toFixed(2)} %`
  );
}

/** A lifetime with its error, or the least that it is where the scan shows no end of the change. */
export function lifetimeText({
  lifetimeFs,
  lifetimeErrorFs,
}: Pick<DelayScanFit, "lifetimeFs" | "lifetimeErrorFs">): string {
  if (3 * lifetimeErrorFs < lifetimeFs) return `${lifetimeFs.toFixed(0)} ± ${lifetimeErrorFs.toFixed(0)} fs`;
  return `longer than ${leastLifetime(lifetimeFs, lifetimeErrorFs).toFixed(0)} fs (3 σ)`;
}
