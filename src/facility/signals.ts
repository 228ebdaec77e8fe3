import { hash } from "../core/random.ts";
import type { MissingReason } from "../core/syncdb.ts";
import { sampleDiodes } from "./control/devices.ts";
import { gunSignals, monitorDiodes, olderDiodes, olderSpellings } from "./named-signals.ts";
import { simulatedDevices } from "./optics/simulated-devices.ts";
import { monitorParameters, sourceParameters } from "./parameters.ts";
import type { PulseModel } from "./pulse.ts";
import type { SimulatedShot } from "./shot.ts";

/** How one equipment id gets its value at a shot. */
export interface Signal {
  readonly equipId: string;
  /** null for the machine common to all beamlines. */
  readonly bl: number | null;
  /** "" for flags. */
  readonly unit: string;
  readonly read: (shot: SimulatedShot, pulses: PulseModel) => number | MissingReason;
}

type Read = Signal["read"];

let table: ReadonlyMap<string, Signal> | undefined;

/** Every equipment id, in the order `read_equiplist` gives them. */
export function signalTable(): ReadonlyMap<string, Signal> {
  table ??= makeTable();
  return table;
}

function makeTable(): Map<string, Signal> {
  const made = new Map([...allSignals(), ...deviceSignals()].map((signal) => [signal.equipId, signal]));
  for (const [equipId, now] of olderSpellings) {
    const signal = made.get(now);
    if (signal !== undefined) made.set(equipId, { ...signal, equipId });
  }
  return made;
}

/** What devices with a file of their own add: their signals, and counters of axes that no station has. */
function deviceSignals(): Signal[] {
  const known = new Set(allSignals().map(({ equipId }) => equipId));
  return simulatedDevices.flatMap(({ bl, axes = [], signals = [] }) => [
    ...axes.flatMap(({ syncdb }) => (syncdb === null || known.has(syncdb) ? [] : [motor(syncdb, bl)])),
    ...signals.map(({ equipId, unit }): Signal => {
      return { equipId, bl, unit, read: (shot) => shot.control?.signal(equipId, shot) ?? "missing" };
    }),
  ]);
}

function allSignals(): Signal[] {
  return [...machineSignals(), ...beamline1(), ...beamline2(), ...beamline3()];
}

function machineSignals(): Signal[] {
  const signals: Signal[] = [];
  const add = (equipId: string, unit: string, base: number, spread: number): void => {
    signals.push({ equipId, bl: null, unit, read: steady(equipId, base, spread) });
  };
  for (const signal of gunSignals) add(...signal);
  for (let unit = 1; unit <= 64; unit++) {
    add(`xfel_llrf_cb_${unit}_kly_1_pickup/phase`, "deg", ((unit * 37) % 360) - 180, 0.05);
    add(`xfel_llrf_cb_${unit}_kly_1_pickup/amplitude`, "a.u.", 1000 + 3 * unit, 0.2);
  }
  for (let unit = 1; unit <= 24; unit++) signals.push(bunchCharge(`xfel_mon_ct_cb_${unit}_charge/summary`));
  for (const bl of [2, 3]) {
    for (let unit = 1; unit <= 18; unit++) {
      for (const axis of ["x", "y"] as const)
        signals.push(beamPosition(`xfel_mon_bpm_bl${bl}_${unit}_${axis}/summary`, bl, axis));
    }
  }
  return signals;
}

function beamline1(): Signal[] {
  return [
    ...shutters(1),
    ...laserShutter(1),
    flag("xfel_mon_ct_bl1_dump_1_beamstatus/summary", 1, (shot, pulses) => pulses.hasBeam(shot)),
    ...[1, 2].map((k) => diode(`xfel_bl_1_tc_gm_${k}_pd_fitting_peak/voltage`, 1, 0.4 / k)),
    ...userDiodes(1, 4),
    ...motors(1, 4, { 22: delayStage }),
  ];
}

function beamline2(): Signal[] {
  return [
    ...shutters(2),
    flag("xfel_mon_msbpm_bl2_dump_1_beamstatus/summary", 2, (shot, pulses) => pulses.hasBeam(shot)),
    charge("xfel_bl_2_tc_bm_1_pd/charge", 2, 1),
    charge("xfel_bl_2_tc_bm_2_pd/charge", 2, 0.8),
    charge("xfel_bl_2_st_3_bm_1_pd/charge", 2, 0.6),
    spectrometer("xfel_bl_2_tc_spec_1/energy", 2),
    laserDiode("xfel_bl_2_st_3_laser_fitting_peak/voltage", 2),
    ...[1, 2, 3].flatMap((station) => [...userDiodes(2, station), ...motors(2, station, {})]),
  ];
}

