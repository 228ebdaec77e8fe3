import { Argument, type Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { connect, Facility } from "../connect.ts";
import type { DetectorGroup } from "../core/detectors.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { defined } from "../core/options.ts";
import { parseQuantity, unitFactor } from "../core/quantities.ts";
import { timeText, type Zone } from "../core/time-text.ts";
import type { Run } from "../db/index.ts";
import { Experiment } from "../ec/experiment.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { saysSimulated } from "../transport/simulated.ts";
import { withNames } from "../transport/wrappers/with-names.ts";
import type { Io } from "./io.ts";
import { isRehearsal, keptSim } from "./kept-sim.ts";
import { withExperimentFile } from "./missing-names.ts";
import { NamesAtHand } from "./names-at-hand.ts";
import { Progress } from "./progress.ts";
import { KnownSettings, personOf, readSettings, type Settings } from "./settings.ts";

/** Adds one command to the program. */
export type AddCommand = (program: Command, io: Io, host: Host) => void;

/** What runs commands, for one that is made of others. */
export interface Host {
  /** Gives its exit code; never throws. */
  run(argv: readonly string[], io: Io): Promise<number>;
  /** How a line may go on. @param names - what a connection has of a kind */
  complete(words: readonly string[], index: number, io: Io, names: NamesAtSource): Promise<string[]>;
}
/** Names of a kind that a source has. */
export type NamesAtSource = (what: "axis" | "signal" | "detector" | "run" | "device") => Promise<readonly string[]>;

/** What a command has to say: `json` for machines, `text` for people; `text` ends without a line break. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  /** For commands that judge: 1 when what was looked at is not as it should be. @default 0 */
  readonly exitCode?: number;
}

/** What every command has at hand. */
export interface Session {
  readonly facility: Facility;
  readonly bl: number;
  /** The names of the beam time, when there is an experiment file. */
  readonly experiment: Experiment | undefined;
  /** Who takes control: a person. */
  readonly person: string;
  readonly zone: Zone;
  readonly io: Io;
  readonly signal: AbortSignal;
  /** Between two questions whether something has changed, milliseconds; undefined: as the library has it. */
  readonly pollMs: number | undefined;
  /** A time on the clock that the user wants to see, with its name. */
  time(date: Date): string;
  /** Whether nothing is real: the simulated facility answers, here or from a server. */
  isSimulated(): Promise<boolean>;
  /** Runs `work` with a progress line. */
  progress<T>(
    label: string,
    work: (update: (done: number, total: number | undefined) => void) => Promise<T>,
  ): Promise<T>;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly url?: string | undefined;
  readonly bl?: number | undefined;
  readonly experiment?: string | undefined;
  readonly json?: boolean | undefined;
  readonly as?: string | undefined;
  /** What `--utc`, `--local` and the settings say. */
  readonly clock?: Zone | undefined;
  readonly utc?: boolean | undefined;
  readonly local?: boolean | undefined;
}

/** The beamline to use when neither `--bl` nor the source nor the experiment decides. */
export const DEFAULT_BEAMLINE = 3;

/**
 * Declares a command with the options that all share, and runs its action with a facility that is closed afterwards.
 * What no option says comes from the settings (`sacla config`).
 * `implied` is for commands whose arguments say something of this, such as a file to read: it comes first.
 */
export function declare<O extends object, A extends readonly unknown[]>(
  program: Command,
  io: Io,
  name: string,
  description: string,
  configure: (command: Command) => Command,
  action: (session: Session, options: O & CommonOptions, args: A) => Promise<CommandResult>,
  implied: (options: CommonOptions, args: A) => CommonOptions = () => ({}),
): void {
  const command = withCommonOptions(configure(program.command(name).description(description)));
  command.action(async (...all: unknown[]) => {
    // Commander passes the arguments, then the options, then the command.
    const args = all.slice(0, -2) as unknown as A;
    const typed = all.at(-2) as O & CommonOptions;
    const given = { ...typed, ...defined(implied(typed, args)) };
    const settings = settingsFor(name, io, given.url);
    const options = withSettings(command, given, settings);
    const experiment = await experimentOf(options.experiment, name, io);
    const names = new NamesAtHand(experiment);
    const { keyFile } = settings.values;
    const { url = "sim:" } = options;
    await using facility =
      io.held?.url === url
        ? new Facility(withNames(openElsewhere(io.held.endpoint), names))
        : await connect(url, {
            names,
            keyFile,
            schemes: { sim: keptSim(io) },
            retry: { onWait: (text) => io.err(`${text}\n`) },
          });
    const opened = await session(facility, { ...options, url }, experiment, io);
    names.bl = opened.bl;
    // The prompt of the shell says it itself.
    const isQuiet = options.json === true || name === "shell" || io.held !== undefined;
    const said = isQuiet ? undefined : saySimulated(opened);
    const result = await action(opened, options, args).catch((error: unknown) => {
      throw withExperimentFile(error, options.experiment);
    });
    await said;
    print(io, options.json === true, result);
  });
}

