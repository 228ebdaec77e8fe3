import { type CallOptions, sleep, throwIfAborted } from "../core/async.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { asFinite, checkOptions } from "../core/guards.ts";
import { checkCall } from "../transport/check.ts";
import { type ControlMethod, controlMethods, isControlMethod } from "../transport/control-methods.ts";
import type { Endpoint, StreamOptions } from "../transport/endpoint.ts";
import type {
  CallMethod,
  CallParams,
  CallResult,
  StreamItem,
  StreamMethod,
  StreamParams,
} from "../transport/methods.ts";
import { checkAllowed, checkLimits, checkReady, checkSpeed, findDevice } from "./device-checks.ts";
import type { ControlDriver, DeviceInfo } from "./driver.ts";
import { GuardedDriver, isRefusal } from "./guarded-driver.ts";
import { type EndedLease, type LeaseEnd, LeaseKeeper, type Touched } from "./lease.ts";
import { LeaseJournal, type UnfinishedLease } from "./lease-journal.ts";

export interface WithControlOptions {
  /** What leases are timed by. @default realClock() */
  readonly clock?: Clock;
  /** Longest time a driver may take to answer. @default 5000 */
  readonly driverTimeoutMs?: number;
  /**
   * File of JSON lines with every lease, what was set going under it and how it ended. After a crash of this process
   * the next one with the same file makes good what the lease left. @default none
   */
  readonly journal?: string;
  /** Told of each lease that has ended, and what was done then to leave the beamline safe. */
  readonly onLeaseEnd?: (ended: EndedLease) => void;
}

/** When and how often a device that could not be stopped is tried again: for ten minutes. */
const HALT_AGAIN_MS = 500;
const HALT_TRIES = 1200;

type Handlers = { readonly [M in ControlMethod]: (params: CallParams<M>) => Promise<CallResult<M>> };

/**
 * An Endpoint that also controls: `ec.*` and `lease.*` are answered from `driver`, all else from `endpoint`. Whatever
 * the driver, one client at a time changes things, by a lease that ends when its heartbeat stops; then axes that were
 * moved under it and still move are stopped, shutters that were opened closed, its run paused. Limits and states are
 * checked before the driver is asked, and every answer comes in time: when a driver is silent, the axis is stopped, the
 * shutter closed. Stopping, closing and pausing need no lease. Closing the Endpoint ends all leases and the driver.
 *
 * @throws BAD_ARGUMENT for an option that is not known or out of range @throws FILE_NOT_FOUND for a journal that cannot
 * be read
 * @example
 * const endpoint = inProcess(withControl(endpointOf(source), driver));
 */
export function withControl(endpoint: Endpoint, driver: ControlDriver, options: WithControlOptions = {}): Endpoint {
  checkOptions("withControl", options, ["clock", "driverTimeoutMs", "journal", "onLeaseEnd"]);
  const { clock = realClock(), driverTimeoutMs = 5000, journal, onLeaseEnd = () => {} } = options;
  const guarded = new GuardedDriver(driver, asFinite("driverTimeoutMs", driverTimeoutMs, 1));
  return new Controlling(
    endpoint,
    guarded,
    clock,
    journal === undefined ? undefined : new LeaseJournal(journal),
    onLeaseEnd,
  );
}

class Controlling implements Endpoint {
  readonly #inner: Endpoint;
  readonly #driver: GuardedDriver;
  readonly #leases: LeaseKeeper;
  readonly #handlers: Handlers;
  readonly #devices = new Map<number, readonly DeviceInfo[]>();
  /** The last change of each device: two changes of one device come one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** How often each device was stopped or closed, so that a change that was under way meanwhile is undone. */
  readonly #halts = new Map<string, number>();
  /** How often a change of each device was begun. */
  readonly #begins = new Map<string, number>();
  readonly #ending = new AbortController();
  readonly #journal: LeaseJournal | undefined;
  /** What could not be made safe when the last lease of a beamline ended. */
  readonly #left = new Map<number, Map<string, Touched>>();
  /** What leases of a killed process left has been made safe. */
  readonly #recovered: Promise<unknown>;
  #closing: Promise<void> | undefined;

