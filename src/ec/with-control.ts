import { type CallOptions, throwIfAborted } from "../core/async.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { SaclaError, toSaclaError } from "../core/errors.ts";
import { asFinite } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
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
import { axisUndo, DeviceChanges, runName, runUndo, shutterUndo } from "./device-changes.ts";
import { checkAllowed, checkLimits, checkSpeed, findDevice } from "./device-checks.ts";
import type { ControlDriver, DeviceInfo } from "./driver.ts";
import { GuardedDriver } from "./guarded-driver.ts";
import { type EndedLease, LeaseKeeper } from "./lease.ts";
import type { LeaseJournal, UnfinishedLease } from "./lease-journal.ts";
import { RequestDesk } from "./requests/desk.ts";
import { requestHandlers } from "./requests/request-handlers.ts";
import { RequestLog } from "./requests/request-log.ts";

export interface WithControlOptions {
  /** What leases are timed by. @default realClock() */
  readonly clock?: Clock | undefined;
  /** Longest time a driver may take to answer. @default 5000 */
  readonly driverTimeoutMs?: number | undefined;
  /**
   * Every lease, what was set going under it and how it ended. After a crash of this process the next one with the same
   * file stops or closes what the previous holder left moving or open. Closed with the Endpoint. @default none
   */
  readonly journal?: LeaseJournal | undefined;
  /**
   * Nothing that a crash left is stopped or closed before it resolves: a server first binds its addresses. Until then
   * nobody gets a lease. @default at once
   */
  readonly recoverAfter?: Promise<unknown> | undefined;
  /**
   * The dialogue with the operators of the accelerator. With a file, the next process puts back what this one left
   * under way. Closed with the Endpoint. @default in memory
   */
  readonly requests?: RequestLog | undefined;
  /** Told of each lease that has ended, and what was done then to leave the beamline safe. */
  readonly onLeaseEnd?: ((ended: EndedLease) => void) | undefined;
}

/** The options with what has a default. */
type Given = Omit<WithControlOptions, "clock" | "onLeaseEnd"> & {
  readonly clock: Clock;
  readonly onLeaseEnd: (ended: EndedLease) => void;
};

type Handlers = { readonly [M in ControlMethod]: (params: CallParams<M>) => Promise<CallResult<M>> };

/**
 * An Endpoint that also controls: `ec.*` and `lease.*` are answered from `driver`, all else from `endpoint`. Whatever
 * the driver, one client at a time changes things, by a lease that ends when its heartbeat stops; then axes that were
 * moved under it and still move are stopped, shutters that were opened closed, its run paused. Limits and states are
 * checked before the driver is asked, and every answer comes in time: when a driver is silent, the axis is stopped, the
 * shutter closed. Stopping, closing and pausing need no lease. Closing the Endpoint ends all leases and the driver.
 *
 * @throws BAD_ARGUMENT for an option that is not known or out of range
 * @example
 * const endpoint = inProcess(withControl(endpointOf(source), driver));
 */
export function withControl(endpoint: Endpoint, driver: ControlDriver, options: WithControlOptions = {}): Endpoint {
  const checks = { clock: any, driverTimeoutMs: any, journal: any, recoverAfter: any, requests: any, onLeaseEnd: any };
  resolveOptions("withControl", options, checks);
  const { clock = realClock(), driverTimeoutMs = 5000, onLeaseEnd = () => {} } = options;
  const guarded = new GuardedDriver(driver, asFinite("driverTimeoutMs", driverTimeoutMs, 1));
  return new Controlling(endpoint, guarded, { ...options, clock, onLeaseEnd });
}

