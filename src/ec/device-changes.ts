import { sleep } from "../core/async.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { checkReady } from "./device-checks.ts";
import type { ControlDriver, DeviceReading } from "./driver.ts";
import { type GuardedDriver, isRefusal } from "./guarded-driver.ts";
import type { ChangedKind, Lease, LeaseEnd } from "./lease.ts";

/** When and how often a device that could not be stopped is tried again: for ten minutes. */
const HALT_AGAIN_MS = 500;
const HALT_TRIES = 1200;
/** Of an axis at rest that was stopped since it was moved last. */
const STOPPED = "it was stopped";

/**
 * Changes of devices, one at a time for each device, and how they are taken back: stop an axis, close a shutter, pause
 * a run. A stop is never held up by a change: it is counted, and a change that was under way meanwhile is undone.
 */
export class DeviceChanges {
  readonly #driver: GuardedDriver;
  readonly #checkLease: (bl: number, token: string) => Lease;
  readonly #onChange: (bl: number, device: string, kind: ChangedKind) => Promise<void>;
  /** The last change of each device: two changes of one device come one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** How often each device was stopped or closed, so that a change that was under way meanwhile is undone. */
  readonly #halts = new Map<string, number>();
  /** How often a change of each device was begun. */
  readonly #begins = new Map<string, number>();
  /** How often each device had been stopped when its last change was begun. */
  readonly #haltsAtBegin = new Map<string, number>();
  readonly #ending = new AbortController();
  /** What could not be made safe when the last lease of a beamline ended. */
  readonly #left = new Map<number, Map<string, ChangedKind>>();

  /**
   * @param checkLease - the lease of a token, if it holds now; throws LEASE_LOST
   * @param onChange - awaited before a device is changed for the first time under a lease; its error refuses the change
   */
  constructor(
    driver: GuardedDriver,
    checkLease: (bl: number, token: string) => Lease,
    onChange: (bl: number, device: string, kind: ChangedKind) => Promise<void>,
  ) {
    this.#driver = driver;
    this.#checkLease = checkLease;
    this.#onChange = onChange;
  }

  /** What could not be made safe when the last lease of a beamline ended. */
  left(bl: number): ReadonlyMap<string, ChangedKind> {
    return this.#left.get(bl) ?? new Map();
  }

  /** Gives up the retries of stops that failed. */
  close(): void {
    this.#ending.abort();
  }

  async read(device: string): Promise<DeviceReading> {
    const reading = await this.#driver.ask(`read of ${device}`, (driver) => driver.read(device));
    // Whoever waits for the end of a move must know that it was stopped, and did not slip.
    const stopped = reading.state === "ready" && reading.why === "" && typeof reading.value === "number";
    return stopped && this.#wasStopped(device) ? { ...reading, why: STOPPED } : { ...reading };
  }

