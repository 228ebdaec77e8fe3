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
  const [axes, signals, detectors, shutters, settings] = (
    ["axes", "signals", "detectors", "shutters", "settings"] as const
  ).map((part) => Object.keys(experiment?.[part] ?? {}));
  const all = async (own: readonly string[] | undefined, kind: Parameters<NamesAtSource>[0]): Promise<string[]> => [
    ...(own ?? []),
    ...(await atSource(kind)),
  ];
  if (/^(signals?|x|y|monitor|normalise|pumpedBy)$/.test(what))
    return await all([...(signals ?? []), "BM1", "BM2"], "signal");
  if (/^detector$/.test(what)) return await all(detectors, "detector");
  if (/^(axis|names|pattern)$/.test(what)) return await all(axes, "axis");
  if (what === "axis=position") return (await all(axes, "axis")).map((name) => `${name}=`);
  if (what === "name") return await all([...(shutters ?? []), ...(settings ?? [])], "device");
  return what === "shutter" ? (shutters ?? []) : [];
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
