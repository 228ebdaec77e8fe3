import { Argument, type Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { connect, type Facility } from "../connect.ts";
import { type DetectorGroup, Detectors } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import type { Run } from "../db/index.ts";
import type { Io } from "./io.ts";
import { Progress } from "./progress.ts";

/** Adds one command to the program. */
export type AddCommand = (program: Command, io: Io) => void;

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
  readonly io: Io;
  readonly signal: AbortSignal;
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
  readonly json?: boolean | undefined;
}

/** The beamline to use when neither `--bl` nor the source decides. */
const DEFAULT_BEAMLINE = 3;

/**
 * Declares a command with the options that all share, and runs its action with a facility that is closed afterwards.
 * `urlOf` is for commands that take the address as an argument.
 */
export function declare<O extends object, A extends readonly unknown[]>(
  program: Command,
  io: Io,
  name: string,
  description: string,
  configure: (command: Command) => Command,
  action: (session: Session, options: O & CommonOptions, args: A) => Promise<CommandResult>,
  urlOf: (options: CommonOptions, args: A) => string | undefined = (options) => options.url,
): void {
  const command = configure(program.command(name).description(description))
    .addOption(
      new Option(
        "--url <address>",
        "where to read: sim:, an .h5 file, tcp://…, ipc://…, http(s)://…, recording:FILE",
      ).env("SACLA_URL"),
    )
    .option("--bl <beamline>", "beamline (default: the source's only one, else 3)", parseWhole)
    .option("--json", "print one JSON object");
  command.action(async (...all: unknown[]) => {
    // Commander passes the arguments, then the options, then the command.
    const args = all.slice(0, -2) as unknown as A;
    const options = all.at(-2) as O & CommonOptions;
    await using facility = await connect(urlOf(options, args) ?? "sim:");
    const answer = await action(await session(facility, options, io), options, args);
    print(io, options.json === true, answer);
  });
}

/** Writes an answer and, when it is a bad one, ends the command with its exit code. */
export function print(io: Io, asJson: boolean, { json, text, exitCode = 0 }: CommandResult): void {
  io.out(asJson ? `${JSON.stringify(json)}\n` : `${text}\n`);
  if (exitCode !== 0) throw new CommanderError(exitCode, ANSWERED, "");
}

/** Code of the error by which a command that has answered ends with an exit code. */
export const ANSWERED = "sacla.answered";

async function session(facility: Facility, options: CommonOptions, io: Io): Promise<Session> {
  const { signal } = io;
  const [only, ...others] = await facility.db.beamlines({ signal });
  return {
    facility,
    bl: options.bl ?? (only !== undefined && others.length === 0 ? only : DEFAULT_BEAMLINE),
    io,
    signal,
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

/** A commander parser for numbers. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
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
  return Detectors.of(await run.detectors(), `Run ${run.number} of beamline ${run.bl}`).findOrLargest(id);
}
