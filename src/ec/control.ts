import { SaclaError, show, showList, toSaclaError } from "../core/errors.ts";
import { asText, badArgument } from "../core/guards.ts";
import { didYouMean, nearestNames } from "../core/nearest-names.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { LEASE_TTL_MS } from "../transport/control-methods.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { Axis, type WaitLimits } from "./axis.ts";
import { findDevice, reason, whyOutOfRange } from "./device-checks.ts";
import type { BeamState, DeviceInfo, RunRequest, RunState, SettingInfo } from "./driver.ts";
import type { Experiment, ExperimentDefinition, NamesIn } from "./experiment.ts";
import { HeldLease, type PreviousLease } from "./held-lease.ts";
import { Move } from "./move.ts";
import { askOperators, type RequestKept, type RequestOptions, requestChecks } from "./requests/ask.ts";
import { notAskedFor, previewRequests, type RequestRow } from "./requests/preview.ts";
import { Setting, Shutter } from "./simple-devices.ts";
import { type Difference, differences, type Snapshot, type SnapshotEntry } from "./snapshot.ts";
import { plainAxis } from "./units.ts";

/** Who controls, under which names, and how long is waited. */
export interface ControlOptions<D extends ExperimentDefinition = ExperimentDefinition> {
  /** Who controls: shown to whoever is refused meanwhile. */
  readonly name: string;
  readonly reason: string;
  /** Names, units and limits of the beam time. Without it, devices go by their control names and axes count pulses. */
  readonly experiment?: Experiment<D> | undefined;
  /** How long the lease holds after the last heartbeat; so long after a crash motion goes on at most. @default 10000 */
  readonly ttlMs?: number | undefined;
  /** Between two looks at a moving device. @default 50 */
  readonly pollMs?: number | undefined;
  /** What a wait may take beyond what distance and speed say. @default 5000 */
  readonly marginMs?: number | undefined;
}

/** A name of the experiment, or a control name as it is. */
export type NameOf<D extends ExperimentDefinition, P extends "axes" | "shutters" | "settings"> =
  | NamesIn<D, P>
  | `bl${number}_${string}`;
/** Positions of axes and values of settings, by name. */
export type Targets<D extends ExperimentDefinition> =
  string extends NamesIn<D, "axes">
    ? Readonly<Record<string, number | string>>
    : { readonly [N in NamesIn<D, "axes">]?: number } & {
        readonly [N in NamesIn<D, "settings"> | `bl${number}_${string}`]?: number | string;
      };

/**
 * The control of one beamline while its lease is held; see `facility.ec.control`. Reading needs none of this.
 */
export class Control<D extends ExperimentDefinition = ExperimentDefinition> implements AsyncDisposable {
  readonly bl: number;
  readonly #lease: HeldLease;
  readonly #devices: readonly DeviceInfo[];
  readonly #experiment: Experiment<D> | undefined;
  readonly #waits: WaitLimits;
  readonly #reason: string;
  readonly #axes = new Map<string, Axis>();
  readonly #shutters = new Map<string, Shutter>();

  private constructor(
    lease: HeldLease,
    devices: readonly DeviceInfo[],
    experiment: Experiment<D> | undefined,
    waits: WaitLimits,
    reason: string,
  ) {
    this.#reason = reason;
    this.bl = lease.bl;
    this.#lease = lease;
    this.#devices = devices;
    this.#experiment = experiment;
    this.#waits = waits;
  }

  /**
   * @throws LEASE_HELD
   * @throws UNKNOWN_DEVICE when the experiment names a device that is not there
   * @throws UNSUPPORTED, BAD_ARGUMENT
   */
  static async take<D extends ExperimentDefinition>(
    endpoint: Endpoint,
    bl: number,
    options: ControlOptions<D>,
  ): Promise<Control<D>> {
    const { name, reason, ttlMs, ...waits } = resolveOptions("control", options, {
      name: asText,
      reason: asText,
      experiment: any,
      ttlMs: optional(integer(LEASE_TTL_MS.min, LEASE_TTL_MS.max), 10_000),
      pollMs: optional(finite(1), 50),
      marginMs: optional(finite(1), 5000),
    });
    const { experiment } = options;
    const devices = await devicesOf(endpoint, bl, experiment);
    return new Control(await HeldLease.take(endpoint, bl, name, reason, ttlMs), devices, experiment, waits, reason);
  }

