import { openSync, readSync } from "node:fs";
import { type Clock, sleepUntil } from "../core/clock.ts";
import type { ControlDriver } from "../ec/index.ts";

/** A command to a device, or the lease of a beamline, with the time of the facility's clock at which it was given. */
export interface TimedCommand {
  readonly at: number;
  readonly name: CommandName;
  readonly values: readonly unknown[];
}

const commandNames = [
  "leased",
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

const READ_BYTES = 65_536;
const NEWLINE = 0x0a;

/** Where the commands to a facility are written, for other processes that do them too. */
interface CommandLog {
  /** Called before the time of a command is read. */
  begin(): void;
  add(command: TimedCommand): void;
  close(): void;
}

/** The same control, which writes its commands to a log. */
export function withCommandLog(control: ControlDriver, clock: SharedClock, log: CommandLog): ControlDriver {
  const give = (name: CommandName, values: readonly unknown[]): Promise<unknown> => {
    log.begin();
    const at = clock.now();
    try {
      return call(control, clock, { at, name, values });
    } finally {
      log.add({ at, name, values });
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
      log.close();
      await control.close();
    },
    ...commands,
  };
}

/** Does a command that another process has done, at the time at which it was given there. */
export function doAgain(control: ControlDriver, clock: SharedClock, command: TimedCommand): void {
  // What was refused there is refused here.
  call(control, clock, command).catch(() => {});
}

/** A command is done when this returns; only its answer is a promise. */
function call(control: ControlDriver, clock: SharedClock, { at, name, values }: TimedCommand): Promise<unknown> {
  return clock.during(at, () => (control[name] as (...given: readonly unknown[]) => Promise<unknown>)(...values));
}

/** Lines of JSON in a file that others append to, as they come. */
export class LineReader {
  readonly #file: number;
  readonly #bytes = Buffer.alloc(READ_BYTES);
  #read = 0;
  /** What has been read of a line that has no end yet. */
  #begun = Buffer.alloc(0);

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** Those that have been written since. @throws SyntaxError for a line that is no JSON */
  next(): unknown[] {
    this.#take();
    const end = this.#begun.lastIndexOf(NEWLINE) + 1;
    if (end === 0) return [];
    const lines = this.#begun.toString("utf8", 0, end).trimEnd().split("\n");
    this.#begun = this.#begun.subarray(end);
    return lines.map((line): unknown => JSON.parse(line));
  }

  /** Whether one has been written since, or is being written now. */
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

/** The time of a facility that several processes have; it stands still while a command is given. */
export class SharedClock implements Clock {
  readonly #read: () => number;
  readonly #catchUp: (read: () => number) => void;
  /** While a facility is made, its time is 0. */
  #fixed: number | undefined = 0;
  #last = 0;

  /**
   * @param read - seconds since the facility began
   * @param catchUp - called before the time is told; it reads the time when all is done that was asked before
   */
  constructor(read: () => number, catchUp: (read: () => number) => void = () => {}) {
    this.#read = read;
    this.#catchUp = catchUp;
  }

  begin(): void {
    this.#fixed = undefined;
  }

  now(): number {
    if (this.#fixed !== undefined) return this.#fixed;
    this.#tell();
    this.#catchUp(() => this.#tell());
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
    await sleepUntil(() => this.now(), seconds, signal);
  }

  #tell(): number {
    this.#last = Math.max(this.#last, this.#read());
    return this.#last;
  }
}
