import type { MissingReason } from "../../core/syncdb.ts";
import type { PulseModel } from "../pulse.ts";
import type { OpticEffect, SimulatedShot } from "../shot.ts";
import type { SimulatedAxis, SimulatedSetting } from "./devices.ts";

/** Where the devices of a beamline are at one shot. */
export interface DevicesAt {
  /** Where the load of an axis is, pulses. */
  load(axis: string): number;
  /** The value of a setting. */
  value(setting: string): number | string | undefined;
}

/** What a device does at each shot, with hidden numbers of its own. */
export interface DeviceBehavior {
  /** Numbers that whoever measures does not know, for `FacilityTruth`. */
  readonly truth?: Readonly<Record<string, number>>;
  /** What it does to the FEL before its light is made: pulse and photon energy of the shot. */
  source?(at: DevicesAt, shot: SimulatedShot): void;
  /** What it does to the light on its way to the stations; null when it is out of the beam. */
  effect?(at: DevicesAt): OpticEffect | null;
  /** Factor on the voltage of a photodiode. */
  diodeFactor?(equipId: string, at: DevicesAt): number;
  /** The value of one of its 0-D signals. */
  signal?(equipId: string, at: DevicesAt, shot: SimulatedShot, pulses: PulseModel): number | MissingReason;
}

/** A device of the simulated beamline that stands in a file of its own and in the list `simulatedDevices`. */
export interface SimulatedDevice {
  readonly name: string;
  readonly bl: number;
  readonly axes?: readonly SimulatedAxis[];
  readonly settings?: readonly SimulatedSetting[];
  /** 0-D signals that it adds. The counters of its axes need no line here. */
  readonly signals?: readonly { readonly equipId: string; readonly unit: string }[];
  /** Draws the hidden numbers from the seed of the facility. */
  behavior(seed: number): DeviceBehavior;
}
