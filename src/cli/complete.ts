import type { Argument, Command, Option } from "commander";
import { Experiment } from "../ec/index.ts";
import type { Io } from "./io.ts";
import { readSettings } from "./settings.ts";

/**
 * How a command line may go on, a line each: commands, options, their choices, names of the experiment file.
 * @param words - of the line, `sacla` first
 * @param index - of the word at the cursor
 */
export async function completions(
  program: Command,
  words: readonly string[],
  index: number,
  io: Io,
): Promise<string[]> {
  const begun = words[index] ?? "";
  if (index <= 1) return startingWith(begun, [...program.commands.map((one) => one.name()), "help"]);
  const before = words.slice(1, index);
  const command = commandOf(program, before);
  if (command === program) return [];
  const option = optionTakingValue(command, before.at(-1) ?? "");
  if (option !== undefined)
    return startingWith(begun, option.argChoices ?? (await namesFor(option.attributeName(), io)));
  if (begun.startsWith("-")) {
    const longs = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
    return startingWith(begun, [...longs, "--help"]);
  }
  const parts = before.slice(1).filter((word) => !word.startsWith("-"));
  const argument: Argument | undefined =
    command.registeredArguments[parts.length] ?? command.registeredArguments.at(-1);
  const subcommands = command.commands.map((one) => one.name());
  const named = argument === undefined ? [] : (argument.argChoices ?? (await namesFor(argument.name(), io)));
  return startingWith(begun, [...subcommands, ...named]);
}

function commandOf(program: Command, words: readonly string[]): Command {
  let at = program;
  for (const word of words) at = at.commands.find((one) => one.name() === word) ?? at;
  return at;
}

function optionTakingValue(command: Command, word: string): Option | undefined {
  return command.options.find(({ short, long, required }) => required && (short === word || long === word));
}

/** What of the experiment file may stand there, by the name of the argument or option. */
async function namesFor(what: string, io: Io): Promise<string[]> {
  if (what === "run") return ["newest"];
  const experiment = await experimentHere(io);
  if (experiment === undefined) return [];
  const [axes, signals, detectors] = [experiment.axes, experiment.signals, experiment.detectors].map(Object.keys);
  if (/^(signals?|x|y|monitor|normalise|pumpedBy)$/.test(what)) return [...(signals ?? []), "BM1", "BM2"];
  if (/^detector$/.test(what)) return detectors ?? [];
  if (/^(axis|names)$/.test(what)) return axes ?? [];
  if (what === "axis=position") return (axes ?? []).map((name) => `${name}=`);
  if (what === "name") return [...Object.keys(experiment.shutters), ...Object.keys(experiment.settings)];
  return what === "shutter" ? Object.keys(experiment.shutters) : [];
}

/** A file that cannot be read completes nothing. */
async function experimentHere(io: Io): Promise<Experiment | undefined> {
  try {
    const { experiment } = readSettings(io).values;
    return experiment === undefined ? undefined : await Experiment.load(experiment);
  } catch {
    return undefined;
  }
}

function startingWith(begun: string, all: readonly string[]): string[] {
  return all.filter((one) => one.startsWith(begun));
}
