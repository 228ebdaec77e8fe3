import { type Command, InvalidArgumentError } from "commander";
import { badArgument } from "../core/guards.ts";
import { defined } from "../core/options.ts";
import type { SplitDelay } from "../optics/index.ts";
import { textTable } from "../plot/text.ts";
import {
  type AlignmentStep,
  type AlignSplitDelayOptions,
  alignSplitDelay,
  type DryRun,
  type SplitDelayAlignment,
} from "../scan/index.ts";
import { type CommandResult, declare, parseCount, parseNumber, type Session } from "./command.ts";
import { contextOf, requireSignals } from "./commands/scan.ts";
import { cell, view } from "./control.ts";
import { type PointFlags, tellEnd, withPoints } from "./curve-options.ts";
import { checkFolder, type Io } from "./io.ts";
import { type CorrectionOptions, knobsNow, splitDelayOf, withCorrection } from "./optics.ts";
import { type ScanningOptions, withScanning } from "./scan-options.ts";
import { type Ahead, runPlan } from "./scanning.ts";

interface AlignOptions extends ScanningOptions, CorrectionOptions, PointFlags {
  readonly energy?: number;
  readonly half: number;
  readonly halfPs: number;
  readonly points: number;
}

type FromExperiment = "optics" | "monitors" | "position" | "correlation" | "visibility";
type AlignSettings = Omit<AlignSplitDelayOptions, FromExperiment> & CorrectionOptions;

/** `sacla sdo align`: the whole alignment at delay 0, step after step. */
export function addAlign(group: Command, io: Io): void {
  declare<AlignOptions, []>(
    group,
    io,
    "align",
    "align all crystals and bring both branches together at delay 0: place, delay and photon energy",
    (command) =>
      withScanning(
        withPoints(
          withCorrection(command)
            .option("--energy <ev>", "photon energy (default: where the optics are)", parseNumber)
            .option("--half <urad>", "how far crystals are turned to both sides, µrad", parseNumber, 100)
            .option("--half-ps <ps>", "how far delay 0 is looked for to both sides, ps", parseNumber, 0.15)
            .option("--points <n>", "of each scan", parseCount, 41),
          8,
        ),
      ),
    async (session, options) => {
      const split = await splitDelayOf(session, options, true);
      const { monitors, position, correlation, visibility } = signalsOf(split);
      const photonEnergyEv = options.energy ?? (await knobsNow(await view(session), split.optics)).photonEnergyEv;
      const rocked = Object.values(monitors).flatMap((each) => [each.signalName, each.normaliseBy]);
      await requireSignals(session, [...new Set([...rocked, position.signalName, correlation, visibility])]);
      const settings: AlignSettings = {
        photonEnergyEv,
        halfUrad: options.half,
        halfPs: options.halfPs,
        points: options.points,
        shots: options.shots,
        settleSeconds: options.settle,
        learntAt: new Date().toISOString(),
        ...defined({ shutter: options.shutter, correction: options.correction }),
      };
      return await runAlign(session, options, settings, { command: "sdo align", settings, ...contextOf(options) });
    },
  );
}

/** The signals that the experiment file names. @throws BAD_ARGUMENT when it does not */
function signalsOf({ monitors, position, correlation, visibility }: Awaited<ReturnType<typeof splitDelayOf>>) {
  if (
    Object.keys(monitors).length > 0 &&
    position !== undefined &&
    correlation !== undefined &&
    visibility !== undefined
  )
    return { monitors, position, correlation, visibility };
  const named = Object.keys(defined({ position, correlation, visibility }));
  throw badArgument("optics.splitDelay", named, "monitors, position, correlation and visibility (docs/optics.md)");
}

/** Runs it, or goes on with it, and stores the correction when no step has failed. */
export async function runAlign(
  session: Session,
  options: ScanningOptions,
  { correction, ...settings }: AlignSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const split = await splitDelayOf(session, { ...options, ...defined({ correction }) }, true);
  const { optics, file } = split;
  if (file === undefined)
    throw new InvalidArgumentError(
      "--correction FILE is needed: the experiment file names no optics.splitDelay.correction.",
    );
  checkFolder(file, " Nothing was moved.");
  const given = { ...settings, optics, ...signalsOf(split) };
  const plan = alignSplitDelay(given);
  const answer = await runPlan(session, options, plan, context, resumes, await waysOf(session, optics));
  let isDone = true;
  const told = tellEnd(plan, answer, (result) => {
    ({ isDone } = result);
    if (isDone) session.io.writeFile(file, `${JSON.stringify(result.correction, null, 2)}\n`);
    return endText(result, file);
  });
  return isDone ? told : { ...told, exitCode: 1 };
}

/** Where each axis is now, where it goes first, and between which places it is scanned. */
export async function waysOf(session: Session, optics: SplitDelay): Promise<Ahead> {
  const looking = await view(session);
  const names = optics.axisNames;
  const now = await Promise.all(names.map(async (name) => await looking.axis(name).position()));
  return ({ path }: DryRun) => {
    const axes = names.map((name, i) => {
      const places = path.map((at) => at[name] ?? NaN);
      const [willBe = NaN] = places;
      const { unit } = looking.axis(name);
      return { name, now: now[i] ?? NaN, willBe, from: Math.min(...places), to: Math.max(...places), unit };
    });
    const rows = axes.map(({ name, unit, ...at }) => [name, ...[at.now, at.willBe, at.from, at.to].map(cell), unit]);
    return { json: { axes }, text: textTable(["name", "now", "will be", "scanned from", "to", "unit"], rows) };
  };
}

function endText({ steps, isDone }: SplitDelayAlignment, file: string): string {
  const digits = (value: number | undefined): string =>
    value === undefined || !Number.isFinite(value) ? "" : String(Number(value.toPrecision(3)));
  const signal = (point: AlignmentStep["before"]): string =>
    point === null ? "" : `${digits(point.mean)} ± ${digits(point.standardError)}`;
  const rows = steps.map(({ step, unit, outcome, why, found, error, before, after }) => [
    step,
    Number.isFinite(found) ? `${digits(found)} ± ${digits(error)} ${unit}` : "",
    outcome === "not-tried" ? "not tried" : outcome,
    signal(before),
    signal(after),
    why,
  ]);
  const failed = steps.find(({ outcome }) => outcome === "failed")?.step ?? "";
  const end = isDone
    ? `aligned: delay 0, both branches together; what was learnt is in ${file}`
    : `not aligned: ${failed} failed, and all axes stand where the steps before have left them; ${file} is as it was`;
  return `${textTable(["step", "was off by", "", "signal before", "after", "why"], rows)}\n${end}`;
}
