import { TAG_RATE_HZ } from "../../core/constants.ts";
import { SaclaError } from "../../core/errors.ts";
import { hash, Random } from "../../core/random.ts";
import type { MissingReason } from "../../core/syncdb.ts";
import type { DeviceInfo, DeviceReading } from "../../ec/index.ts";
import type { RequestRule } from "../../transport/request-methods.ts";
import type { Pump, RunSeries } from "../experiment.ts";
import { experiments, liveTag } from "../experiments.ts";
import { pumpDisplacementA2, timingParameters } from "../parameters.ts";
import { stepOf } from "../planned-run.ts";
import type { PulseModel } from "../pulse.ts";
import { type OpticEffect, plainShot, type ShotControl, type SimulatedShot, untouch } from "../shot.ts";
import { type Accelerator, HUTCH_OPEN } from "./accelerator.ts";
import type { BeamlineDevices } from "./devices.ts";
import { Exposures } from "./exposures.ts";
import { controlParameters } from "./parameters.ts";
import { RunControl } from "./run-control.ts";
import type { Scenario } from "./scenario.ts";
import type { DeviceBehavior, DevicesAt, SimulatedDevice } from "./simulated-device.ts";
import { type DeviceRest, type FaultDraws, Stage } from "./stage.ts";
import { SettingDevice, ShutterDevice } from "./switches.ts";

/** By the name of the device. */
export type DeviceRests = Readonly<Record<string, DeviceRest>>;

/** What the devices of one beamline need of the facility. */
interface BeamlineContext {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly machine: Accelerator;
  readonly pulses: PulseModel;
  /** Where devices stand that are not where they are when nobody has moved them. */
  readonly rests: DeviceRests;
  /** Devices with a file of their own, of all beamlines. */
  readonly simulatedDevices: readonly SimulatedDevice[];
  /** Ticks since the facility was created. */
  now(): number;
}

/** The devices of one beamline, and what they did to every shot since somebody controls it. */
export class ControlledBeamline implements ShotControl {
  readonly bl: number;
  readonly runs: RunControl;
  readonly stages: ReadonlyMap<string, Stage>;
  readonly shutters: ReadonlyMap<string, ShutterDevice>;
  readonly settings: ReadonlyMap<string, SettingDevice>;
  /** What may be asked of the operators of the accelerator. */
  readonly requestRules: readonly RequestRule[];
  readonly #context: BeamlineContext;
  readonly #devices: BeamlineDevices;
  readonly #experiment: RunSeries;
  /** By equipment id. */
  readonly #counters: ReadonlyMap<string, Stage>;
  readonly #gains: ReadonlyMap<string, SettingDevice>;
  /** By the name of a device in `simulatedDevices`. */
  readonly #behaviors: ReadonlyMap<string, DeviceBehavior>;
  readonly #signalOwners: ReadonlyMap<string, DeviceBehavior | undefined>;
  readonly #exposures = new Exposures();
  readonly #probe: SimulatedShot;
  #walked = 0;
  #interlocksSeen = 0;

