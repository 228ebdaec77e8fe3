import type { Argument, Command, Option } from "commander";
import { Experiment } from "../ec/index.ts";
import type { NamesAtSource } from "./command.ts";
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
  atSource: NamesAtSource,
): Promise<string[]> {
  const namesFor = async (what: string): Promise<string[]> => await namesOf(what, io, atSource);
  const begun = words[index] ?? "";
  const before = words.slice(1, index);
  const command = commandOf(program, before);
  if (command === program) return [];
  const option = optionTakingValue(command, before.at(-1) ?? "");
  if (option !== undefined) return startingWith(begun, option.argChoices ?? (await namesFor(option.attributeName())));
  if (begun.startsWith("-")) {
    const longs = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
    return startingWith(begun, [...longs, "--help"]);
  }
  const parts = before.slice(1).filter((word) => !word.startsWith("-"));
  const argument: Argument | undefined =
    command.registeredArguments[parts.length] ?? command.registeredArguments.at(-1);
  const subcommands = command.commands.map((one) => one.name());
  const named = argument === undefined ? [] : (argument.argChoices ?? (await namesFor(argument.name())));
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

/** What may stand there, by the name of the argument or option: names of the experiment file, then of the source. */
async function namesOf(what: string, io: Io, atSource: NamesAtSource): Promise<string[]> {
  if (what === "run") return ["newest", ...(await atSource("run"))];
  const experiment = await experimentHere(io);
  const own = (part: "axes" | "signals" | "detectors" | "shutters" | "settings"): string[] =>
    Object.keys(experiment?.[part] ?? {});
  if (/^(signals?|x|y|monitor|normalise|pumpedBy)$/.test(what))
    return [...own("signals"), "BM1", "BM2", ...(await atSource("signal"))];
  if (what === "detector") return [...own("detectors"), ...(await atSource("detector"))];
  if (/^(axis|names|pattern|axis=position)$/.test(what)) {
    const axes = [...own("axes"), ...(await atSource("axis"))];
    return what === "axis=position" ? axes.map((name) => `${name}=`) : axes;
  }
  if (what === "name") return [...own("shutters"), ...own("settings"), ...(await atSource("device"))];
  return what === "shutter" ? own("shutters") : [];
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