function beamline3(): Signal[] {
  const hasBeam = (shot: SimulatedShot, pulses: PulseModel): boolean => pulses.hasBeam(shot);
  const quadrants = [1, 4].flatMap((station) =>
    ["upper", "lower", "left", "right"].flatMap((side, i) =>
      ["_fitting", ""].map((kind) =>
        diode(`xfel_bl_3_st_${station}_bm_1_pd_${side}${kind}_peak/voltage`, 3, 0.2 + 0.03 * i, sides[side]),
      ),
    ),
  );
  return [
    ...shutters(3),
    ...laserShutter(3),
    flag("xfel_mon_bpm_bl3_0_3_beamstatus/summary", 3, hasBeam),
    flag("xfel_mon_msbpm_bl3_dump_1_beamstatus/summary", 3, hasBeam),
    charge("xfel_bl_3_tc_bm_1_pd/charge", 3, 1),
    charge("xfel_bl_3_tc_bm_2_pd/charge", 3, 0.8),
    charge("xfel_bl_3_st_1_bm_1_pd/charge", 3, 0.5),
    charge("xfel_bl_3_st_4_bm_1_pd/charge", 3, 0.6),
    charge("xfel_bl_3_st_5_direct_bm_1_pd/charge", 3, 0.4),
    inJoule(charge("xfel_bl_3_st_4_bm_1_pd/charge", 3, 0.6), 0.6),
    ...quadrants,
    ...monitorDiodes.map((equipId) => diode(equipId, 3, 0.3)),
    ...olderDiodes.map((equipId, i) => userDiode(equipId, 3, 0.2 + 0.05 * i)),
    spectrometer("xfel_bl_3_tc_spec_1/energy", 3),
    motor("xfel_bl_3_tc_mono_1_theta/position", 3),
    monochromatorEnergy("xfel_bl_3_oh_2_mono_photon_energy/energy", 3),
    ...[2, 4].map((station) => laserDiode(`xfel_bl_3_st_${station}_pd_laser_fitting_peak/voltage`, 3)),
    ...[1, 2, 3, 4, 5].flatMap((station) => userDiodes(3, station)),
    ...motors(3, 1, { 73: (shot) => Math.round(shot.timingPulse) }),
    ...motors(3, 2, { 1: delayStage, 40: sampleStage }),
    ...motors(3, 3, { 25: delayStage }),
    ...motors(3, 4, { 25: delayStage }),
    ...motors(3, 5, {}),
    ...range(30).map((k) => motor(`xfel_bl_3_st_5_motor_facility_${k}/position`, 3)),
    ...range(20).map((k) => motor(`xfel_bl_3_st_5_motor_user_${k}/position`, 3)),
  ];
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}

function flag(equipId: string, bl: number, isOn: (shot: SimulatedShot, pulses: PulseModel) => boolean): Signal {
  return { equipId, bl, unit: "", read: (shot, pulses) => (isOn(shot, pulses) ? 1 : 0) };
}

function shutters(bl: number): Signal[] {
  const { stuckFlags, closeFlagFrom } = monitorParameters;
  const areStuck = ({ experiment: e }: SimulatedShot): boolean =>
    bl === stuckFlags.beamline && e.firstRun >= stuckFlags.firstRun && e.lastRun <= stuckFlags.lastRun;
  return [
    flag(`xfel_bl_${bl}_shutter_1_open_valid/status`, bl, (shot) => shot.xrayShutterOpen || areStuck(shot)),
    flag(
      `xfel_bl_${bl}_shutter_1_close_valid/status`,
      bl,
      (shot) => shot.xrayShutterClosed && !areStuck(shot) && shot.experiment.hightag >= closeFlagFrom,
    ),
  ];
}

function laserShutter(bl: number): Signal[] {
  return [
    flag(`xfel_bl_${bl}_lh1_shutter_1_open_valid/status`, bl, (shot) => shot.laserShutterOpen),
    flag(`xfel_bl_${bl}_lh1_shutter_1_close_valid/status`, bl, (shot) => !shot.laserShutterOpen),
  ];
}