/** Whether the simulated facility answers, here or from a server. */
export async function isSimulated(source: Endpoint, signal: AbortSignal | undefined): Promise<boolean> {
  return saysSimulated((await source.call("facility.describe", {}, { signal })).name);
}

/** An Endpoint that somebody else closes. */
function openElsewhere(endpoint: Endpoint): Endpoint {
  return {
    call: (...call) => endpoint.call(...call),
    stream: (...stream) => endpoint.stream(...stream),
    close: async () => {},
  };
}

/** One line on a terminal when nothing is real. Nobody waits for it; what fails with it, the command tells itself. */
async function saySimulated(session: Session): Promise<void> {
  if (!session.io.isTerminal) return;
  if (await session.isSimulated().catch(() => false))
    session.io.err("SIMULATED: the simulated facility answers, nothing here is real\n");
}

/** Adds subcommands to a command that also does something by itself. */
export function declareSubcommands(
  program: Command,
  io: Io,
  name: string,
  adds: readonly ((group: Command, io: Io) => void)[],
): void {
  const group = program.commands.find((command) => command.name() === name);
  if (group === undefined) return;
  // Options after a subcommand are its own, although the command has some of the same name.
  program.enablePositionalOptions();
  group.enablePositionalOptions();
  for (const add of adds) add(group, io);
}

/** What is wrong with a file keeps nobody from stopping what moves: then it is only told. */
function settingsFor(command: string, io: Io, url: string | undefined): KnownSettings {
  try {
    return readSettings(io, url);
  } catch (error) {
    if (command !== "stop") throw error;
    io.err(`warning: ${toSaclaError(error).message}\n`);
    return new KnownSettings({}, {}, []);
  }
}

async function experimentOf(path: string | undefined, command: string, io: Io): Promise<Experiment | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Experiment.load(path);
  } catch (error) {
    if (command !== "stop") throw error;
    io.err(`warning: ${toSaclaError(error).message}\n`);
    return undefined;
  }
}

/** The options of {@link CommonOptions}. */
function withCommonOptions(command: Command): Command {
  return command
    .option("--url <address>", "where to read: sim:, an .h5 file, tcp://…, ipc://…, http(s)://…, recording:FILE")
    .option("--bl <beamline>", "beamline (default: the source's only one, else the experiment's, else 3)", parseWhole)
    .option("--experiment <file>", "experiment file with the names, units and limits of the beam time")
    .addOption(new Option("--utc", "show times in UTC (default: Japan time, JST)").conflicts("local"))
    .option("--local", "show times on the clock of this computer")
    .option("--json", "print one JSON object");
}

/** The options, and for those that nobody typed what the settings say. */
function withSettings<O extends CommonOptions>(command: Command, given: O, { values }: KnownSettings): O {
  const known = new Set(command.options.map((option) => option.attributeName()));
  const found: Partial<Record<string, unknown>> = {};
  for (const key of ["url", "bl", "experiment", "dark", "colourMap", "as"] as const satisfies (keyof Settings)[]) {
    const source = command.getOptionValueSource(key);
    // A file for others is written as it is asked for, whatever dark pictures have.
    const isOther = key === "dark" && command.name() === "convert";
    const isOpen = source === undefined ? given[key as keyof O] === undefined : source === "default";
    if (known.has(key) && !isOther && isOpen && values[key] !== undefined) found[key] = values[key];
  }
  const { utc, local } = given;
  return { ...given, ...found, clock: utc === true ? "utc" : local === true ? "local" : (values.clock ?? "jst") };
}

/** Writes an answer and, when it is a bad one, ends the command with its exit code. */
export function print(io: Io, asJson: boolean, { json, text, exitCode = 0 }: CommandResult): void {
  io.out(asJson ? `${JSON.stringify(json)}\n` : `${text}\n`);
  if (exitCode !== 0) throw new CommanderError(exitCode, ANSWERED, "");
}

/** Code of the error by which a command that has answered ends with an exit code. */
export const ANSWERED = "sacla.answered";

