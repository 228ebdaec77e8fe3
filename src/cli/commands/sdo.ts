import { type Command, InvalidArgumentError } from "commander";
import { isSaclaError, toSaclaError } from "../../core/errors.ts";
import { defined } from "../../core/options.ts";
import { ratioOfSums } from "../../core/ratio.ts";
import { counted } from "../../core/show.ts";
import { signalId } from "../../ec/experiment.ts";
import type { ControlView } from "../../ec/index.ts";
import {
  type KnobRange,
  type LimitsByAxis,
  type SplitDelay,
  type SplitDelayCorrection,
  siliconReflection,
} from "../../optics/index.ts";
import { type FoundZeroDelay, findZeroDelay, learnSplitDelay } from "../../scan/index.ts";
import {
  type AddCommand,
  type CommandResult,
  declare,
  declareSubcommands,
  inUnit,
  parseCount,
  parseNumber,
  parseTyped,
  type Session,
  type Typed,
} from "../command.ts";
import { type ChangeOptions, cell, doMove, view, withChange } from "../control.ts";
import { curveSettings, type PointFlags, tellEnd, withPoints } from "../curve-options.ts";
import { checkFolder, type Io } from "../io.ts";
import { type CorrectionOptions, type Knobs, knobsNow, splitDelayOf, withCorrection } from "../optics.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { addAlign, waysOf } from "../sdo-align.ts";
import { contextOf, requireSignals } from "./scan.ts";

type MoveOptions = ChangeOptions & CorrectionOptions;
interface Targets {
  readonly delay?: Typed;
  readonly energy?: Typed;
}

interface LearnOptions extends ScanningOptions, CorrectionOptions, PointFlags {
  readonly delays: readonly number[];
  readonly energy?: number;
  readonly half: number;
  readonly points: number;
}

/** What the plans take but for the optics, which the experiment file says, and the file that was named for them. */
type LearnSettings = Omit<Parameters<typeof learnSplitDelay>[0], "optics" | "monitors"> & CorrectionOptions;
type ZeroSettings = Omit<Parameters<typeof findZeroDelay>[0], "optics"> & CorrectionOptions;

interface ZeroOptions extends ScanningOptions, CorrectionOptions, PointFlags {
  readonly signal?: string;
  readonly energy?: number;
}

/** `sacla sdo [delay=PS] [energy=EV]`: split-delay optics as two knobs; `align`, `learn`, `zero` find errors. */
export const sdo: AddCommand = (program, io) => {
  declare<MoveOptions, [Targets]>(
    program,
    io,
    "sdo",
    "split-delay optics: delay and photon energy, how far they go, and where every motor would be; align, learn, zero",
    (command) =>
      withCorrection(
        withChange(
          command.argument(
            "[knob=value...]",
            "delay=PS, energy=EV, or as 500fs, 9keV; the one not named is held",
            parseKnob,
          ),
        ),
      ),
    async (session, options, [targets]) => {
      const looking = await view(session);
      const split = await splitDelayOf(session, options);
      const now = await knobsNow(looking, split.optics);
      // Without any, commander gives an empty list.
      if (Object.keys(targets).length === 0) return await shown(session, options, looking, split, now);
      const delay = targets.delay === undefined ? now.delayPs : inUnit(targets.delay, "ps", "the delay");
      const energy = targets.energy === undefined ? now.photonEnergyEv : inUnit(targets.energy, "eV", "the energy");
      const to = split.optics.positions({ delayPs: delay, photonEnergyEv: energy });
      const what = `split-delay optics to ${cell(delay)} ps at ${cell(energy)} eV`;
      return await doMove(session, options, what, await looking.plan(to), (control) => control.plan(to));
    },
  );
  declareSubcommands(program, io, "sdo", [addAlign, addLearn, addZero]);
};

async function shown(
  session: Session,
  options: MoveOptions,
  looking: ControlView,
  split: Awaited<ReturnType<typeof splitDelayOf>>,
  now: Knobs,
) {
  const { optics, file } = split;
  const { delayPs, photonEnergyEv, offUrad } = now;
  const limits: LimitsByAxis = Object.fromEntries(optics.axisNames.map((name) => [name, looking.axis(name).limits]));
  const reach = optics.reach(now, limits);
  const { psPerMm } = optics.geometry(photonEnergyEv);
  const { fwhmUrad } = siliconReflection(photonEnergyEv, optics.hkl);
  const branches = await branchesNow(session, split);
  const off = Object.entries(offUrad).map(([axis, urad]) => `${axis} ${urad.toFixed(1)}`);
  const { correction } = optics;
  return {
    json: {
      delayPs,
      photonEnergyEv,
      offUrad,
      reach,
      psPerMm,
      darwinUrad: fwhmUrad,
      branches,
      correction: correction ?? null,
    },
    text: [
      `delay ${delayPs.toFixed(4)} ps, photon energy ${photonEnergyEv.toFixed(2)} eV, ${psPerMm.toFixed(4)} ps/mm`,
      `reach of the delay at this energy: ${rangeText(reach.delayPs, "ps", 2)}`,
      `reach of the energy at this delay: ${rangeText(reach.photonEnergyEv, "eV", 0)}`,
      `angles against that of the splitter, µrad (a Darwin width is ${fwhmUrad.toFixed(1)}): ${off.join(", ")}`,
      correctionText(correction, file, options.correction),
      ...(branches === null ? [] : [branches.text]),
    ].join("\n"),
  };
}