/** A beam monitor: charge from photodiodes that see a thin foil. */
function charge(equipId: string, bl: number, share: number): Signal {
  const salt = hash(equipId);
  const { chargePerJoule, relativeNoise, floorCharge, noiseWithoutBeamFrom } = monitorParameters;
  const read: Read = (shot, pulses) => {
    const hasXrays = pulses.hasXrays(shot);
    if (!hasXrays && shot.experiment.hightag < noiseWithoutBeamFrom) return "not-converged";
    const signal = hasXrays ? share * chargePerJoule * energyAt(equipId, shot, pulses) : 0;
    const noise = pulses.draws(shot.key, salt, shot.tag);
    return signal * (1 + relativeNoise * noise.normal()) + floorCharge * noise.normal();
  };
  return { equipId, bl, unit: "C", read };
}

/** Pulse energy where a monitor stands: the stations are behind the monochromator. */
function energyAt(equipId: string, shot: SimulatedShot, pulses: PulseModel): number {
  return equipId.includes("_st_") ? pulses.stationEnergyJ(shot) : pulses.energyJ(shot);
}

/** Pulse energy as the charge of a beam monitor gives it, by a calibration that is some per cent off. */
function inJoule(monitor: Signal, share: number): Signal {
  const salt = hash(monitor.equipId, "calibration");
  const { chargePerJoule, calibrationError } = monitorParameters;
  const read: Read = (shot, pulses) => {
    const measured = monitor.read(shot, pulses);
    if (typeof measured !== "number") return measured;
    const off = 1 + calibrationError * pulses.draws(shot.key, salt, 0).normal();
    return (off * measured) / (share * chargePerJoule);
  };
  return { ...monitor, equipId: `${monitor.equipId}_calib_in_joule`, unit: "J", read };
}

/** Bunch charge in the linac. */
function bunchCharge(equipId: string): Signal {
  const salt = hash(equipId);
  const { bunchChargeJitter } = sourceParameters;
  const read: Read = (shot, pulses) => {
    const relative = pulses.bunchCharge(shot) + 0.1 * pulses.draws(shot.linac, salt, shot.tag).normal();
    return 0.3 * (1 + bunchChargeJitter * relative);
  };
  return { equipId, bl: null, unit: "a.u.", read };
}

/** Electron beam in the undulators, mm: 0.6 µm rms of each monitor, and where the beam goes. */
function beamPosition(equipId: string, bl: number, axis: "x" | "y"): Signal {
  const salt = hash(equipId);
  const read: Read = (shot, pulses) => {
    const place = pulses.pointing(shot)[axis];
    return 0.012 * place + 0.0006 * pulses.draws(shot.key, salt, shot.tag).normal();
  };
  return { equipId, bl, unit: "a.u.", read };
}

function spectrometer(equipId: string, bl: number): Signal {
  const salt = hash(equipId);
  const { spectrometerMinimumEv, spectrometerFailureShare, spectrometerNoise } = monitorParameters;
  const read: Read = (shot, pulses) => {
    if (!pulses.hasXrays(shot) || shot.photonEnergyEv < (spectrometerMinimumEv[bl] ?? 0)) return "not-converged";
    if (isUnlucky(shot, pulses, salt)) return "not-converged";
    const energyEv = pulses.photonEnergyEv(shot);
    const draws = pulses.draws(shot.key, salt, shot.tag);
    if (draws.uniform() < spectrometerFailureShare) return "not-converged";
    return (energyEv * (1 + spectrometerNoise * draws.normal())) / 1000;
  };
  return { equipId, bl, unit: "keV", read };
}

/** Photon energy to which the monochromator is set: that of the beam, but where it calibrates a spectrometer. */
function monochromatorEnergy(equipId: string, bl: number): Signal {
  const read: Read = ({ calibrationEv, photonEnergyEv }) => (calibrationEv > 0 ? calibrationEv : photonEnergyEv);
  return { equipId, bl, unit: "eV", read };
}

/**
 * A photodiode behind an amplifier: fits of pulses too small fail, pulses too large are clipped. `factor` is what else
 * it depends on.
 */