  /**
   * Without a lease: what changes something throws LEASE_LOST.
   * @throws UNKNOWN_DEVICE, UNSUPPORTED
   */
  static async view<D extends ExperimentDefinition>(
    endpoint: Endpoint,
    bl: number,
    experiment: Experiment<D> | undefined,
  ): Promise<Control<D>> {
    const devices = await devicesOf(endpoint, bl, experiment);
    return new Control(HeldLease.none(endpoint, bl), devices, experiment, { pollMs: 50, marginMs: 5000 }, "");
  }

  /** How the lease before this one ended, and what was done then; null when there was none. */
  get previous(): PreviousLease {
    return this.#lease.previous;
  }

  /** Fires when the lease is lost; everything that changes then throws LEASE_LOST. */
  get signal(): AbortSignal {
    return this.#lease.signal;
  }

  /** An axis by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  axis(name: NameOf<D, "axes">): Axis {
    const definition = this.#experiment?.axes[name] ?? plainAxis(name);
    const info = findDevice(this.#devices, this.bl, "axis", this.#known("axes", name, definition.device));
    const made = this.#axes.get(name) ?? new Axis(this.#lease, name, definition, info, this.#waits);
    this.#axes.set(name, made);
    return made;
  }

  /** A shutter by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  shutter(name: NameOf<D, "shutters">): Shutter {
    const device = this.#known("shutters", name, this.#experiment?.shutters[name]?.device ?? name);
    const made =
      this.#shutters.get(name) ??
      new Shutter(this.#lease, name, findDevice(this.#devices, this.bl, "shutter", device).name, this.#waits);
    this.#shutters.set(name, made);
    return made;
  }

  /** A setting by the experiment's name or its control name. @throws UNKNOWN_DEVICE */
  setting(name: NameOf<D, "settings">): Setting {
    const device = this.#known("settings", name, this.#experiment?.settings[name]?.device ?? name);
    return new Setting(this.#lease, name, findDevice(this.#devices, this.bl, "setting", device), this.#waits);
  }

  /**
   * Several axes (numbers, in their units) and settings at once, shown before they are done: `table()` is now → will
   * be.
   * @throws UNKNOWN_DEVICE @throws BAD_ARGUMENT for no number of an axis, or two names of one device
   */
  async plan(to: Targets<D>): Promise<Move> {
    const axes: { axis: Axis; to: number }[] = [];
    const settings: { setting: Setting; to: number | string }[] = [];
    const names = new Map<string, string>();
    const once = (device: string, name: string): void => {
      const other = names.get(device);
      // Of two places only one can be gone to, and which one would be chance.
      if (other !== undefined)
        throw new SaclaError("BAD_ARGUMENT", `${other} and ${name} are both ${device}, but a move must name it once.`);
      names.set(device, name);
    };
    for (const [name, value] of Object.entries<number | string | undefined>(to)) {
      if (value === undefined) continue;
      if (this.#isSetting(name)) {
        const setting = this.setting(name as NameOf<D, "settings">);
        once(setting.info.name, name);
        settings.push({ setting, to: value });
      } else {
        const axis = this.axis(name as NameOf<D, "axes">);
        if (typeof value !== "number") throw badArgument(`the position of ${name}`, value, "a number");
        once(axis.device, name);
        axes.push({ axis, to: value });
      }
    }
    return await Move.plan(axes, settings);
  }

  /**
   * Asks the operators of the accelerator for values of its parameters, one after the other, and waits until each is
   * set and 0-D signals have verified it; otherwise the value before is put back. What was kept before one fails stays.
   * @throws LIMIT, INTERLOCK, DEVICE_BUSY, TOO_MANY_REQUESTS when it is not put to them
   * @throws REQUEST_DECLINED, REQUEST_EXPIRED when they do not accept it
   * @throws NOT_VERIFIED when it was put back @throws ABORTED, LEASE_LOST, UNKNOWN_DEVICE
   * @example
   * await control.request({ probeDelayFs: 60 }, { reason: "pump-probe" });
   */
  async request(
    to: Readonly<Record<string, number | string>>,
    options: RequestOptions = {},
  ): Promise<Readonly<Record<string, RequestKept>>> {
    resolveOptions("request", options, requestChecks);
    // All are known before the first is asked for.
    const settings = this.#wanted(to);
    const kept: Record<string, RequestKept> = {};
    const { reason: why = this.#reason } = options;
    for (const [name, info, value] of settings)
      kept[name] = await askOperators(this.#lease, info, value, why, this.#waits.pollMs, options);
    return kept;
  }

  /** What would become of {@link Control.request} now: a table now → will be, with problems. @throws UNKNOWN_DEVICE */
  async previewRequest(to: Readonly<Record<string, number | string>>): Promise<readonly RequestRow[]> {
    return await previewRequests(this.#lease, this.#wanted(to));
  }

  /** Whether a value of the accelerator may be asked for; throws why not. @throws LIMIT, UNKNOWN_DEVICE */
  checkRequest(name: string, value: number | string): void {
    const info = this.#askedFor(name);
    const why = info.role === "accelerator" ? whyOutOfRange(info, value) : "it is changed without a request, by set";
    if (why !== "")
      throw new SaclaError("LIMIT", `${name} cannot be asked for ${show(value)}: ${why}.`, {
        details: { name, value },
      });
  }

  /**
   * Where axes and settings are now, to be kept as a preset, compared or put back.
   * @param names - @default those the experiment names; without an experiment every axis and setting that can be
   * changed
   * @throws DEVICE_FAULT for an axis that tells no position
   */
  async snapshot(names: readonly string[] = this.#names()): Promise<Snapshot> {
    const values: Record<string, SnapshotEntry> = {};
    for (const name of names) {
      if (this.#isSetting(name)) {
        const setting = this.setting(name as NameOf<D, "settings">);
        values[name] = { device: setting.info.name, unit: setting.info.unit, value: await setting.value() };
      } else {
        const axis = this.axis(name as NameOf<D, "axes">);
        const { position, state, why } = await axis.read();
        if (!Number.isFinite(position)) {
          throw new SaclaError(
            "DEVICE_FAULT",
            `Nobody knows where ${name} is, so it cannot be kept or compared: ` +
              `it is ${state}: ${reason(why)}. Name the others.`,
            {
              details: { name, device: axis.device, state, why },
            },
          );
        }
        values[name] = { device: axis.definition.device, unit: axis.unit, value: position };
      }
    }
    return { time: new Date().toISOString(), values };
  }

  /** What differs now from a snapshot or preset, by more than a pulse. */
  async diff(before: Snapshot): Promise<readonly Difference[]> {
    const now = await this.snapshot(Object.keys(before.values));
    return differences(before, now, (name) =>
      this.#isSetting(name) ? 0 : 1 / this.axis(name as NameOf<D, "axes">).definition.pulsesPerUnit,
    );
  }

  /**
   * The move that puts back what is not as it was. What is as it was is left alone: a pulse selector that is put on
   * `single` again lets another pulse through.
   * @throws BAD_ARGUMENT when a name stands for another device now
   */
  async putBack(before: Snapshot): Promise<Move> {
    const changed = await this.diff(before);
    for (const { name, before: was, now } of changed) {
      if (was.device === now.device && was.unit === now.unit) continue;
      throw new SaclaError(
        "BAD_ARGUMENT",
        `${name} was ${was.device} in ${was.unit}, but is now ${now.device} in ${now.unit}; ` +
          "it cannot be put back. Move it by hand, or save the preset anew.",
      );
    }
    return await this.plan(
      Object.fromEntries(changed.map(({ name, before: { value } }) => [name, value])) as Targets<D>,
    );
  }

  /**
   * Starts a run; answers when it has begun.
   * @throws DEVICE_BUSY when one is on
   * @throws UNKNOWN_DETECTOR, DEVICE_FAULT, LEASE_LOST
   */
  async startRun(request: RunRequest): Promise<{ run: number }> {
    resolveOptions("startRun", request, { comment: any, detectors: any, shots: any });
    return await this.#lease.change("ec.startRun", { bl: this.bl, lease: this.#lease.token(), ...request });
  }

  /** Pauses the run, if one is on. Needs no lease. */
  async pauseRun(): Promise<void> {
    await this.#lease.change("ec.pauseRun", { bl: this.bl });
  }

  /** @throws DEVICE_BUSY when no run is paused @throws DEVICE_FAULT, LEASE_LOST */
  async resumeRun(): Promise<void> {
    await this.#lease.change("ec.resumeRun", { bl: this.bl, lease: this.#lease.token() });
  }

  /** Ends the run, if one is on. @throws DEVICE_FAULT, LEASE_LOST */
  async stopRun(): Promise<void> {
    await this.#lease.change("ec.stopRun", { bl: this.bl, lease: this.#lease.token() });
  }

  async runState(): Promise<RunState> {
    return await this.#lease.ask("ec.runState", { bl: this.bl });
  }

  /** Whether X-rays reach the hutch, and if not why. */
  async beam(): Promise<BeamState> {
    return await this.#lease.ask("ec.beam", { bl: this.bl });
  }

  /**
   * The safe state: stops every axis that this program has used and that moves, closes every shutter the experiment
   * names and every one this program has used. Tries all, even when one fails. Needs no lease.
   * @throws DEVICE_FAULT naming what could not be made safe
   */
  async safe(): Promise<void> {
    const shutters = new Set([...this.#shutters.keys(), ...Object.keys(this.#experiment?.shutters ?? {})]);
    const tries = [
      ...[...shutters].map((name) => this.shutter(name as NameOf<D, "shutters">).close()),
      ...[...this.#axes.values()].map(async (axis) => {
        const reading = await axis.read().catch(() => null);
        if (reading === null || reading.state === "moving") await axis.stop();
      }),
    ];
    const failures = (await Promise.allSettled(tries)).flatMap((end) =>
      end.status === "rejected" ? [toSaclaError(end.reason).message] : [],
    );
    if (failures.length > 0)
      throw new SaclaError("DEVICE_FAULT", `The safe state was not reached: ${failures.join(" ")}`, {
        details: { failures },
      });
  }

  /** Gives the lease back: axes still moving are stopped, all else stays as it is. A second call does nothing. */
  async release(): Promise<void> {
    await this.#lease.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #wanted(to: Readonly<Record<string, number | string>>): [string, SettingInfo, number | string][] {
    return Object.entries(to).map(([name, value]) => [name, this.#askedFor(name), value]);
  }

  #askedFor(name: string): SettingInfo {
    const found = this.findSetting(name);
    if (found === undefined) throw notAskedFor(name, this.#devices, this.#experiment?.settings);
    return found.info;
  }

  #names(): string[] {
    if (this.#experiment !== undefined)
      return [...Object.keys(this.#experiment.axes), ...Object.keys(this.#experiment.settings)];
    // What is only read could not be put back.
    const isKept = (device: DeviceInfo): boolean =>
      device.kind === "axis" ||
      (device.kind === "setting" &&
        device.role !== "accelerator" &&
        ("from" in device.allowed || device.allowed.length > 0));
    return this.#devices.filter(isKept).map(({ name }) => name);
  }

  /** A setting by the experiment's name or its control name; undefined when the name is none of a setting. */
  findSetting(name: string): Setting | undefined {
    return this.#isSetting(name) ? this.setting(name as never) : undefined;
  }

  #isSetting(name: string): boolean {
    return (
      this.#experiment?.settings[name] !== undefined ||
      this.#devices.some((device) => device.kind === "setting" && device.name === name)
    );
  }

  /** The device; when nobody knows the name, the error speaks of the experiment's names too. */
  #known(part: "axes" | "shutters" | "settings", name: string, device: string): string {
    const experiment = this.#experiment;
    if (
      experiment === undefined ||
      device !== name ||
      this.#devices.some((known) => known.name === name || known.syncdb === name)
    )
      return device;
    const names = Object.keys(experiment[part]);
    const near = nearestNames(name, names, 3);
    const has =
      near.length > 0
        ? `the nearest are ${showList(near)}.`
        : `it has ${showList(names, 20)}.${didYouMean(name, names)}`;
    throw new SaclaError("UNKNOWN_DEVICE", `${experiment.name} names no ${name} among its ${part}; ${has}`, {
      details: { name, part, names },
    });
  }
}

/**
 * Devices of a beamline, all that the experiment names among them: better missed before the night than at the first
 * move.
 */
async function devicesOf<D extends ExperimentDefinition>(
  endpoint: Endpoint,
  bl: number,
  experiment: Experiment<D> | undefined,
): Promise<readonly DeviceInfo[]> {
  if (experiment !== undefined && experiment.bl !== bl)
    throw badArgument("bl", bl, `${experiment.bl}, the beamline of the experiment ${experiment.name}`);
  const devices = await endpoint.call("ec.devices", { bl });
  for (const { device } of Object.values(experiment?.axes ?? {})) findDevice(devices, bl, "axis", device);
  for (const { device } of Object.values(experiment?.shutters ?? {})) findDevice(devices, bl, "shutter", device);
  for (const { device } of Object.values(experiment?.settings ?? {})) findDevice(devices, bl, "setting", device);
  return devices;
}
