import type { Command } from "commander";
import { defined } from "../core/options.ts";
import type { Plan, ShotsRequest } from "../scan/index.ts";
import { type CommandResult, parseNumber, parseWhole } from "./command.ts";
import { shotCondition } from "./scan-beam.ts";
import type { ScanningOptions } from "./scan-options.ts";

/** How each point is measured. */
export interface PointWords {
  readonly shots: number;
  readonly shutter?: string | undefined;
  readonly settle: number;
}

/** The options of {@link PointWords}. @param shots - where nothing is said */
export function withPoints(command: Command, shots: number): Command {
  return command
    .option("--shots <n>", "good shots at each point", parseWhole, shots)
    .option("--shutter <name>", "opened for the shots of each point")
    .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0);
}

/** Options of commands that measure a curve of one signal. */
interface CurveOptions extends ScanningOptions, PointWords {
  readonly signal: string;
  readonly where?: readonly string[];
}

/** What a curve's plan needs of them, but for the axis. @param normaliseBy - a signal; undefined: none */
export function curveSettings(
  options: CurveOptions,
  normaliseBy: string | undefined,
  steps: { readonly from: number; readonly to: number; readonly points: number },
) {
  const { signal, shots: count, where = [], shutter, settle } = options;
  const shots: ShotsRequest = {
    count,
    signals: [signal, ...(normaliseBy === undefined ? [] : [normaliseBy])],
    ...(where.length === 0 ? {} : { conditions: where.map(shotCondition) }),
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