function diode(
  equipId: string,
  bl: number,
  volts: number,
  factor: (shot: SimulatedShot, pulses: PulseModel) => number = () => 1,
): Signal {
  const salt = hash(equipId);
  const read: Read = (shot, pulses) => {
    if (!pulses.hasXrays(shot) || isUnlucky(shot, pulses, salt)) return "not-converged";
    return digitised(
      ((volts * energyAt(equipId, shot, pulses)) / shot.experiment.pulseEnergyJ) * factor(shot, pulses),
      shot,
      pulses,
      salt,
    );
  };
  return { equipId, bl, unit: "V", read };
}

/** Whether a fit fails for no reason one could see. */
function isUnlucky(shot: SimulatedShot, pulses: PulseModel, salt: number): boolean {
  return shot.unconverged > 0 && pulses.draws(shot.key ^ UNCONVERGED, salt, shot.tag).uniform() < shot.unconverged;
}

const UNCONVERGED = hash("unconverged");

/** The diodes round a beam monitor's foil see where the beam goes. */
const sides: Readonly<Record<string, (shot: SimulatedShot, pulses: PulseModel) => number>> = {
  upper: (shot, pulses) => 1 + 0.5 * pulses.pointing(shot).y,
  lower: (shot, pulses) => 1 - 0.5 * pulses.pointing(shot).y,
  left: (shot, pulses) => 1 - 0.5 * pulses.pointing(shot).x,
  right: (shot, pulses) => 1 + 0.5 * pulses.pointing(shot).x,
};

/** Behind attenuator and pulse selector; a beam that has wandered off misses part of what the diode looks at. */
function userDiode(equipId: string, bl: number, volts: number): Signal {
  const looksAtSample = sampleDiodes.has(equipId);
  return diode(equipId, bl, volts, (shot, pulses) => {
    const { x, y } = pulses.pointing(shot);
    const aim = Math.exp(-0.5 * (x * x + y * y));
    const sample = looksAtSample ? pulses.ringFactor(shot) : 1;
    return shot.transmission * aim * (sample * (shot.control?.diodeFactor(equipId, shot) ?? 1));
  });
}

function laserDiode(equipId: string, bl: number): Signal {
  const salt = hash(equipId);
  const read: Read = (shot, pulses) =>
    shot.laserShutterOpen ? digitised(monitorParameters.laserDiodeV, shot, pulses, salt) : "not-converged";
  return { equipId, bl, unit: "V", read };
}

function digitised(volts: number, shot: SimulatedShot, pulses: PulseModel, salt: number): number | MissingReason {
  const measured = volts * (1 + monitorParameters.diodeNoise * pulses.draws(shot.key, salt, shot.tag).normal());
  if (measured > monitorParameters.diodeMaximumV) return "saturated";
  return measured < monitorParameters.diodeMinimumV ? "not-converged" : measured;
}

function userDiodes(bl: number, station: number): Signal[] {
  return monitorParameters.diodeLevelsV.map((volts, i) =>
    userDiode(`xfel_bl_${bl}_st_${station}_pd_user_${i + 1}_fitting_peak/voltage`, bl, volts),
  );
}

const delayStage = (shot: SimulatedShot): number => Math.round(shot.delayPulse);

/** A fresh place on the sample for each run. */
const sampleStage = (shot: SimulatedShot): number => (shot.run < 0 ? 0 : 1000 * (shot.run - shot.experiment.firstRun));

function motors(
  bl: number,
  station: number,
  special: Readonly<Record<number, (shot: SimulatedShot) => number>>,
): Signal[] {
  return range(100).map((k) => motor(`xfel_bl_${bl}_st_${station}_motor_${k}/position`, bl, special[k]));
}

/** A stage; one without a task stands somewhere else in each experiment. Positions are whole pulses. */
function motor(equipId: string, bl: number, position?: (shot: SimulatedShot) => number): Signal {
  const salt = hash(equipId);
  const idle: Read =
    position ??
    ((shot, pulses) => (pulses.draws(shot.key, salt, shot.experiment.firstRun).uint32() % 400_001) - 200_000);
  const read: Read = (shot, pulses) => shot.control?.counter(equipId, shot.tag) ?? idle(shot, pulses);
  return { equipId, bl, unit: "pulse", read };
}

function steady(equipId: string, base: number, spread: number): Read {
  const salt = hash(equipId);
  return (shot, pulses) => base + spread * pulses.draws(shot.key, salt, shot.tag).normal();
}
