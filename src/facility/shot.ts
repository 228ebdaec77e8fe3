import { hash, type Random } from "../core/random.ts";
import type { MissingReason } from "../core/syncdb.ts";
import type { RunSeries } from "./experiment.ts";

/** What is set by control at a shot, for the signals that show it. */
export interface ShotControl {
  /** What the counter of a stage shows; undefined for one that control does not know. */
  counter(equipId: string, tag: number): number | undefined;
  /** Factor on the voltage of a photodiode behind the sample position. */
  diodeFactor(equipId: string, shot: SimulatedShot): number;
  /** A 0-D signal of a device in `simulatedDevices`. */
  signal(equipId: string, shot: SimulatedShot): number | MissingReason;
}

/** What a device in the beam does to the light on its way to the stations. */
export interface OpticEffect {
  /** Stands for the device in the draws of a shot. */
  readonly salt: number;
  /** Photon energy behind the device, eV; undefined: as before it. */
  readonly photonEnergyEv?: number;
  /** Fraction of light of a centre photon energy that comes through. */
  share(centreEv: number, draws: Random): number;
}

const noOptics: readonly OpticEffect[] = [];

/** The conditions of one shot. One object is reused for a whole column. */
export interface SimulatedShot {
  experiment: RunSeries;
  /** Stands for (seed, beamline, HighTag) in every draw. */
  key: number;
  /** Stands for (seed, linac, HighTag): beamlines 2 and 3 share the electrons. */
  linac: number;
  tag: number;
  /** −1 outside of runs. */
  run: number;
  /** Whether the beamline gets a pulse at this tag: every 60/rate-th. */
  onBeat: boolean;
  xrayShutterOpen: boolean;
  xrayShutterClosed: boolean;
  laserShutterOpen: boolean;
  delayPulse: number;
  timingPulse: number;
  photonEnergyEv: number;
  /** Energy at which the monochromator calibrates a spectrometer, eV; NaN where it does not. */
  calibrationEv: number;
  /** False while the accelerator has tripped. */
  beamOn: boolean;
  /** Slow drift of the pulse energy, and what a changed undulator costs. */
  energyFactor: number;
  /** Slow drift of the pointing, in beam sizes. */
  pointingX: number;
  pointingY: number;
  /** Share of diode values whose fit fails without a reason. */
  unconverged: number;
  /** What comes from the beam monitors to the sample: attenuator and pulse selector. */
  transmission: number;
  /** What stands in the beam before the stations, in the order in which the light passes it. */
  optics: readonly OpticEffect[];
  /** What radiation has left of the sample's signal. */
  sampleFactor: number;
  /** Null where nobody controls. */
  control: ShotControl | null;
}

/** A shot to which nothing has happened. */
export function plainShot(experiment: RunSeries, seed: number): SimulatedShot {
  const { beamline, hightag } = experiment;
  return {
    experiment,
    key: hash(seed, "shot", beamline, hightag),
    linac: hash(seed, "linac", beamline === 1 ? 1 : 2, hightag),
    tag: 0,
    run: -1,
    onBeat: false,
    xrayShutterOpen: true,
    xrayShutterClosed: false,
    laserShutterOpen: false,
    delayPulse: 0,
    timingPulse: 0,
    photonEnergyEv: experiment.photonEnergyEv,
    calibrationEv: NaN,
    beamOn: true,
    energyFactor: 1,
    pointingX: 0,
    pointingY: 0,
    unconverged: 0,
    transmission: 1,
    optics: noOptics,
    sampleFactor: 1,
    control: null,
  };
}

/** Takes back what machine and control did to the shot before. */
export function untouch(shot: SimulatedShot, experiment: RunSeries): void {
  shot.experiment = experiment;
  shot.photonEnergyEv = experiment.photonEnergyEv;
  shot.calibrationEv = NaN;
  shot.beamOn = true;
  shot.energyFactor = 1;
  shot.pointingX = 0;
  shot.pointingY = 0;
  shot.unconverged = 0;
  shot.transmission = 1;
  shot.optics = noOptics;
  shot.sampleFactor = 1;
  shot.control = null;
}