  constructor(bl: number, devices: BeamlineDevices, context: BeamlineContext) {
    this.bl = bl;
    this.#context = context;
    this.#devices = devices;
    const { seed, scenario, rests, simulatedDevices } = context;
    this.#experiment = experimentOf(bl, seed, devices);
    this.runs = new RunControl(bl, this.#experiment);
    const own = simulatedDevices.filter((device) => device.bl === bl);
    this.#behaviors = new Map(own.map((device) => [device.name, device.behavior(seed)]));
    this.#signalOwners = new Map(
      own.flatMap(({ name, signals = [] }) => signals.map(({ equipId }) => [equipId, this.#behaviors.get(name)])),
    );
    const axes = [...devices.axes, ...own.flatMap(({ axes = [] }) => axes)];
    const settings = [...devices.settings, ...own.flatMap(({ settings = [] }) => settings)];
    const faultDraws = (name: string): FaultDraws => new SeededFaultDraws(seed, name);
    this.stages = new Map(
      axes.map(({ home, ...info }) => {
        const { value, offset, speed = info.speed } = rests[info.name] ?? {};
        const at = typeof value === "number" ? value : home;
        return [info.name, new Stage({ ...info, speed }, at, scenario, faultDraws(info.name), offset)];
      }),
    );
    this.shutters = new Map(
      devices.shutters.map(({ name }) => {
        const isOpen = rests[name]?.value === true;
        return [name, new ShutterDevice(name, scenario.shutterStuck, faultDraws(name), isOpen)];
      }),
    );
    this.settings = new Map(
      settings.map(({ home, travelSeconds, unitsPerSecond, request: _, ...info }) => [
        info.name,
        new SettingDevice(
          info,
          restOr(rests[info.name], home),
          { travelSeconds, unitsPerSecond },
          scenario,
          faultDraws(info.name),
        ),
      ]),
    );
    this.requestRules = settings.flatMap(({ name, request }) =>
      request === undefined ? [] : [{ ...request, parameter: name }],
    );
    this.#counters = new Map(
      [...this.stages.values()].flatMap((stage) =>
        stage.info.syncdb === null ? [] : [[stage.info.syncdb, stage] as const],
      ),
    );
    const amplifiers = [...this.settings.values()].filter(({ info }) => info.role === "amplifier");
    this.#gains = new Map(amplifiers.map((setting) => [diodeOf(setting.info.name), setting]));
    this.#probe = plainShot(this.#experiment, seed);
  }

  /** The pump laser with its hidden time zero; undefined where there is none. */
  get pump(): Pump | undefined {
    return this.#experiment.pump;
  }

  infos(): DeviceInfo[] {
    const { shutters } = this.#devices;
    return [
      ...[...this.stages.values()].map((stage) => stage.info),
      ...shutters,
      ...[...this.settings.values()].map((setting) => setting.info),
    ];
  }

  /** Where everything stands when what goes on is over. */
  rests(): DeviceRests {
    const all = [...this.stages, ...this.shutters, ...this.settings];
    return Object.fromEntries(all.map(([name, device]) => [name, device.rest]));
  }

  readShutter(shutter: ShutterDevice, now: number): DeviceReading {
    const isLocked =
      shutter.name === this.#devices.xrayShutter &&
      this.#context.machine.interlock(this.bl, now / TAG_RATE_HZ) !== undefined;
    return shutter.read(now, isLocked ? HUTCH_OPEN : "");
  }

  /** Whether X-rays can reach the hutch, and until when the answer holds, ticks. */
  beam(now: number): { on: boolean; why: string; until: number } {
    const { on, why, until } = this.#context.machine.beam(this.bl, now / TAG_RATE_HZ);
    if (!on) return { on, why, until: until * TAG_RATE_HZ };
    const { xrayShutter } = this.#devices;
    const shutter = this.shutters.get(xrayShutter);
    if (shutter?.placeAt(now) === "open") return { on: true, why: "", until: now };
    return { on: false, why: `${xrayShutter} is not open`, until: shutter?.restsAt() ?? now };
  }

  /** An open hutch closes the X-ray shutter; to be asked before anything that comes later. */
  closeForInterlocks(now: number): void {
    const seconds = now / TAG_RATE_HZ;
    const begun = this.#context.machine.interlocksBeginning(this.bl, this.#interlocksSeen, seconds);
    for (const { from } of begun) this.shutters.get(this.#devices.xrayShutter)?.set(from * TAG_RATE_HZ, false);
    this.#interlocksSeen = seconds;
  }

  /** The conditions of a shot whose tag is set. */
  fill(shot: SimulatedShot): void {
    this.closeForInterlocks(this.#context.now());
    this.#fillBeam(shot);
    const tick = shot.tag - liveTag;
    this.#expose(Math.min(tick, Math.floor(this.#context.now())));
    shot.sampleFactor = this.#exposures.factor(this.#spotAt(tick), tick);
  }

  counter(equipId: string, tag: number): number | undefined {
    return this.#counters.get(equipId)?.counterAt(tag - liveTag);
  }

  diodeFactor(equipId: string, shot: SimulatedShot): number {
    const tick = shot.tag - liveTag;
    let factor = this.#gains.get(equipId)?.numberAt(tick) ?? 1;
    const at = this.#at(tick);
    for (const device of this.#behaviors.values()) factor *= device.diodeFactor?.(equipId, at) ?? 1;
    return factor;
  }

  signal(equipId: string, shot: SimulatedShot): number | MissingReason {
    const device = this.#signalOwners.get(equipId);
    return device?.signal?.(equipId, this.#at(shot.tag - liveTag), shot, this.#context.pulses) ?? "missing";
  }

  /** Hidden numbers of a device in `simulatedDevices`; none for one that is not here. */
  truthOf(device: string): Readonly<Record<string, number>> {
    return this.#behaviors.get(device)?.truth ?? {};
  }

  #at(tick: number): DevicesAt {
    return {
      load: (axis) => this.stages.get(axis)?.loadAt(tick) ?? 0,
      value: (setting) => this.settings.get(setting)?.at(tick).value,
    };
  }

  #optics(tick: number): OpticEffect[] {
    const at = this.#at(tick);
    return [...this.#behaviors.values()].flatMap((device) => device.effect?.(at) ?? []);
  }

  /** Shots so far that hit the spot of the sample that lies at a place. */
  hits(place: readonly [x: number, y: number]): number {
    this.closeForInterlocks(this.#context.now());
    this.#expose(Math.floor(this.#context.now()));
    return this.#exposures.hits(spotOf(place[0], place[1]));
  }

  /** All but the damage. */
  #fillBeam(shot: SimulatedShot): void {
    const tick = shot.tag - liveTag;
    const experiment = this.#experiment;
    const { xrayShutter, laserShutter, laserSelector, delay, timing } = this.#devices;
    untouch(shot, experiment);
    shot.onBeat = (shot.tag - experiment.firstTag) % stepOf(experiment) === 0;
    shot.run = this.runs.at(shot.tag)?.run ?? -1;
    const place = this.shutters.get(xrayShutter)?.placeAt(tick);
    shot.xrayShutterOpen = place === "open";
    shot.xrayShutterClosed = place === "closed";
    const isLaserOn = laserShutter !== undefined && this.shutters.get(laserShutter)?.placeAt(tick) === "open";
    shot.laserShutterOpen = isLaserOn && laserSelector !== undefined && this.#passes(laserSelector, tick);
    shot.delayPulse = delay === undefined ? 0 : (this.stages.get(delay)?.loadAt(tick) ?? 0);
    shot.timingPulse = timing === undefined ? timingParameters.zeroPulse : (this.stages.get(timing)?.loadAt(tick) ?? 0);
    this.#fillUndulator(shot, tick);
    const at = this.#at(tick);
    for (const device of this.#behaviors.values()) device.source?.(at, shot);
    shot.transmission = this.#transmission(shot, tick);
    shot.optics = this.#optics(tick);
    shot.control = this;
    this.#context.machine.fill(this.bl, shot);
  }

  /**
   * λ ∝ 1 + K²/2. One undulator of many pulls the photon energy by its share while it lases with the others, and takes
   * its share of the pulse energy away when it is off theirs.
   */
  #fillUndulator(shot: SimulatedShot, tick: number): void {
    const { undulatorK, undulators, gainWidth } = controlParameters;
    const k = this.settings.get(this.#devices.undulatorK)?.numberAt(tick) ?? undulatorK.home;
    const off = (1 + undulatorK.home ** 2 / 2) / (1 + k ** 2 / 2) - 1;
    const lases = Math.exp(-((off / gainWidth) ** 2));
    shot.photonEnergyEv *= 1 + (off * lases) / undulators;
    shot.energyFactor *= 1 - (1 - lases) / undulators;
  }

  #transmission(shot: SimulatedShot, tick: number): number {
    if (!this.#passes(this.#devices.xraySelector, tick)) return 0;
    const { siliconLengthUm, siliconEnergyEv } = controlParameters;
    const thickness = this.settings.get(this.#devices.attenuator)?.numberAt(tick) ?? 0;
    return Math.exp(-thickness / (siliconLengthUm * (shot.photonEnergyEv / siliconEnergyEv) ** 3));
  }

  /** Whether a pulse selector lets the pulse of a tick pass. */
  #passes(selector: string, tick: number): boolean {
    const setting = this.settings.get(selector)?.at(tick);
    if (setting === undefined) return true;
    if (setting.value === "off") return false;
    const step = stepOf(this.#experiment);
    const beat = (liveTag + tick - this.#experiment.firstTag) / step;
    if (setting.value === "single")
      return beat === Math.ceil((liveTag + setting.since - this.#experiment.firstTag) / step);
    return typeof setting.value !== "number" || ((beat % setting.value) + setting.value) % setting.value === 0;
  }

  #spotAt(tick: number): string {
    const [x, y] = this.#devices.sample;
    return spotOf(this.stages.get(x)?.loadAt(tick) ?? 0, this.stages.get(y)?.loadAt(tick) ?? 0);
  }

  /** Notes the shots that hit the sample, up to a tick. What has been asked for later cannot change them. */
  #expose(upTo: number): void {
    const shutter = this.shutters.get(this.#devices.xrayShutter);
    if (shutter === undefined) return;
    let tick = Math.max(this.#walked, this.runs.controlledFromTag - liveTag) + 1;
    while (tick <= upTo) {
      if (shutter.placeAt(tick) !== "open") {
        tick = Math.max(tick + 1, Math.floor(shutter.nextChange(tick)));
        continue;
      }
      this.#probe.tag = liveTag + tick;
      this.#fillBeam(this.#probe);
      if (this.#context.pulses.reachesSample(this.#probe)) this.#hit(tick);
      tick++;
    }
    this.#walked = Math.max(this.#walked, upTo);
  }

  #hit(tick: number): void {
    const { transmission, experiment } = this.#probe;
    this.#exposures.add(
      this.#spotAt(tick),
      tick,
      (transmission * this.#context.pulses.stationEnergyJ(this.#probe)) / experiment.pulseEnergyJ,
    );
  }
}

function restOr(rest: DeviceRest | undefined, home: number | string): number | string {
  return typeof rest?.value === typeof home ? (rest?.value as number | string) : home;
}

function spotOf(x: number, y: number): string {
  const { spotPulse } = controlParameters;
  return `${Math.round(x / spotPulse)} ${Math.round(y / spotPulse)}`;
}

function diodeOf(amplifier: string): string {
  return amplifier.replace(/^bl(\d)_st(\d)_pd(\d+)_gain$/, "xfel_bl_$1_st_$2_pd_user_$3_fitting_peak/voltage");
}

class SeededFaultDraws implements FaultDraws {
  readonly #key: number;
  readonly #drawn = new Map<string, number>();

  constructor(seed: number, name: string) {
    this.#key = hash(seed, "luck", name);
  }

  draw(what: string): number {
    const count = this.#drawn.get(what) ?? 0;
    this.#drawn.set(what, count + 1);
    return hash(this.#key, what, count) / 0x1_0000_0000;
  }
}

/** What controlled runs are like: the beamline's experiment of the day, with a time zero that nobody has been told. */
function experimentOf(bl: number, seed: number, { delay }: BeamlineDevices): RunSeries {
  const today = experiments.find(({ beamline, lastRun }) => beamline === bl && lastRun === Infinity);
  if (today === undefined) throw new SaclaError("INTERNAL", `Beamline ${bl} has no experiment that goes on.`);
  const { scan: _scan, pause: _pause, pump: _pump, ...rest } = today;
  if (delay === undefined) return rest;
  const random = new Random(hash(seed, "time zero", bl));
  const { t0SpreadPulse, riseFs } = controlParameters;
  const t0Pulse = 12_000 + t0SpreadPulse * (2 * random.uniform() - 1);
  return {
    ...rest,
    pump: {
      t0Pulse,
      displacementA2: pumpDisplacementA2,
      riseFs: riseFs[0] + (riseFs[1] - riseFs[0]) * random.uniform(),
      recoveryFs: 5000,
    },
  };
}
