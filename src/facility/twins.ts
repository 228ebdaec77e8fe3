import { closeSync, openSync, writeSync } from "node:fs";
import type { ControlDriver } from "../ec/index.ts";
import { doAgain, LineReader, SharedClock, type TimedCommand, withCommandLog } from "./command-log.ts";
import { createSimulatedFacility, type SimulatedFacilityOptions } from "./facility.ts";
import type { SimulatedFacility } from "./simulated-facility.ts";

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

/** The facility was there before its server: beamline 3 has images of its first run, which begins after 1 s. */
const BEFORE_MS = 1100;

/** Longer than a command takes; whoever is giving one for longer has been halted. */
const GIVING_MS = 1000;

/** @param path - of a new file, for the two alone */
export function newTwins(path: string): Twins {
  closeSync(openSync(path, "wx", 0o600));
  return { began: process.hrtime.bigint() - BigInt(BEFORE_MS * 1e6), path };
}

/** Devices whose commands a twin that has the shots reads from the file. */
export function twinDevices(options: SimulatedFacilityOptions, twins: Twins): ControlDriver {
  const clock = new SharedClock(() => secondsOf(twins));
  const { control } = createSimulatedFacility({ ...options, clock });
  clock.begin();
  const file = openSync(twins.path, "a");
  let isClosed = false;
  return withCommandLog(control, clock, {
    // The twin lets no time pass while this is set.
    begin: () => writeSync(file, " "),
    add: (command) => writeSync(file, `${JSON.stringify(command)}\n`),
    close: () => {
      if (!isClosed) closeSync(file);
      isClosed = true;
    },
  });
}

/** The facility that has the shots, and does all that {@link twinDevices} did, from the first command on. */
export function twinShots(options: SimulatedFacilityOptions, twins: Twins): SimulatedFacility {
  const commands = new LineReader(twins.path);
  const clock = new SharedClock(
    () => secondsOf(twins),
    (read) => {
      for (let late: number | undefined; ; ) {
        for (const command of commands.next() as TimedCommand[]) doAgain(facility.control, clock, command);
        const time = read();
        // Otherwise a command may have been given before that time that is not done here yet.
        if (!commands.hasMore()) return;
        late ??= time + GIVING_MS / 1000;
        if (time > late) return;
      }
    },
  );
  const facility = createSimulatedFacility({ ...options, clock });
  clock.begin();
  return facility;
}

function secondsOf({ began }: Twins): number {
  return Number(process.hrtime.bigint() - began) / 1e9;
}