  /**
   * One change of a device: when it is at rest and the lease holds; undone when it may have begun but did not end well.
   */
  async change(
    bl: number,
    token: string,
    device: string,
    what: string,
    act: (driver: ControlDriver) => Promise<void>,
    undo?: Undo,
  ): Promise<void> {
    await this.#inTurn(device, async (halts) => {
      checkReady(await this.read(device));
      await this.#changeNow(bl, token, device, `${what} of ${device}`, halts, act, undo);
    });
  }

  async changeRun<T>(
    bl: number,
    token: string,
    what: string,
    from: string,
    act: (driver: ControlDriver) => Promise<T>,
  ): Promise<T> {
    this.#checkLease(bl, token);
    return await this.#inTurn(runName(bl), async (halts) => {
      const { state, run } = await this.#driver.ask(`runState of beamline ${bl}`, (driver) => driver.runState(bl));
      if (state !== from) {
        throw new SaclaError(
          state === "fault" ? "DEVICE_FAULT" : "DEVICE_BUSY",
          `${what} of beamline ${bl} needs a run control that is ${from}, but run ${run} is ${state}.`,
          { details: { bl, run, state } },
        );
      }
      return await this.#changeNow(bl, token, runName(bl), `${what} of beamline ${bl}`, halts, act, runUndo(bl));
    });
  }

  /** Waits for the change before; gives how often the device had been halted when this one was asked for. */
  async #inTurn<T>(device: string, work: (halts: number) => Promise<T>): Promise<T> {
    const halts = this.#haltsOf(device);
    const before = this.#turns.get(device);
    const turn = (async () => {
      await before?.catch(() => {});
      return await work(halts);
    })();
    this.#turns.set(device, turn);
    return await turn;
  }

  async #changeNow<T>(
    bl: number,
    token: string,
    device: string,
    what: string,
    halts: number,
    act: (driver: ControlDriver) => Promise<T>,
    undo: Undo | undefined,
  ): Promise<T> {
    const { changedDevices } = this.#checkLease(bl, token);
    if (undo !== undefined && !changedDevices.has(device)) {
      await this.#onChange(bl, device, undo.kind);
      changedDevices.set(device, undo.kind);
    }
    // From here to the driver nothing is awaited: what was checked still holds when the driver is asked.
    this.#checkLease(bl, token);
    if (this.#haltsOf(device) !== halts) throw halted(what, device);
    this.#begins.set(device, (this.#begins.get(device) ?? 0) + 1);
    this.#haltsAtBegin.set(device, halts);
    let answer: T;
    try {
      answer = await this.#driver.ask(what, act, () => {
        if (undo !== undefined) this.halt(device, undo).catch(() => {});
      });
    } catch (error) {
      if (undo === undefined || isRefusal(error)) throw error;
      throw await this.#undone(error, device, undo);
    }
    if (this.#haltsOf(device) === halts || undo === undefined) return answer;
    await this.halt(device, undo);
    throw halted(what, device);
  }

  async #undone(error: unknown, device: string, undo: Undo): Promise<SaclaError> {
    const fault = toSaclaError(error);
    const end = await this.halt(device, undo).then(
      () => `${device} was ${undo.word} to be safe.`,
      (second) => `${device} could not be ${undo.word} either: ${toSaclaError(second).message}`,
    );
    return new SaclaError(fault.code, `${fault.message} ${end}`, {
      details: fault.details,
      cause: fault.cause ?? fault,
    });
  }

  #wasStopped(device: string): boolean {
    const before = this.#haltsAtBegin.get(device);
    return before !== undefined && this.#haltsOf(device) !== before;
  }

  #haltsOf(device: string): number {
    return this.#halts.get(device) ?? 0;
  }

  async halt(device: string, undo: Undo): Promise<void> {
    const halts = this.#haltsOf(device) + 1;
    this.#halts.set(device, halts);
    try {
      await this.#haltOnce(device, undo);
    } catch (error) {
      if (!isRefusal(error)) void this.#haltLater(device, undo, halts);
      throw error;
    }
  }

  async #haltOnce(device: string, { word, act }: Undo): Promise<void> {
    await this.#driver.ask(`${device} being ${word}`, (driver) => act(driver, device));
  }

  /** What could not be stopped is stopped as soon as it can be, unless somebody has taken it in hand since. */
  async #haltLater(device: string, undo: Undo, halts: number): Promise<void> {
    const begins = this.#begins.get(device);
    const { signal } = this.#ending;
    for (let tries = 0; tries < HALT_TRIES; tries++) {
      await sleep(HALT_AGAIN_MS, signal).catch(() => {});
      if (signal.aborted || this.#haltsOf(device) !== halts || this.#begins.get(device) !== begins) return;
      const isHalted = await this.#haltOnce(device, undo).then(
        () => true,
        () => false,
      );
      if (isHalted) return;
    }
  }

  /** A line for each thing done; what fails is a line too. */
  async makeSafe(bl: number, changed: ReadonlyMap<string, ChangedKind>, how: LeaseEnd): Promise<readonly string[]> {
    const left = new Map<string, ChangedKind>();
    this.#left.set(bl, left);
    const tries = [...changed].map(async ([device, kind]): Promise<string | null> => {
      // A holder who gives the control back has left shutter and run as they shall be.
      if (how === "released" && kind !== "axis") return null;
      try {
        return kind === "axis"
          ? await this.#stopIfMoving(device, how)
          : kind === "shutter"
            ? await this.#closeIfOpen(device)
            : await this.#pauseIfRunning(bl);
      } catch (error) {
        left.set(device, kind);
        return toSaclaError(error).message;
      }
    });
    return (await Promise.all(tries)).filter((line) => line !== null);
  }

  async #stopIfMoving(axis: string, how: LeaseEnd): Promise<string | null> {
    const reading = await this.read(axis).catch(() => null);
    // Even an axis at rest is stopped: it may not have begun yet, or its move may still be on the way to the driver.
    const wasAtRest = reading !== null && reading.state !== "moving";
    const wasStopped = reading?.why === STOPPED;
    const line = wasAtRest ? null : `${axis} stopped${reading === null ? "" : ` near ${reading.value} pulses`}`;
    const told = await this.#tell(axis, axisUndo, line);
    // Who gave the control back waits for no move: an axis that had arrived is not told as one that was stopped.
    if (how === "released" && wasAtRest && !wasStopped) this.#haltsAtBegin.set(axis, this.#haltsOf(axis));
    return told;
  }

  async #closeIfOpen(shutter: string): Promise<string | null> {
    this.#halts.set(shutter, this.#haltsOf(shutter) + 1);
    const reading = await this.read(shutter).catch(() => null);
    return reading?.state === "ready" && reading.value === "closed"
      ? null
      : await this.#tell(shutter, shutterUndo, `${shutter} closed`);
  }

  async #pauseIfRunning(bl: number): Promise<string | null> {
    const state = await this.#driver
      .ask(`runState of beamline ${bl}`, (driver) => driver.runState(bl))
      .catch(() => null);
    if (state !== null && state.state !== "running") return null;
    return await this.#tell(runName(bl), runUndo(bl), `${runName(bl)} paused`);
  }

  /** `line` when it was done. @throws that it could not be done */
  async #tell(device: string, undo: Undo, line: string | null): Promise<string | null> {
    try {
      await this.halt(device, undo);
      return line;
    } catch (error) {
      const { code, message } = toSaclaError(error);
      throw new SaclaError(code, `${device} could not be ${undo.word}: ${message}`, { cause: error });
    }
  }
}

/** How a change is taken back so that the beamline is safe. */
interface Undo {
  readonly kind: ChangedKind;
  readonly word: string;
  act(driver: ControlDriver, device: string): Promise<void>;
}

export const axisUndo: Undo = { kind: "axis", word: "stopped", act: (driver, axis) => driver.stop(axis) };
export const shutterUndo: Undo = {
  kind: "shutter",
  word: "closed",
  act: (driver, shutter) => driver.setShutter(shutter, false),
};
export const runUndo = (bl: number): Undo => ({ kind: "run", word: "paused", act: (driver) => driver.pauseRun(bl) });

export function runName(bl: number): string {
  return `the run of beamline ${bl}`;
}

function halted(what: string, device: string): SaclaError {
  return new SaclaError("DEVICE_BUSY", `The ${what} was given up: ${device} was stopped meanwhile.`, {
    details: { device, wasStopped: true },
  });
}