  constructor(
    inner: Endpoint,
    driver: GuardedDriver,
    clock: Clock,
    journal: LeaseJournal | undefined,
    onLeaseEnd: (ended: EndedLease) => void,
  ) {
    this.#inner = inner;
    this.#driver = driver;
    this.#journal = journal;
    this.#leases = new LeaseKeeper({
      clock,
      makeSafe: ({ bl, touched }, how) => this.#makeSafe(bl, touched, how),
      onTake: (bl, name, reason) => journal?.taken(bl, name, reason),
      onEnd: (ended) => {
        try {
          journal?.ended(ended, this.#left.get(ended.bl) ?? new Map());
        } finally {
          onLeaseEnd(ended);
        }
      },
    });
    this.#recovered = Promise.all((journal?.unfinished ?? []).map((lease) => this.#makeGood(lease)));
    this.#recovered.catch(() => {});
    this.#handlers = this.#makeHandlers();
  }

  async call<M extends CallMethod>(
    method: M,
    params: CallParams<M>,
    options: CallOptions = {},
  ): Promise<CallResult<M>> {
    if (method === "facility.describe") {
      const described = await this.#inner.call("facility.describe", {}, options);
      const { name, methods } = described;
      return { name, methods: [...new Set([...methods, ...Object.keys(controlMethods)])] } as CallResult<M>;
    }
    if (!isControlMethod(method)) return await this.#inner.call(method, params, options);
    throwIfAborted(options.signal);
    if (this.#closing !== undefined) throw new SaclaError("CLOSED", `${method} was called after close().`);
    const handle = this.#handlers[method] as (params: CallParams<M>) => Promise<CallResult<M>>;
    return await handle(checkCall(method, params));
  }

  stream<M extends StreamMethod>(
    method: M,
    params: StreamParams<M>,
    options?: StreamOptions,
  ): AsyncIterable<StreamItem<M>> {
    return this.#inner.stream(method, params, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    await Promise.all([this.#leases.close(), this.#recovered.catch(() => {})]);
    this.#ending.abort();
    try {
      await this.#driver.ask("close", (driver) => driver.close());
    } finally {
      await this.#inner.close();
    }
  }

  #makeHandlers(): Handlers {
    const driver = this.#driver;
    const leases = this.#leases;
    return {
      "ec.devices": async ({ bl }) => [...(await this.#refresh(bl))],
      "ec.read": async ({ bl, device }) => await this.#read(await this.#nameOf(bl, device)),
      "ec.move": async ({ bl, lease, axis, pulses }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkLimits(info, pulses);
        await this.#begin(bl, lease, info.name, `move to ${pulses}`, (d) => d.move(info.name, pulses), axisUndo);
        return {};
      },
      "ec.stop": async ({ bl, axis }) => {
        await this.#halt(await this.#nameOf(bl, axis, "axis"), axisUndo);
        return {};
      },
      "ec.preset": async ({ bl, lease, axis, pulses }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkLimits(info, pulses);
        await this.#begin(bl, lease, info.name, `preset to ${pulses}`, (d) => d.preset(info.name, pulses));
        return {};
      },
      "ec.setSpeed": async ({ bl, lease, axis, pulsesPerSecond }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkSpeed(info, pulsesPerSecond);
        await this.#begin(bl, lease, info.name, `setSpeed ${pulsesPerSecond}`, (d) =>
          d.setSpeed(info.name, pulsesPerSecond),
        );
        this.#devices.delete(bl);
        return {};
      },
      "ec.setShutter": async ({ bl, lease, shutter, open }) => {
        if (open) {
          if (lease === null)
            throw new SaclaError(
              "LEASE_LOST",
              `Opening ${shutter} needs the lease of beamline ${bl}, but none was given.`,
            );
          const { name } = await this.#find(bl, lease, "shutter", shutter);
          await this.#begin(bl, lease, name, "open", (d) => d.setShutter(name, true), shutterUndo);
        } else {
          await this.#halt(await this.#nameOf(bl, shutter, "shutter"), shutterUndo);
        }
        return {};
      },
      "ec.set": async ({ bl, lease, setting, value }) => {
        const info = await this.#find(bl, lease, "setting", setting);
        checkAllowed(info, value);
        await this.#begin(bl, lease, info.name, `set ${value}`, (d) => d.set(info.name, value));
        return {};
      },
      "ec.startRun": async ({ bl, lease, comment, detectors, shots }) =>
        await this.#changeRun(bl, lease, "startRun", "ready", (d) => d.startRun(bl, { comment, detectors, shots })),
      "ec.pauseRun": async ({ bl }) => {
        await this.#halt(runName(bl), runUndo(bl));
        return {};
      },
      "ec.resumeRun": async ({ bl, lease }) => {
        await this.#changeRun(bl, lease, "resumeRun", "paused", (d) => d.resumeRun(bl));
        return {};
      },
      "ec.stopRun": async ({ bl, lease }) => {
        leases.check(bl, lease);
        await driver.ask(`stopRun of beamline ${bl}`, (d) => d.stopRun(bl));
        return {};
      },
      "ec.runState": async ({ bl }) => ({ ...(await driver.ask(`runState of beamline ${bl}`, (d) => d.runState(bl))) }),
      "ec.beam": async ({ bl }) => ({ ...(await driver.ask(`beam of beamline ${bl}`, (d) => d.beam(bl))) }),
      "lease.take": async ({ bl, name, reason, ttlMs }) => {
        await this.#recovered;
        await this.#refresh(bl);
        const { lease, previous } = await leases.take(bl, name, reason, ttlMs);
        return {
          lease,
          previous:
            previous === null
              ? null
              : { name: previous.name, reason: previous.reason, how: previous.how, done: [...previous.done] },
        };
      },
      "lease.renew": async ({ bl, lease }) => {
        leases.renew(bl, lease);
        return {};
      },
      "lease.release": async ({ bl, lease }) => {
        await leases.release(bl, lease);
        return {};
      },
      "lease.holder": async ({ bl }) => leases.holder(bl),
    };
  }

  async #refresh(bl: number): Promise<readonly DeviceInfo[]> {
    const devices = await this.#driver.ask(`devices of beamline ${bl}`, (driver) => driver.devices(bl));
    this.#devices.set(bl, devices);
    return devices;
  }

  async #known(bl: number): Promise<readonly DeviceInfo[]> {
    return this.#devices.get(bl) ?? (await this.#refresh(bl));
  }

  async #find<K extends DeviceInfo["kind"]>(
    bl: number,
    lease: string,
    kind: K,
    name: string,
  ): Promise<DeviceInfo & { kind: K }> {
    this.#leases.check(bl, lease);
    return findDevice(await this.#known(bl), bl, kind, name);
  }

  async #nameOf(bl: number, name: string, kind?: DeviceInfo["kind"]): Promise<string> {
    const devices = await this.#known(bl);
    const is = kind ?? devices.find((device) => device.name === name || device.syncdb === name)?.kind ?? "axis";
    return findDevice(devices, bl, is, name).name;
  }

  async #read(device: string) {
    return { ...(await this.#driver.ask(`read of ${device}`, (driver) => driver.read(device))) };
  }

  /**
   * One change of a device: when it is at rest and the lease holds; undone when it may have begun but did not end well.
   */
  async #begin(
    bl: number,
    token: string,
    device: string,
    what: string,
    act: (driver: ControlDriver) => Promise<void>,
    undo?: Undo,
  ): Promise<void> {
    await this.#inTurn(device, async (halts) => {
      checkReady(await this.#read(device));
      await this.#changeNow(bl, token, device, `${what} of ${device}`, halts, act, undo);
    });
  }

  async #changeRun<T>(
    bl: number,
    token: string,
    what: string,
    from: string,
    act: (driver: ControlDriver) => Promise<T>,
  ): Promise<T> {
    this.#leases.check(bl, token);
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
    // From here to the driver nothing is awaited: what was checked still holds when the driver is asked.
    const lease = this.#leases.check(bl, token);
    if (this.#haltsOf(device) !== halts) throw halted(what, device);
    if (undo !== undefined && !lease.touched.has(device)) {
      this.#journal?.touched(bl, device, undo.kind);
      lease.touched.set(device, undo.kind);
    }
    this.#begins.set(device, (this.#begins.get(device) ?? 0) + 1);
    let answer: T;
    try {
      answer = await this.#driver.ask(what, act, () => {
        if (undo !== undefined) this.#halt(device, undo).catch(() => {});
      });
    } catch (error) {
      if (undo === undefined || isRefusal(error)) throw error;
      throw await this.#undone(error, device, undo);
    }
    if (this.#haltsOf(device) === halts || undo === undefined) return answer;
    await this.#halt(device, undo);
    throw halted(what, device);
  }

  async #undone(error: unknown, device: string, undo: Undo): Promise<SaclaError> {
    const fault = toSaclaError(error);
    const end = await this.#halt(device, undo).then(
      () => `${device} was ${undo.word} to be safe.`,
      (second) => `${device} could not be ${undo.word} either: ${toSaclaError(second).message}`,
    );
    return new SaclaError(fault.code, `${fault.message} ${end}`, {
      details: fault.details,
      cause: fault.cause ?? fault,
    });
  }

  #haltsOf(device: string): number {
    return this.#halts.get(device) ?? 0;
  }

  async #halt(device: string, undo: Undo): Promise<void> {
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

  async #makeGood({ bl, name, reason, touched }: UnfinishedLease): Promise<void> {
    this.#leases.remember({ bl, name, reason, how: "killed", done: await this.#makeSafe(bl, touched, "killed") });
  }

  /** A line for each thing done; what fails is a line too. */
  async #makeSafe(bl: number, touched: ReadonlyMap<string, Touched>, how: LeaseEnd): Promise<readonly string[]> {
    const left = new Map<string, Touched>();
    this.#left.set(bl, left);
    const tries = [...touched].map(async ([device, kind]): Promise<string | null> => {
      // A holder who gives the control back has left shutter and run as they shall be.
      if (how === "released" && kind !== "axis") return null;
      try {
        return kind === "axis"
          ? await this.#stopIfMoving(device)
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

  async #stopIfMoving(axis: string): Promise<string | null> {
    const reading = await this.#read(axis).catch(() => null);
    // Even an axis at rest is stopped: it may not have begun yet, or its move may still be on the way to the driver.
    const wasAtRest = reading !== null && reading.state !== "moving";
    return await this.#tell(
      axis,
      axisUndo,
      wasAtRest ? null : `${axis} stopped${reading === null ? "" : ` near ${reading.value} pulses`}`,
    );
  }

  async #closeIfOpen(shutter: string): Promise<string | null> {
    this.#halts.set(shutter, this.#haltsOf(shutter) + 1);
    const reading = await this.#read(shutter).catch(() => null);
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
      await this.#halt(device, undo);
      return line;
    } catch (error) {
      const { code, message } = toSaclaError(error);
      throw new SaclaError(code, `${device} could not be ${undo.word}: ${message}`, { cause: error });
    }
  }
}

/** How a change is taken back so that the beamline is safe. */
interface Undo {
  readonly kind: Touched;
  readonly word: string;
  act(driver: ControlDriver, device: string): Promise<void>;
}

const axisUndo: Undo = { kind: "axis", word: "stopped", act: (driver, axis) => driver.stop(axis) };
const shutterUndo: Undo = {
  kind: "shutter",
  word: "closed",
  act: (driver, shutter) => driver.setShutter(shutter, false),
};
const runUndo = (bl: number): Undo => ({ kind: "run", word: "paused", act: (driver) => driver.pauseRun(bl) });

function runName(bl: number): string {
  return `the run of beamline ${bl}`;
}

function halted(what: string, device: string): SaclaError {
  return new SaclaError("DEVICE_BUSY", `The ${what} was given up: ${device} was stopped meanwhile.`, {
    details: { device },
  });
}
