import { TAG_RATE_HZ } from "../../core/constants.ts";
import { hash } from "../../core/random.ts";
import type { BeamState } from "../../ec/index.ts";
import { liveTag } from "../experiments.ts";
import type { PulseModel } from "../pulse.ts";
import type { SimulatedShot } from "../shot.ts";
import { type Outage, Outages } from "./outages.ts";
import { controlParameters } from "./parameters.ts";
import type { Scenario } from "./scenario.ts";

const salts = { energy: hash("energy drift"), x: hash("pointing drift x"), y: hash("pointing drift y") } as const;

const sources = [
  "a klystron of the injector",
  "a klystron of the linac",
  "the beam loss monitor",
  "the electron gun",
] as const;

/**
 * What the accelerator and the interlocks do by themselves. Beamlines 2 and 3 share a linac; beamline 1 has its own.
 */
export class Accelerator {
  readonly #scenario: Scenario;
  readonly #pulses: PulseModel;
  readonly #trips: readonly [own: Outages, common: Outages];
  readonly #interlocks: ReadonlyMap<number, Outages>;
  readonly #tunings: ReadonlyMap<number, Outages>;

  constructor(seed: number, scenario: Scenario, pulses: PulseModel, beamlines: readonly number[]) {
    this.#scenario = scenario;
    this.#pulses = pulses;
    const trips = (linac: string): Outages =>
      new Outages(hash(seed, "trip", linac), scenario.tripsPerHour, scenario.tripSeconds);
    this.#trips = [trips("beamline 1"), trips("main")];
    this.#interlocks = new Map(
      beamlines.map((bl) => [
        bl,
        new Outages(hash(seed, "interlock", bl), scenario.interlocksPerHour, scenario.interlockSeconds),
      ]),
    );
    this.#tunings = new Map(
      beamlines.map((bl) => [
        bl,
        new Outages(hash(seed, "tuning", bl), scenario.tuningsPerHour, scenario.tuningSeconds),
      ]),
    );
  }

  /** Sets what the machine does to a live shot. */
  fill(bl: number, shot: SimulatedShot): void {
    const { pulseEnergyDrift, pointingDrift, unconverged } = this.#scenario;
    const seconds = (shot.tag - liveTag) / TAG_RATE_HZ;
    shot.beamOn = this.trip(bl, seconds) === undefined;
    shot.unconverged = unconverged;
    if (pulseEnergyDrift > 0)
      shot.energyFactor *= Math.max(0.05, 1 + pulseEnergyDrift * this.#drift(shot, salts.energy));
    if (pointingDrift > 0) {
      shot.pointingX = pointingDrift * this.#drift(shot, salts.x);
      shot.pointingY = pointingDrift * this.#drift(shot, salts.y);
    }
  }

  trip(bl: number, seconds: number): Outage | undefined {
    return this.#trips[bl === 1 ? 0 : 1].at(seconds);
  }

  /** Whether the machine takes requests of a beamline. */
  mode(bl: number, seconds: number): "normal" | "tuning" {
    return this.#tunings.get(bl)?.at(seconds) === undefined ? "normal" : "tuning";
  }

  /** Why the X-ray shutter may not be open; undefined when it may. */
  interlock(bl: number, seconds: number): Outage | undefined {
    return this.#interlocks.get(bl)?.at(seconds);
  }

  /** Interlocks that begin after `from`, up to `to`. */
  interlocksBeginning(bl: number, from: number, to: number): readonly Outage[] {
    return this.#interlocks.get(bl)?.beginning(from, to) ?? [];
  }

  /** The state upstream of the beamline's shutter. `until` is when it changes, seconds. */
  beam(bl: number, seconds: number): BeamState & { readonly until: number } {
    const trip = this.trip(bl, seconds);
    if (trip !== undefined)
      return {
        on: false,
        why: `${sources[trip.id % sources.length]} has tripped; the operators are bringing it back`,
        until: trip.to,
      };
    const interlock = this.interlock(bl, seconds);
    if (interlock !== undefined) return { on: false, why: HUTCH_OPEN, until: interlock.to };
    return { on: true, why: "", until: seconds };
  }

  #drift(shot: SimulatedShot, salt: number): number {
    return this.#pulses.drift(shot.key, salt, shot.tag, controlParameters.driftKnotSeconds);
  }
}

export const HUTCH_OPEN = "the door of the experimental hutch is open";