function rangeText(range: KnobRange | null, unit: string, digits: number): string {
  if (range === null) return "nowhere: an axis is outside its limits";
  const { from, to, fromBy, toBy } = range;
  return `${from.toFixed(digits)} (${fromBy}) … ${to.toFixed(digits)} ${unit} (${toBy})`;
}

function correctionText(
  correction: SplitDelayCorrection | undefined,
  file: string | undefined,
  asked: string | false | undefined,
): string {
  if (asked === false) return "correction: none, as asked for";
  if (correction === undefined) return `correction: none yet${file === undefined ? "" : ` (${file})`}; sacla sdo learn`;
  const { learntAt, photonEnergyEv, gapMm } = correction;
  const axes = [...new Set([...Object.keys(correction.axes), ...Object.keys(correction.gapZeroMm)])];
  return (
    `correction: ${axes.join(", ")}; learnt ${learntAt} at ${photonEnergyEv.toFixed(0)} eV, gaps of ` +
    `${gapMm[0].toFixed(3)} to ${gapMm[1].toFixed(3)} mm (${file ?? ""})`
  );
}

/** Ticks that the branch intensities are taken over. */
const BRANCH_TICKS = 120;

/** How the light is shared between the branches just now; null where the experiment names no monitors of both. */
async function branchesNow(
  { facility, signal }: Session,
  { experiment, optics, monitors }: Awaited<ReturnType<typeof splitDelayOf>>,
): Promise<{ ratio: number; ratioError: number; shots: number; text: string } | null> {
  const [delay, fixed] = [monitors[optics.axes.bm], monitors[optics.axes.cc2]];
  if (delay === undefined || fixed === undefined) return null;
  const ids = [delay, fixed].map(({ signalName }) => signalId(experiment, signalName));
  try {
    const [hightag, newest] = await facility.db.readTagnumberNewest(ids[0] ?? "", { signal });
    const tags = Array.from({ length: Math.min(BRANCH_TICKS, newest) }, (_, i) => newest - i).reverse();
    const [a = [], b = []] = await Promise.all(
      ids.map(async (id) => await facility.db.readSyncdatalistFloat(id, hightag, tags, { signal })),
    );
    const { mean: ratio, standardError: ratioError, count: shots } = ratioOfSums([...a], [...b]);
    const text =
      shots === 0 || !(Math.abs(ratio) > 3 * ratioError)
        ? "branches: no light on their monitors now"
        : `branches: delay / fixed = ${ratio.toFixed(3)} ± ${ratioError.toFixed(3)} (${counted(shots, "shot")})`;
    return { ratio, ratioError, shots, text };
  } catch (error) {
    if (isSaclaError(error, "ABORTED")) throw error;
    return { ratio: NaN, ratioError: NaN, shots: 0, text: `branches: ${toSaclaError(error).message}` };
  }
}

function addLearn(group: Command, io: Io): void {
  declare<LearnOptions, []>(
    group,
    io,
    "learn",
    "align the crystals by rocking curves at some delays, and store what every axis has to be corrected by",
    (command) =>
      withScanning(
        withPoints(
          withCorrection(command)
            .requiredOption("--delays <ps,ps,…>", "where to align, ps", parseList)
            .option("--energy <ev>", "photon energy (default: where the optics are)", parseNumber)
            .option("--half <urad>", "how far each crystal is turned to both sides, µrad", parseNumber, 100)
            .option("--points <n>", "of each rocking curve", parseCount, 41),
          10,
        ),
      ),
    async (session, options) => {
      const { optics, monitors } = await splitDelayOf(session, options, true);
      const { delays: delaysPs, half: halfUrad, points, shots: count, settle: settleSeconds, shutter } = options;
      const photonEnergyEv = options.energy ?? (await knobsNow(await view(session), optics)).photonEnergyEv;
      const signals = [...new Set(Object.values(monitors).flatMap((each) => [each.signalName, each.normaliseBy]))];
      await requireSignals(session, signals);
      const settings: LearnSettings = {
        photonEnergyEv,
        delaysPs,
        halfUrad,
        points,
        shots: { count, signals },
        shutter,
        settleSeconds,
        learntAt: new Date().toISOString(),
        ...defined({ correction: options.correction }),
      };
      return await runLearn(session, options, settings, { command: "sdo learn", settings, ...contextOf(options) });
    },
  );
}

