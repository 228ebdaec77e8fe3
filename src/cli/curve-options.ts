import { type Command, Option } from "commander";
import { defined } from "../core/options.ts";
import type { Plan, ShotsRequest } from "../scan/index.ts";
import { type CommandResult, collect, parseCount, parseNumber } from "./command.ts";
import type { ScanningOptions } from "./scan-options.ts";

/** How each point is measured. */
export interface PointFlags {
  readonly shots: number;
  readonly shutter?: readonly string[] | undefined;
  readonly settle: number;
}

/** The options of {@link PointFlags}. @param shots - where nothing is said */
export function withPoints(command: Command, shots: number): Command {
  return command
    .option("--shots <n>", "good shots at each point", parseCount, shots)
    .addOption(shutterOption("the shots of each point"))
    .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0);
}

/** `--shutter`, of each command that opens any. @param during - what it is opened for */
export function shutterOption(during: string): Option {
  const option = new Option("--shutter <name>", `opened for ${during}; can be repeated, in the order of opening`);
  return option.argParser((name: string, before: readonly string[] = []) => [...before, name]);
}

/** `--where` of commands that take shots; see `conditionsOf`. */
export function whereOption(): Option {
  const option = new Option(
    "--where <condition>",
    'what a good shot is: "i0 > 5nC", "4nC < i0 < 6nC"; can be repeated',
  );
  return option.default([], "every shot with beam").argParser(collect);
}

/** Options of commands that measure a curve of one signal. */
interface CurveOptions extends ScanningOptions, PointFlags {
  readonly signal: string;
}

/** What a curve's plan needs of them, but for the axis. @param normaliseBy - a signal; undefined: none */
export function curveSettings(
  options: CurveOptions,
  conditions: Pick<ShotsRequest, "conditions">,
  normaliseBy: string | undefined,
  steps: { readonly from: number; readonly to: number; readonly points: number },
) {
  const { signal, shots: count, shutter, settle } = options;
  const shots: ShotsRequest = {
    count,
    signals: [signal, ...(normaliseBy === undefined ? [] : [normaliseBy])],
    ...conditions,
  };
  return { ...steps, signalName: signal, ...defined({ normaliseBy, shutter }), settleSeconds: settle, shots };
}

/** An answer with a last line that says what came out; without one where the plan did not end. */
export function tellEnd<R>(_plan: Plan<R>, answer: CommandResult, say: (result: R) => string): CommandResult {
  // What the engine gives of that very plan; null where it was stopped.
  const { done, result } = answer.json as { readonly done: boolean; readonly result?: R | null };
  return done && result !== undefined && result !== null
    ? { ...answer, text: `${answer.text}\n${say(result)}` }
    : answer;
}
