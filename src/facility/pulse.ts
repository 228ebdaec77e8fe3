import { TAG_RATE_HZ } from "../core/constants.ts";
import { hash, Random } from "../core/random.ts";
import { sourceParameters } from "./parameters.ts";
import { delayFs, edgePixel, pumpResponse } from "./response.ts";
import { debyeWaller, referenceSpacingAngstrom } from "./samples.ts";
import type { SimulatedShot } from "./shot.ts";

const salts = {
  beam: hash("beam"),
  energy: hash("pulse energy"),
  centre: hash("centre energy"),
  arrival: hash("arrival"),
  drift: hash("arrival drift"),
} as const;

/** Golden-ratio multiplier: an odd one, so tags stay distinct, and neighbours land far apart. */
const SPREAD = 0x9e3779b1;

/**
 * What the machine gave at each shot. Every quantity has draws of its own, found by hashing, so the answers do not
 * depend on which are asked for or in which order.
 */
export class PulseModel {
  readonly #random = new Random(0);

  /** A stream for one quantity of one shot. The object is reused: draw before asking for the next. */
  draws(key: number, salt: number, tag: number): Random {
    return this.#random.reseed((key ^ salt) + Math.imul(tag, SPREAD));
  }

  /** Whether the accelerator delivered a pulse. */
  hasBeam(shot: SimulatedShot): boolean {
    return (
      shot.onBeat &&
      shot.beamOn &&
      this.draws(shot.key, salts.beam, shot.tag).uniform() >= sourceParameters.beamOffShare
    );
  }

  /** Whether X-rays came through to the hutch. */
  hasXrays(shot: SimulatedShot): boolean {
    return shot.xrayShutterOpen && this.hasBeam(shot);
  }

  /** Whether they came on to the sample: attenuator and pulse selector stand behind the beam monitors. */
  reachesSample(shot: SimulatedShot): boolean {
    return shot.transmission > 0 && this.hasXrays(shot);
  }

  /** Pulse energy of the shot at the beam monitors, J: Gamma-distributed. */
  energyJ(shot: SimulatedShot): number {
    return (
      shot.experiment.pulseEnergyJ *
      shot.energyFactor *
      this.draws(shot.key, salts.energy, shot.tag).gamma(sourceParameters.modes)
    );
  }

  /** Centre photon energy of the shot, eV. */
  photonEnergyEv(shot: SimulatedShot): number {
    return (
      shot.photonEnergyEv *
      (1 + sourceParameters.centreEnergyJitter * this.draws(shot.key, salts.centre, shot.tag).normal())
    );
  }

  /** How much later than nominal the X-rays came, against the optical laser, fs. */
  arrivalFs(shot: SimulatedShot): number {
    const drift = this.drift(shot.key, salts.drift, shot.tag, sourceParameters.arrivalDriftKnotSeconds);
    return (
      sourceParameters.arrivalDriftFs * drift +
      sourceParameters.arrivalJitterFs * this.draws(shot.key, salts.arrival, shot.tag).normal()
    );
  }

  /** Position of the edge on the timing monitor, pixel; NaN without X-rays. */
  edgePixel(shot: SimulatedShot): number {
    return this.hasXrays(shot) ? edgePixel(this.arrivalFs(shot), shot.timingPulse) : NaN;
  }

  /** By how much the pump laser has raised the mean square displacement of the sample's atoms, Å². */
  displacementA2(shot: SimulatedShot): number {
    const { pump } = shot.experiment;
    if (pump === undefined || !shot.laserShutterOpen) return 0;
    return pump.displacementA2 * pumpResponse(pump, delayFs(pump, shot.delayPulse, this.arrivalFs(shot)));
  }

  /** Factor by which pump laser and damage change a ring of this shot; 1 for a fresh sample without laser. */
  ringFactor(shot: SimulatedShot, dSpacingAngstrom: number = referenceSpacingAngstrom): number {
    return shot.sampleFactor * debyeWaller(dSpacingAngstrom, this.displacementA2(shot));
  }

  /**
   * A slow wander of unit rms at its knots, straight between them. Knots stand in for an Ornstein–Uhlenbeck process so
   * that any tag can be asked for directly.
   */
  drift(key: number, salt: number, tag: number, knotSeconds: number): number {
    const position = tag / (knotSeconds * TAG_RATE_HZ);
    const knot = Math.floor(position);
    const before = this.draws(key, salt, knot).normal();
    const after = this.draws(key, salt, knot + 1).normal();
    return before + (after - before) * (position - knot);
  }
}
