import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { sleep, throwIfAborted } from "../core/async.ts";
import type { Clock } from "../core/clock.ts";
import type { ControlDriver } from "../ec/index.ts";
import { createSimulatedFacility, type SimulatedFacility, type SimulatedFacilityOptions } from "./facility.ts";

/**
 * Two simulated facilities in two processes that are one: the devices of the first are controlled, the second has the
 * shots. Each command goes from the first to the second with its time, and the second does the same at the same time of
 * the facility; so both have the same devices, and the shots are those of one facility.
 */
export interface Twins {
  /** When the facility's time began, ns of the monotonic clock of this computer, which all processes share. */
  readonly began: bigint;
  /** File of the commands, one a line. A line is begun before a command is given and ended when it has been. */
  readonly path: string;
}

/** A command to a device, with the time of the facility's clock at which it was given. */
interface TwinCommand {
  readonly at: number;
  readonly name: CommandName;
  readonly values: readonly unknown[];
}

const commandNames = [
  "move",
  "stop",
  "preset",
  "setSpeed",
  "setShutter",
  "set",
  "startRun",
  "pauseRun",
  "resumeRun",
  "stopRun",
] as const;
type CommandName = (typeof commandNames)[number];

/** Longer than a command takes; whoever is giving one for longer has been halted. */
const GIVING_MS = 1000;
const READ_BYTES = 65_536;
const NEWLINE = 0x0a;

/** @param path - of a new file, for the two alone */
export function newTwins(path: string): Twins {
  closeSync(openSync(path, "wx", 0o600));
  return { began: process.hrtime.bigint(), path };
}

/** Devices whose commands a twin that has the shots reads from the file. */
export function twinDevices(options: SimulatedFacilityOptions, twins: Twins): ControlDriver {
  const clock = new TwinClock(twins.began, () => {});
  const { control } = createSimulatedFacility({ ...options, clock });
  clock.begin();
  const file = openSync(twins.path, "a");
  let isClosed = false;
  const give = (name: CommandName, values: readonly unknown[]): Promise<unknown> => {
    // Before the time is read: the twin lets no time pass while this is set.
    writeSync(file, " ");
    const at = clock.now();
    try {
      // A command is done when the call returns; only its answer is a promise.
      return clock.during(at, () => call(control, name, values));
    } finally {
      writeSync(file, `${JSON.stringify({ at, name, values } satisfies TwinCommand)}\n`);
    }
  };
  const commands = Object.fromEntries(
    commandNames.map((name) => [name, (...values: unknown[]) => give(name, values)]),
  ) as unknown as Pick<ControlDriver, CommandName>;
  return {
    name: control.name,
    devices: (bl) => control.devices(bl),
    read: (device) => control.read(device),
    runState: (bl) => control.runState(bl),
    beam: (bl) => control.beam(bl),
    ...(control.accelerator === undefined ? {} : { accelerator: control.accelerator }),
    close: async () => {
      if (!isClosed) closeSync(file);
      isClosed = true;
      await control.close();
    },
    ...commands,
  };
}

/** The facility that has the shots, and does all that {@link twinDevices} did, from the first command on. */
export function twinShots(options: SimulatedFacilityOptions, twins: Twins): SimulatedFacility {
  const commands = new CommandReader(twins.path);
  const clock = new TwinClock(twins.began, (read) => {
    for (let late: number | undefined; ; ) {
      for (const { at, name, values } of commands.next()) {
        // What was refused there is refused here.
        clock.during(at, () => call(facility.control, name, values)).catch(() => {});
      }
      const time = read();
      // Otherwise a command may have been given before that time that is not done here yet.
      if (!commands.hasMore()) return;
      late ??= time + GIVING_MS / 1000;
      if (time > late) return;
    }
  });
  const facility = createSimulatedFacility({ ...options, clock });
  clock.begin();
  return facility;
}

/** The commands in the file of {@link Twins}, as they come. */
class CommandReader {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(READ_BYTES);
  #read = 0;
  /** What has been read of a line that has no end yet. */
  #begun = Buffer.alloc(0);

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** Those that have been given since. */
  next(): TwinCommand[] {
    this.#take();
    const end = this.#begun.lastIndexOf(NEWLINE) + 1;
    if (end === 0) return [];
    const lines = this.#begun.toString("utf8", 0, end).trimEnd().split("\n");
    this.#begun = this.#begun.subarray(end);
    return lines.map((line) => JSON.parse(line) as TwinCommand);
  }

  /** Whether one has been given since, or is being given now. */
  hasMore(): boolean {
    this.#take();
    return this.#begun.length > 0;
  }

  #take(): void {
    for (;;) {
      const count = readSync(this.#file, this.#bytes, 0, READ_BYTES, this.#read);
      if (count === 0) return;
      this.#begun = Buffer.concat([this.#begun, this.#bytes.subarray(0, count)]);
      this.#read += count;
    }
  }
}

function call(control: ControlDriver, name: CommandName, values: readonly unknown[]): Promise<unknown> {
  return (control[name] as (...given: readonly unknown[]) => Promise<unknown>)(...values);
}

/** The time since both began; it stands still while a command is given. */
class TwinClock implements Clock {
  readonly #began: bigint;
  readonly #catchUp: (read: () => number) => void;
  /** While a facility is made, its time is 0. */
  #fixed: number | undefined = 0;
  #last = 0;

  /** @param catchUp - called before the time is told; it reads the time when all is done that was asked before */
  constructor(began: bigint, catchUp: (read: () => number) => void) {
    this.#began = began;
    this.#catchUp = catchUp;
  }

  begin(): void {
    this.#fixed = undefined;
  }

  now(): number {
    if (this.#fixed !== undefined) return this.#fixed;
    this.#last = this.#read();
    this.#catchUp(() => {
      this.#last = this.#read();
      return this.#last;
    });
    return this.#last;
  }

  during<T>(seconds: number, work: () => T): T {
    this.#fixed = seconds;
    try {
      return work();
    } finally {
      this.#fixed = undefined;
    }
  }

  async until(seconds: number, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (let left = seconds - this.now(); left > 0; left = seconds - this.now())
      await sleep(Math.min(86_400_000, Math.ceil(left * 1000)), signal);
  }

  #read(): number {
    return Number(process.hrtime.bigint() - this.#began) / 1e9;
  }
}