/** Runs it, or goes on with it, and stores the correction. */
export async function runLearn(
  session: Session,
  options: ScanningOptions,
  { correction, ...settings }: LearnSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const { optics, monitors, file } = await splitDelayOf(session, { ...options, ...defined({ correction }) }, true);
  const plan = learnSplitDelay({ ...settings, optics, monitors });
  return await learn({ session, options, plan, optics, file, context, resumes, correctionIn: (found) => found });
}

function addZero(group: Command, io: Io): void {
  declare<ZeroOptions, [number, number, number]>(
    group,
    io,
    "zero",
    "scan the delay for the peak of a signal, call that 0 from now on, and go there",
    (command) =>
      withScanning(
        withPoints(
          withCorrection(command)
            .argument("<from>", "ps", parseNumber)
            .argument("<to>", "ps, included", parseNumber)
            .argument("<points>", "number of delays", parseCount)
            .option("--signal <id>", "greatest at 0 (default: the visibility that the experiment file names)")
            .option("--energy <ev>", "photon energy (default: where the optics are)", parseNumber),
          20,
        ),
      ),
    async (session, options, [from, to, points]) => {
      const { optics, visibility } = await splitDelayOf(session, options, true);
      const signal = options.signal ?? visibility;
      if (signal === undefined)
        throw new InvalidArgumentError("--signal ID is needed: the experiment file names no visibility.");
      const photonEnergyEv = options.energy ?? (await knobsNow(await view(session), optics)).photonEnergyEv;
      const common = curveSettings({ ...options, signal }, {}, options.normalise, { from, to, points });
      await requireSignals(session, common.shots.signals ?? []);
      const settings: ZeroSettings = {
        ...common,
        photonEnergyEv,
        learntAt: new Date().toISOString(),
        ...defined({ correction: options.correction }),
      };
      return await runZero(session, options, settings, { command: "sdo zero", settings, ...contextOf(options) });
    },
  );
}

/** Runs it, or goes on with it, and stores the correction that knows the zero. */
export async function runZero(
  session: Session,
  options: ScanningOptions,
  { correction, ...settings }: ZeroSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const { optics, file } = await splitDelayOf(session, { ...options, ...defined({ correction }) }, true);
  const plan = findZeroDelay({ ...settings, optics });
  const say = ({ fit, standsAtPs }: FoundZeroDelay): string => {
    const fs = (ps: number): string => (1000 * ps).toFixed(2);
    const zero = `zero was at ${fs(fit.centre)} ± ${fs(fit.centreError)} fs (FWHM ${fs(fit.fwhm)} fs)`;
    return `${zero}; it is called 0 now, and the stages stand at ${fs(standsAtPs)} fs, the nearest whole pulses\n`;
  };
  return await learn({
    session,
    options,
    plan,
    optics,
    file,
    context,
    resumes,
    say,
    correctionIn: (found) => found.correction,
  });
}

/** Runs a plan that makes a correction, or goes on with it, and stores what it made. */
async function learn<R>({
  session,
  options,
  plan,
  optics,
  file,
  context,
  resumes,
  correctionIn,
  say = () => "",
}: {
  readonly session: Session;
  readonly options: ScanningOptions;
  readonly plan: Parameters<typeof tellEnd<R>>[0];
  readonly optics: SplitDelay;
  readonly file: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;
  readonly resumes: string | undefined;
  readonly correctionIn: (result: R) => SplitDelayCorrection;
  readonly say?: (result: R) => string;
}): Promise<CommandResult> {
  if (file === undefined)
    throw new InvalidArgumentError(
      "--correction FILE is needed: the experiment file names no optics.splitDelay.correction.",
    );
  checkFolder(file, " Nothing was moved.");
  const answer = await runPlan(session, options, plan, context, resumes, await waysOf(session, optics));
  return tellEnd(plan, answer, (result) => {
    session.io.writeFile(file, `${JSON.stringify(correctionIn(result), null, 2)}\n`);
    return `${say(result)}what was learnt is in ${file}`;
  });
}

function parseList(text: string): readonly number[] {
  return text.split(",").map(parseNumber);
}

function parseKnob(text: string, before: Targets | undefined): Targets {
  const [, name = "", value = ""] = /^(delay|energy)=(.+)$/.exec(text) ?? [];
  if (name === "") throw new InvalidArgumentError("It must be delay=PS or energy=EV.");
  if (Object.hasOwn(before ?? {}, name)) throw new InvalidArgumentError(`${name} can be given once only.`);
  return { ...before, [name]: parseTyped(value) };
}