class Controlling implements Endpoint {
  readonly #inner: Endpoint;
  readonly #driver: GuardedDriver;
  readonly #leases: LeaseKeeper;
  readonly #handlers: Handlers;
  readonly #devices = new Map<number, readonly DeviceInfo[]>();
  readonly #changes: DeviceChanges;
  readonly #desk: RequestDesk;
  readonly #journal: LeaseJournal | undefined;
  /** What leases of a killed process left has been made safe. */
  readonly #recovered: Promise<unknown>;
  readonly #ending = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(inner: Endpoint, driver: GuardedDriver, { clock, journal, recoverAfter, requests, onLeaseEnd }: Given) {
    this.#inner = inner;
    this.#driver = driver;
    this.#changes = new DeviceChanges(
      driver,
      (bl, token) => this.#leases.check(bl, token),
      async (bl, device, kind) => await journal?.changed(bl, device, kind),
    );
    this.#leases = new LeaseKeeper({
      clock,
      makeSafe: async ({ bl, changedDevices }, how) => {
        const lines = this.#desk.leaseEnded(bl, how);
        return [...(await this.#changes.makeSafe(bl, changedDevices, how)), ...lines];
      },
      onTake: (bl, name, reason) => journal?.taken(bl, name, reason),
      onEnd: (ended) => {
        try {
          journal?.ended(ended, this.#changes.left(ended.bl));
        } finally {
          onLeaseEnd(ended);
        }
      },
    });
    this.#desk = new RequestDesk({
      driver,
      log: requests ?? RequestLog.inMemory(),
      clock,
      holder: (bl, lease) => this.#leases.check(bl, lease).name,
      find: async (bl, name) => findDevice(await this.#known(bl), bl, "setting", name),
    });
    this.#journal = journal;
    if (journal !== undefined && journal.damage !== "") process.emitWarning(journal.damage, { code: "FILE_DAMAGED" });
    this.#recovered = recoverAfter === undefined ? this.#recoverAll() : this.#recoverLater(recoverAfter);
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
      const methods = [...new Set([...described.methods, ...Object.keys(controlMethods)])];
      return { ...described, methods } as CallResult<M>;
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
    this.#ending.abort();
    await Promise.all([this.#leases.close(), this.#recovered.catch(() => {})]);
    await this.#desk.close();
    this.#changes.close();
    try {
      await this.#driver.ask("close", (driver) => driver.close());
    } finally {
      await this.#journal?.close().catch(() => {});
      await this.#inner.close();
    }
  }

  #makeHandlers(): Handlers {
    const driver = this.#driver;
    const leases = this.#leases;
    return {
      "ec.devices": async ({ bl }) => [...(await this.#refresh(bl))],
      "ec.read": async ({ bl, device }) => await this.#changes.read(await this.#nameOf(bl, device)),
      "ec.move": async ({ bl, lease, axis, pulses }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkLimits(info, pulses);
        await this.#changes.change(
          bl,
          lease,
          info.name,
          `move to ${pulses}`,
          (d) => d.move(info.name, pulses),
          axisUndo,
        );
        return {};
      },
      "ec.stop": async ({ bl, axis }) => {
        if (axis === null) await this.#stopAll(bl);
        else await this.#changes.halt(await this.#nameOf(bl, axis, "axis"), axisUndo);
        return {};
      },
      "ec.preset": async ({ bl, lease, axis, pulses }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkLimits(info, pulses);
        await this.#changes.change(bl, lease, info.name, `preset to ${pulses}`, (d) => d.preset(info.name, pulses));
        return {};
      },
      "ec.setSpeed": async ({ bl, lease, axis, pulsesPerSecond }) => {
        const info = await this.#find(bl, lease, "axis", axis);
        checkSpeed(info, pulsesPerSecond);
        await this.#changes.change(bl, lease, info.name, `setSpeed ${pulsesPerSecond}`, (d) =>
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
          await this.#changes.change(bl, lease, name, "open", (d) => d.setShutter(name, true), shutterUndo);
        } else {
          await this.#changes.halt(await this.#nameOf(bl, shutter, "shutter"), shutterUndo);
        }
        return {};
      },
      "ec.set": async ({ bl, lease, setting, value }) => {
        const info = await this.#find(bl, lease, "setting", setting);
        checkAllowed(info, value);
        await this.#changes.change(bl, lease, info.name, `set ${value}`, (d) => d.set(info.name, value));
        return {};
      },
      "ec.startRun": async ({ bl, lease, comment, detectors, shots }) =>
        await this.#changes.changeRun(bl, lease, "startRun", "ready", (d) =>
          d.startRun(bl, { comment, detectors, shots }),
        ),
      "ec.pauseRun": async ({ bl }) => {
        await this.#changes.halt(runName(bl), runUndo(bl));
        return {};
      },
      "ec.resumeRun": async ({ bl, lease }) => {
        await this.#changes.changeRun(bl, lease, "resumeRun", "paused", (d) => d.resumeRun(bl));
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
        await driver.ask(`the lease of beamline ${bl}`, async (d) => await d.leased?.(bl));
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
      ...requestHandlers(this.#desk),
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

  /** All at once: none waits for another, and what fails keeps none from being stopped. */
  async #stopAll(bl: number): Promise<void> {
    const axes = (await this.#known(bl)).filter(({ kind }) => kind === "axis");
    const stops = await Promise.allSettled(axes.map(({ name }) => this.#changes.halt(name, axisUndo)));
    const failed = stops.flatMap((stop, i) =>
      stop.status === "rejected" ? [{ axis: axes[i]?.name ?? "", error: toSaclaError(stop.reason) }] : [],
    );
    const [first] = failed;
    if (first === undefined) return;
    const lines = failed.map(({ axis, error }) => `${axis}: ${error.message}`);
    throw new SaclaError(first.error.code, `Not stopped: ${lines.join("; ")}`, { cause: first.error });
  }

  /** A line about lines of the journal that cannot be read. */
  #damage(): string[] {
    const damage = this.#journal?.damage ?? "";
    return damage === "" ? [] : [damage];
  }

  async #recoverAll(): Promise<void> {
    const leases = (this.#journal?.unfinished ?? []).map((lease) => this.#recover(lease));
    await Promise.all([...leases, this.#desk.recover()]);
  }

  async #recoverLater(after: Promise<unknown>): Promise<void> {
    const { signal } = this.#ending;
    await Promise.race([after, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    if (!signal.aborted) await this.#recoverAll();
  }

  async #recover({ bl, name, reason, changedDevices }: UnfinishedLease): Promise<void> {
    this.#leases.remember({
      bl,
      name,
      reason,
      how: "killed",
      done: [...(await this.#changes.makeSafe(bl, changedDevices, "killed")), ...this.#damage()],
    });
  }
}