async function session(
  facility: Facility,
  options: CommonOptions & { readonly url: string },
  experiment: Experiment | undefined,
  io: Io,
): Promise<Session> {
  const { signal } = io;
  // Not asked where it is known: a recording answers only what was recorded.
  const known = options.bl ?? io.held?.bl;
  const [only, ...others] = known === undefined ? await facility.db.beamlines({ signal }) : [known];
  const decided = only !== undefined && others.length === 0 ? only : experiment?.bl;
  let simulated: boolean | undefined;
  return {
    facility,
    bl: decided ?? DEFAULT_BEAMLINE,
    experiment,
    person: personOf(io, options.as),
    zone: options.clock ?? "jst",
    io,
    signal,
    // The time of a rehearsal passes by asking.
    pollMs: isRehearsal(options.url) ? 1 : undefined,
    time: (date) => timeText(date, options.clock),
    isSimulated: async () => {
      simulated ??= await isSimulated(facility.endpoint, signal);
      return simulated;
    },
    progress: async (label, work) => {
      const progress = new Progress(io, label);
      try {
        return await work(progress.update);
      } finally {
        progress.end();
      }
    },
  };
}

/** Exit code of what somebody stopped. */
export const EXIT_INTERRUPTED = 130;

/** The argument RUN: a number or `newest`. */
export function runArgument(): Argument {
  return new Argument("[run]", "run number, or newest: the newest run that has stopped")
    .default("newest")
    .argParser((text) => {
      if (text !== "newest" && !/^\d+$/.test(text))
        throw new InvalidArgumentError("It must be a run number, or newest.");
      return text === "newest" ? text : Number(text);
    });
}

/** A commander parser for an option that can be repeated. */
export function collect(value: string, all: readonly string[]): string[] {
  return [...all, value];
}

/** A commander parser for whole numbers. */
export function parseWhole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** A commander parser for how many there shall be. */
export function parseCount(text: string): number {
  if (!/^0*[1-9]\d*$/.test(text)) throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  return Number(text);
}

/** A commander parser for files that are written in the form that their name ends with: one of `endings`. */
export function parseFileName(...endings: readonly string[]): (text: string) => string {
  return (text) => {
    if (endings.some((ending) => text.toLowerCase().endsWith(ending))) return text;
    throw new InvalidArgumentError(`Its name must end with ${endings.join(" or ")}.`);
  };
}

/** A commander parser for numbers. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** A commander parser for values of settings: numbers, and words such as `open`. */
export function parseValue(text: string): number | string {
  return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

/** A number with its unit, "" when none was typed. */
export interface Typed {
  readonly value: number;
  readonly unit: string;
}

/** A commander parser for numbers with a unit or without: `1.5ps`, `300`. */
export function parseTyped(text: string): Typed {
  const found = parseQuantity(text);
  if (found === undefined) throw new InvalidArgumentError("It must be a number, with its unit if you like: 1.5ps.");
  return found;
}

/** What was typed, in the unit of what it is for. @throws BAD_ARGUMENT when the units do not fit */
export function inUnit({ value, unit }: Typed, own: string, of: string): number {
  const factor = unit === "" ? 1 : unitFactor(unit, own);
  if (factor !== undefined) return value * factor;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `${of} ${own === "" ? "has no unit" : `is in ${own}`}, so it cannot be ${value} ${unit}. Nothing was done.`,
    { details: { of, unit: own, given: unit } },
  );
}

/** A value that was typed for a setting, in its unit: a word stays, and so does a number without one. */
export function settingValue(value: number | string, own: string, of: string): number | string {
  const typed = typeof value === "string" ? parseQuantity(value) : undefined;
  return typed === undefined || typed.unit === "" ? value : inUnit(typed, own, of);
}

/** How far back `newest` looks for a run that has stopped. */
const NEWEST_WITHIN = 20;

/** The run a user named; what is odd about it is said beside the result. @throws UNKNOWN_RUN */
export async function findRun(session: Session, number: number | "newest"): Promise<Run> {
  const run = await namedRun(session, number);
  for (const note of run.info.notes ?? []) session.io.err(`warning: run ${run.number}: ${note}\n`);
  return run;
}

async function namedRun({ facility, bl, signal }: Session, run: number | "newest"): Promise<Run> {
  if (run !== "newest") return await facility.db.run(bl, run, { signal });
  let newest: Run | undefined;
  for await (const candidate of facility.runs({ bl, last: NEWEST_WITHIN, signal }))
    if (candidate.status === 0) newest = candidate;
  if (newest === undefined)
    throw new SaclaError("UNKNOWN_RUN", `None of the last ${NEWEST_WITHIN} runs of beamline ${bl} has stopped yet.`);
  return newest;
}

/** The detector a user named, or the one with the most sensors. @throws UNKNOWN_DETECTOR */
export async function findDetector(run: Run, id: string | undefined): Promise<DetectorGroup> {
  return await run.findDetector(id);
}
