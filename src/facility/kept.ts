import { existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import type { ControlDriver } from "../ec/index.ts";
import { makeFolder, processStart, replaceFile } from "../files/index.ts";
import { doAgain, LineReader, SharedClock, type TimedCommand, withCommandLog } from "./command-log.ts";
import type { DeviceRests } from "./control/beamline.ts";
import { createSimulatedFacility, type SimulatedFacilityOptions } from "./facility.ts";
import type { SimulatedFacility } from "./simulated-facility.ts";

/** The first line of the file: when the facility began, seconds of Unix time, and where its devices stood. */
interface Head {
  readonly began: number;
  readonly rests: DeviceRests;
}
/** A further line of the file: a command, or that the facility `by`, which gave commands, has been closed. */
type Line = { readonly by: string } & (TimedCommand | { readonly left: true });

/** How many facilities this process has made. */
let made = 0;

/** A facility with runs that somebody has started goes on for so long after the last command: half a day. */
const RUNS_KEPT_SECONDS = 43_200;

/** A process on another computer counts as running for so long after the last command. */
const ELSEWHERE_SECONDS = 60;

/**
 * A simulated facility whose devices stand where another process left them. A process that opens it too gets the same
 * facility, with its runs and shots, while a process that has changed devices still has its facility open, and, when a
 * run was started, for half a day after the last command: a file has each command with its time, and each process does
 * all commands. There is no file until a lease is taken or a device changed.
 * @param path - of the file
 * @param warn - called once with the reason when commands cannot be kept; they are done all the same
 */
export function keptFacility(
  options: SimulatedFacilityOptions,
  path: string,
  warn: (why: string) => void,
): { readonly facility: SimulatedFacility; readonly control: ControlDriver } {
  const kept = new Kept(path, warn);
  const { rests, isShared } = kept.join(options);
  const clock = new SharedClock(
    () => kept.seconds(),
    () => kept.catchUp((command) => doAgain(facility.control, clock, command)),
  );
  const facility = createSimulatedFacility({ ...options, clock, rests });
  clock.begin();
  // What is asked first must know all that was done.
  if (isShared) clock.now();
  const logged = withCommandLog(facility.control, clock, {
    begin: () => kept.begin(rests),
    add: (command) => kept.add(command),
    close: () => kept.leave(),
  });
  const leased = async (bl: number): Promise<void> => {
    kept.refuseSecondLease(bl);
    await logged.leased?.(bl);
  };
  return { facility, control: { ...logged, leased } };
}

/** Where devices stand when all commands of a file are done. */
function restsAfter(options: SimulatedFacilityOptions, rests: DeviceRests, commands: readonly Line[]): DeviceRests {
  const clock = new SharedClock(() => 0);
  const facility = createSimulatedFacility({ ...options, clock, rests });
  for (const line of commands) if ("name" in line) doAgain(facility.control, clock, line);
  return facility.truth.rests;
}

class Kept {
  readonly #path: string;
  readonly #warn: (why: string) => void;
  readonly #by = `${hostname()}:${process.pid}:${made++}`;
  /** Seconds of the clock of this process, which never goes back. */
  readonly #opened = performance.now() / 1000;
  #began = Date.now() / 1000;
  #since = 0;
  #file: { readonly lines: LineReader; readonly append: number } | undefined;
  #hasGiven = false;
  #isLost = false;

  constructor(path: string, warn: (why: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** Seconds since the facility began. */
  seconds(): number {
    return this.#since + performance.now() / 1000 - this.#opened;
  }

  /** What the file says; `isShared` when the facility of another process goes on. */
  join(options: SimulatedFacilityOptions): { readonly rests: DeviceRests; readonly isShared: boolean } {
    return (
      this.#try(() => {
        const used = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
        if (used === undefined) return undefined;
        const [head, ...lines] = readLines(this.#path);
        if (!isHead(head)) throw new Error("its first line is not that of a simulated facility");
        if (!goesOn(lines as Line[], used))
          return { rests: restsAfter(options, head.rests, lines as Line[]), isShared: false };
        this.#since = this.#began - head.began;
        this.#began = head.began;
        this.#open();
        return { rests: head.rests, isShared: true };
      }) ?? { rests: {}, isShared: false }
    );
  }

  /** Before a command: the file is that of this facility. */
  begin(rests: DeviceRests): void {
    if (this.#file !== undefined || this.#isLost) return;
    this.#try(() => {
      makeFolder(dirname(this.#path));
      replaceFile(this.#path, `${JSON.stringify({ began: this.#began, rests } satisfies Head)}\n`, 0o600);
      this.#open();
    });
  }

  /** Each process has leases of its own, but the beamline has one holder. @throws LEASE_HELD */
  refuseSecondLease(bl: number): void {
    const lines = this.#try(() => (existsSync(this.#path) ? readLines(this.#path) : [])) ?? [];
    const own = processOf(this.#by);
    const leases = (lines as (Line | Head)[]).filter(
      (line): line is Line =>
        "by" in line &&
        processOf(line.by) !== own &&
        ("left" in line || (line.name === "leased" && line.values[0] === bl)),
    );
    const [holder] = thoseThere(leases, Date.now());
    if (holder === undefined) return;
    throw new SaclaError(
      "LEASE_HELD",
      `Beamline ${bl} of the simulated facility is controlled by another command, process ${processOf(holder)}.`,
      { details: { bl, process: processOf(holder) } },
    );
  }

  add(command: TimedCommand): void {
    this.#hasGiven = true;
    this.#write({ ...command, by: this.#by });
  }

  leave(): void {
    if (this.#hasGiven) this.#write({ left: true, by: this.#by });
    this.#hasGiven = false;
  }

  /** Does the commands that other processes have given since. */
  catchUp(done: (command: TimedCommand) => void): void {
    const { lines } = this.#file ?? {};
    if (lines === undefined) return;
    this.#try(() => {
      for (const line of lines.next() as (Line | Head)[]) if ("name" in line && line.by !== this.#by) done(line);
    });
  }

  #open(): void {
    // Both are open from now on: when another process replaces the file, they stay those of the old one.
    this.#file = { lines: new LineReader(this.#path), append: openSync(this.#path, "a") };
  }

  #write(line: Line): void {
    const { append } = this.#file ?? {};
    if (append !== undefined) this.#try(() => writeSync(append, `${JSON.stringify(line)}\n`));
  }

  /** When the file fails, the facility goes on without it. */
  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#file = undefined;
      if (!this.#isLost) this.#warn(toSaclaError(error).message);
      this.#isLost = true;
      return undefined;
    }
  }
}

function readLines(path: string): unknown[] {
  const text = readFileSync(path, "utf8");
  // Behind the last line break is what a process was writing when it was killed.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

function isHead(head: unknown): head is Head {
  return isRecord(head) && typeof head["began"] === "number" && isRecord(head["rests"]);
}

/** Whether a process that opens the facility gets it with its runs and shots. */
function goesOn(lines: readonly Line[], usedMs: number): boolean {
  const hasRuns = lines.some((line) => "name" in line && line.name === "startRun");
  return (hasRuns && Date.now() - usedMs < 1000 * RUNS_KEPT_SECONDS) || someAreThere(lines, usedMs);
}

/** Whether a facility that gave commands is open. */
function someAreThere(lines: readonly Line[], usedMs: number): boolean {
  return thoseThere(lines, usedMs).length > 0;
}

/** Host and number of the process of a facility. */
function processOf(by: string): string {
  return by.split(":").slice(0, 2).join(":");
}

/** Facilities that gave commands and are open: their process runs, or has just written on another computer. */
function thoseThere(lines: readonly Line[], usedMs: number): string[] {
  const there = new Set<string>();
  for (const line of lines) {
    if ("left" in line) there.delete(line.by);
    else there.add(line.by);
  }
  return [...there].filter((by) => {
    const [host, pid] = by.split(":");
    return host === hostname() ? processStart(Number(pid)) !== null : Date.now() - usedMs < 1000 * ELSEWHERE_SECONDS;
  });
}
