import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { sleep, throwIfAborted } from "../core/async.ts";
import type { Clock } from "../core/clock.ts";
import type { ControlDriver } from "../ec/index.ts";
import { createSimulatedFacility, type SimulatedFacility, type SimulatedFacilityOptions } from "./facility.ts";

/**
 * Two simulated facilities in two threads that are one: the devices of the first are controlled, the second has the
 * shots. Each command goes from the first to the second with its time, and the second does the same at the same time of
 * the facility; so both have the same devices, and the shots are those of one facility.
 */
export interface Twins {
  /** When the facility's time began, ns of the monotonic clock of this computer, which all threads share. */
  readonly began: bigint;
  /** Whether a command is being given now, and how many have been given. */
  readonly state: Int32Array;
}

/** A command to a device, with the time of the facility's clock at which it was given. */
export interface TwinCommand {
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

const IS_GIVING = 0;
const GIVEN = 1;

export function newTwins(): Twins {
  return { began: process.hrtime.bigint(), state: new Int32Array(new SharedArrayBuffer(8)) };
}

/**
 * Devices whose commands are told to a twin that has the shots.
 * @param tell - gets each command when it has been given
 */
export function twinDevices(
  options: SimulatedFacilityOptions,
  twins: Twins,
  tell: (command: TwinCommand) => void,
): ControlDriver {
  const clock = new TwinClock(twins.began, () => {});
  const { control } = createSimulatedFacility({ ...options, clock });
  clock.begin();
  const { state } = twins;
  const give = (name: CommandName, values: readonly unknown[]): Promise<unknown> => {
    // Before the time is read: the twin lets no time pass while this is set.
    Atomics.store(state, IS_GIVING, 1);
    const at = clock.now();
    try {
      // A command is done when the call returns; only its answer is a promise.
      return clock.during(at, () => call(control, name, values));
    } finally {
      tell({ at, name, values });
      Atomics.add(state, GIVEN, 1);
      Atomics.store(state, IS_GIVING, 0);
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
    close: () => control.close(),
    ...commands,
  };
}

/** The facility that has the shots. @param port - where the commands of {@link twinDevices} arrive */
export function twinShots(options: SimulatedFacilityOptions, twins: Twins, port: MessagePort): SimulatedFacility {
  const { state } = twins;
  const clock = new TwinClock(twins.began, (read) => {
    for (;;) {
      const given = Atomics.load(state, GIVEN);
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        const { at, name, values } = next.message as TwinCommand;
        // What was refused there is refused here.
        clock.during(at, () => call(facility.control, name, values)).catch(() => {});
      }
      read();
      // Otherwise a command may have been given before that time that is not done here yet.
      if (Atomics.load(state, IS_GIVING) === 0 && Atomics.load(state, GIVEN) === given) return;
    }
  });
  const facility = createSimulatedFacility({ ...options, clock });
  clock.begin();
  return facility;
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
