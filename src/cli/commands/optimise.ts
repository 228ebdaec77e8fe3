import { badArgument } from "../../core/guards.ts";
import { defined } from "../../core/options.ts";
import type { ControlView } from "../../ec/index.ts";
import { type Knob, type OptimiseOptions, optimise as optimisation } from "../../scan/index.ts";
import { type AddCommand, declare, parseCount, parseNumber, parseWhole } from "../command.ts";
import { view } from "../control.ts";
import { shutterOption, whereOption } from "../curve-options.ts";
import { conditionsOf } from "../scan-beam.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { contextOf, requireSignals } from "./scan.ts";

interface Options extends ScanningOptions {
  readonly signal: string;
  readonly shots: number;
  readonly budget: number;
  readonly verify?: number;
  readonly minimum?: boolean;
  readonly simplex?: boolean;
  readonly shutter?: readonly string[];
  readonly settle: number;
  readonly where: string[];
  readonly seed: number;
}

/** `sacla optimise NAME=FROM:TO:STEP … --signal ID`: turns knobs to where a signal is greatest. */
export const optimise: AddCommand = (program, io) =>
  declare<Options, [readonly string[]]>(
    program,
    io,
    "optimise",
    "turn axes, settings or parameters of the accelerator to where a signal is greatest; ends at a verified place",
    (command) =>
      withScanning(
        command
          .argument("<knob...>", "NAME=FROM:TO:STEP, STEP the furthest it goes at once")
          .requiredOption("--signal <id>", "what is to become greatest: a 0-D signal")
          .option("--minimum", "least instead of greatest")
          .option("--shots <n>", "good shots at each point", parseCount, 5)
          .option("--budget <n>", "most shots in all", parseCount, 300)
          .option("--verify <n>", "shots at the best place and at the start, compared in the end", parseWhole)
          .option("--simplex", "Nelder and Mead instead of Bayesian: for signals with little noise")
          .addOption(shutterOption("the shots of each point"))
          .addOption(whereOption())
          .option("--settle <s>", "seconds between a change and the first shot", parseNumber, 0)
          .option("--seed <n>", "of the places that are looked at", parseWhole, 1),
      ),
    async (session, options, [texts]) => {
      const { signal, normalise: per, shots: count, budget, shutter, where } = options;
      const signals = per === undefined ? [signal] : [signal, per];
      const good = await conditionsOf(session, where);
      await requireSignals(session, [...signals, ...(good.conditions ?? []).map(({ signalName }) => signalName)]);
      const control = await view(session);
      const knobs: Record<string, Knob> = {};
      for (const text of texts) {
        const [name, range] = rangeOf(text);
        if (Object.hasOwn(knobs, name)) throw badArgument("knob", text, `${name} once only`);
        knobs[name] = await knobOf(control, name, range);
      }
      const settings: OptimiseOptions = {
        knobs,
        signalName: signal,
        shots: { count, signals, ...good },
        goal: options.minimum === true ? "minimum" : "maximum",
        method: options.simplex === true ? "simplex" : "bayesian",
        budget,
        settleSeconds: options.settle,
        seed: options.seed,
        ...defined({ normaliseBy: per, verifyShots: options.verify, shutter }),
      };
      const context = { command: "optimise", settings, ...contextOf(options) };
      return await runPlan(session, options, optimisation(settings), context);
    },
  );

type Range = readonly [from: number, to: number, step: number];

function rangeOf(text: string): [name: string, range: Range] {
  const [, name, from, to, step] = /^([^=]+)=([^:]+):([^:]+):([^:]+)$/.exec(text) ?? [];
  const range = [from, to, step].map((part) => (part === undefined || part.trim() === "" ? NaN : Number(part)));
  const [low = NaN, high = NaN, furthest = NaN] = range;
  if (name === undefined || !range.every(Number.isFinite)) throw badArgument("knob", text, "NAME=FROM:TO:STEP");
  return [name, [low, high, furthest]];
}

/** How a knob is turned, and where it is; its whole range must be allowed. @throws LIMIT, UNKNOWN_DEVICE */
async function knobOf(control: ControlView, name: string, [from, to, step]: Range): Promise<Knob> {
  const setting = control.findSetting(name);
  if (setting === undefined) {
    const axis = control.axis(name);
    const { limits } = axis;
    if (limits !== "unlimited" && [from, to].some((end) => axis.problem(end) !== ""))
      throw badArgument(`range of ${name}`, `${from} to ${to}`, `within its limits, ${limits.from} to ${limits.to}`);
    return { from, to, step, start: await axis.position() };
  }
  const by = setting.info.role === "accelerator" ? "request" : "setting";
  const start = await setting.value();
  if (typeof start !== "number") throw badArgument("knob", name, "a setting that is a number");
  for (const value of [from, to]) {
    if (by === "request") control.checkRequest(name, value);
    else {
      const why = setting.problem(value);
      if (why !== "") throw badArgument(`range of ${name}`, value, `allowed: ${why}`);
    }
  }
  return { from, to, step, by, start };
}
