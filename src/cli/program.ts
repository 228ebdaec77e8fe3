import { Command, CommanderError, Help } from "commander";
import { errorCatalogue, firstError, isSaclaError, toSaclaError } from "../core/errors.ts";
import { packageManifest, withPagesFound } from "../files/index.ts";
import { ANSWERED, EXIT_INTERRUPTED, type Host } from "./command.ts";
import { commandGroups, examples } from "./command-list.ts";
import { cleaned, type Io } from "./io.ts";

/** Exit codes: done, failed, usage error; interrupted is {@link EXIT_INTERRUPTED}. */
const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs the command line `argv` and gives its exit code; never throws. */
export async function runCli(argv: readonly string[], raw: Io): Promise<number> {
  const io = cleaned(raw);
  const program = new Command("sacla")
    .description("Run and understand experiments at the SACLA X-ray free-electron laser.")
    .version(packageManifest().version)
    .showHelpAfterError("(see: sacla help)")
    .exitOverride()
    // By their names alone, what commands do finds room beside them on 80 columns; their own help says the rest.
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      optionDescription: (option) => withoutEmpty(help.optionDescription(option)),
      argumentDescription: (argument) => withoutEmpty(help.argumentDescription(argument)),
    })
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  try {
    if (argv[0] === "complete") return await complete(argv.slice(1), io);
    const [first] = argv;
    // Of these no command is needed, or one: the others take half a second to load.
    if (first !== "--version" && first !== "-V") await addCommands(program, first === "help" ? argv[1] : first, io);
    await program.parseAsync(argv.map(withMinus), { from: "user" });
    return EXIT_OK;
  } catch (thrown) {
    const { first: error, later } = firstError(thrown);
    const json = argv.includes("--json");
    if (error instanceof CommanderError && error.code === ANSWERED) {
      for (const each of later) io.err(`error ${toSaclaError(each).code}: ${toSaclaError(each).message}\n`);
      return error.exitCode;
    }
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : reportUsage(error, json, io);
    return report(thrown, json, io, optionsOf(program, argv));
  }
}

/** `-1ps` would be read as options: with a real minus sign it is a number, which is read as one. */
export function withMinus(word: string): string {
  return /^-\d[\d.]*(e[+-]?\d+)?[a-zµμ°]+$/i.test(word) ? `−${word.slice(1)}` : word;
}

/** The command that was named; all of them for help, for completing, and for a name that there is not. */
async function addCommands(program: Command, name: string | undefined, io: Io): Promise<void> {
  const isNamed = name !== undefined && commandNames.includes(name);
  for (const [job, listed] of commandGroups) {
    program.commandsGroup(job);
    for (const one of listed) if (!isNamed || one.name === name) (await one.load())(program, io, host);
  }
  for (const command of program.commands) {
    addExamples(command, command.name());
    for (const part of command.commands) addExamples(part, `${command.name()} ${part.name()}`);
  }
  hintAtHelp(program, "sacla");
}

function addExamples(command: Command, name: string): void {
  const [first, second] = examples[name] ?? [];
  if (first !== undefined) command.addHelpText("after", `\nExamples:\n  ${first}\n  ${second}`);
}

const help = new Help();

/** A default of nothing says nothing. */
function withoutEmpty(description: string): string {
  return description.replace(/ \(default: (\[\]|"")\)$/, "").replace(/, default: (\[\]|"")\)$/, ")");
}

const commandNames = commandGroups.flatMap(([, listed]) => listed.map(({ name }) => name));

const host: Host = {
  run: runCli,
  complete: async (words, index, io, names) => {
    const { completions } = await import("./complete.ts");
    const all = [...commandNames, "help"];
    if (index <= 1) return all.filter((name) => name.startsWith(words[index] ?? ""));
    if (!all.includes(words[1] ?? "")) return [];
    const program = new Command("sacla");
    await addCommands(program, words[1], io);
    return await completions(program, words, index, io, names);
  },
};

/** What a shell asks: see `sacla completion`. */
async function complete([index = "", ...words]: readonly string[], io: Io): Promise<number> {
  const found = await host.complete(words, Number(index), io, async () => []);
  if (found.length > 0) io.out(`${found.join("\n")}\n`);
  return EXIT_OK;
}

/** The options of the command that was given, and of its parts. */
function optionsOf(program: Command, argv: readonly string[]): ReadonlySet<string> {
  const command = program.commands.find((one) => one.name() === argv[0]);
  const all = command === undefined ? [] : [command, ...command.commands].flatMap(({ options }) => options);
  return new Set(all.flatMap(({ long }) => (long === undefined || long === null ? [] : [long])));
}

/** The next step without sentences about options that the command has not. */
function nextFor(next: string, options: ReadonlySet<string>): string {
  const parts = next.split(/(?<=[.;]) /);
  const known = parts.filter((part) => (part.match(/--[a-z][a-z-]*/g) ?? []).every((option) => options.has(option)));
  return known.join(" ").replace(/;$/, ".");
}

/** Has every command end its complaints with the help that fits. */
function hintAtHelp(command: Command, path: string): void {
  for (const child of command.commands) {
    child.showHelpAfterError(`(see: ${path} ${child.name()} --help)`);
    hintAtHelp(child, `${path} ${child.name()}`);
  }
}

/** People have read it already: commander has written it to stderr. */
function reportUsage({ message }: CommanderError, json: boolean, io: Io): number {
  const error = {
    code: "BAD_ARGUMENT",
    message: message.replace(/^error: /, ""),
    next: errorCatalogue.BAD_ARGUMENT.next,
    details: {},
  };
  if (json) io.out(`${JSON.stringify({ error })}\n`);
  return EXIT_USAGE;
}

function report(thrown: unknown, json: boolean, io: Io, options: ReadonlySet<string>): number {
  const error = toSaclaError(thrown);
  if (isSaclaError(error, "ABORTED")) {
    io.err("stopped\n");
    for (const each of firstError(thrown).later)
      io.err(`error ${toSaclaError(each).code}: ${toSaclaError(each).message}\n`);
    return EXIT_INTERRUPTED;
  }
  const next = nextFor(errorCatalogue[error.code].next, options);
  // The message may be a server's: its further lines must not look like lines of this program.
  const line = `error ${error.code}: ${error.message.replaceAll("\n", "\n  ")}\n`;
  if (json) {
    const { code, message, details } = error;
    io.out(`${JSON.stringify({ error: { code, message, next, details } })}\n`);
    // One line for whoever looks at the log of a script.
    io.err(line.replaceAll("\n  ", " "));
  } else io.err(withPagesFound(`${line}${next === "" ? "" : `  what to do: ${next}\n`}`));
  if (io.env["SACLA_DEBUG"] !== undefined) io.err(`${error.stack ?? ""}\n${String(error.cause ?? "")}\n`);
  return isSaclaError(error, "BAD_ARGUMENT", "BAD_URL") ? EXIT_USAGE : EXIT_FAILED;
}
