import { TAG_RATE_HZ } from "../core/constants.ts";
import { hash, Random } from "../core/random.ts";
import { cameraParameters, sourceParameters } from "./parameters.ts";
import { delayFs, edgePixel, pumpResponse } from "./response.ts";
import { debyeWaller, referenceSpacingAngstrom } from "./samples.ts";
import type { SimulatedShot } from "./shot.ts";

const salts = {
  beam: hash("beam"),
  energy: hash("pulse energy"),
  arrival: hash("arrival"),
  drift: hash("arrival drift"),
  electrons: hash("electron energy"),
  electronDrift: hash("electron energy drift"),
  bunch: hash("bunch charge"),
  pointing: hash("pointing"),
  edge: hash("timing edge"),
  fading: hash("edge fading"),
  fringes: hash("timing fringes"),
  timingLaser: hash("timing laser"),
} as const;

/** Golden-ratio multiplier: an odd one, so tags stay distinct, and neighbours land far apart. */
const SPREAD = 0x9e3779b1;

/** What the timing monitor's camera shows at a shot. */
interface TimingMonitorEdge {
  /** NaN where there is none. */
  readonly pixel: number;
  /** Share of the light that is gone behind it. */
  readonly depth: number;
  readonly secondPixel: number;
  readonly secondDepth: number;
}

const noEdge: TimingMonitorEdge = { pixel: NaN, depth: 0, secondPixel: NaN, secondDepth: 0 };

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

  /** Electron energy of the shot, from nominal, in units of its jitter: with what the feedback leaves of the drift. */
  electronEnergy({ linac, tag }: SimulatedShot): number {
    const { energyDrift, energyDriftKnotSeconds: knot, feedbackGain, feedbackSeconds } = sourceParameters;
    const corrected = tag - (tag % (feedbackSeconds * TAG_RATE_HZ));
    const drift = this.drift(linac, salts.electronDrift, tag, knot);
    const left = drift - feedbackGain * this.drift(linac, salts.electronDrift, corrected, knot);
    return energyDrift * left + this.draws(linac, salts.electrons, tag).normal();
  }

  /** Bunch charge of the shot, from nominal, in units of its jitter. */
  bunchCharge({ linac, tag }: SimulatedShot): number {
    return this.draws(linac, salts.bunch, tag).normal();
  }

  /** Pulse energy of the shot at the beam monitors, J: Gamma-distributed, more or less by energy and charge. */
  energyJ(shot: SimulatedShot): number {
    const { lightPerEnergy, lightPerCharge, modes } = sourceParameters;
    const gain = 1 + lightPerEnergy * this.electronEnergy(shot) + lightPerCharge * this.bunchCharge(shot);
    return (
      shot.experiment.pulseEnergyJ *
      shot.energyFactor *
      Math.max(0.05, gain) *
      this.draws(shot.key, salts.energy, shot.tag).gamma(modes)
    );
  }

  /** Share of the shot's light that comes to the stations: 1 without optics. */
  passedShare(shot: SimulatedShot): number {
    let [share, centreEv] = [1, this.photonEnergyEv(shot)];
    for (const optic of shot.optics) {
      share *= optic.share(centreEv, this.draws(shot.key, optic.salt, shot.tag));
      centreEv = optic.photonEnergyEv ?? centreEv;
    }
    return share;
  }

  /** Pulse energy at the stations, behind the optics, J. */
  stationEnergyJ(shot: SimulatedShot): number {
    return this.energyJ(shot) * this.passedShare(shot);
  }

  /** Photon energy at the stations, eV. */
  stationPhotonEnergyEv(shot: SimulatedShot): number {
    const last = shot.optics.findLast(({ photonEnergyEv }) => photonEnergyEv !== undefined);
    return last?.photonEnergyEv ?? this.photonEnergyEv(shot);
  }

  /** Centre photon energy of the shot, eV. */
  photonEnergyEv(shot: SimulatedShot): number {
    return shot.photonEnergyEv * (1 + sourceParameters.centreEnergyJitter * this.electronEnergy(shot));
  }

  /** How much later than nominal the X-rays came, against the optical laser, fs. */
  arrivalFs(shot: SimulatedShot): number {
    const { arrivalByEnergy, arrivalByCharge, arrivalDriftFs, arrivalJitterFs } = sourceParameters;
    const drift = this.drift(shot.key, salts.drift, shot.tag, sourceParameters.arrivalDriftKnotSeconds);
    const follows = arrivalByEnergy * this.electronEnergy(shot) + arrivalByCharge * this.bunchCharge(shot);
    const own = Math.sqrt(1 - arrivalByEnergy ** 2 - arrivalByCharge ** 2);
    const jitter = follows + own * this.draws(shot.key, salts.arrival, shot.tag).normal();
    return arrivalDriftFs * drift + arrivalJitterFs * jitter;
  }

  /** Where the beam goes, in beam sizes. */
  pointing(shot: SimulatedShot): { readonly x: number; readonly y: number } {
    const { pointingByEnergy, pointingJitter } = sourceParameters;
    const follows = pointingByEnergy * this.electronEnergy(shot);
    const draws = this.draws(shot.key, salts.pointing, shot.tag);
    const x = follows + Math.sqrt(1 - pointingByEnergy ** 2) * draws.normal();
    return { x: shot.pointingX + pointingJitter * x, y: shot.pointingY + pointingJitter * draws.normal() };
  }

  /** Whether the laser of the timing monitor came. */
  hasTimingLaser(shot: SimulatedShot): boolean {
    return this.draws(shot.key, salts.timingLaser, shot.tag).uniform() >= cameraParameters.laserMissingShare;
  }

  /** Phases of the fringes on the timing monitor. */
  fringePhases(shot: SimulatedShot): number[] {
    const { fringes, fringeWander, fringeKnotSeconds } = cameraParameters;
    return fringes.map((_, k) => fringeWander * this.drift(shot.key ^ k, salts.fringes, shot.tag, fringeKnotSeconds));
  }

  /** Share of the light that the edge on the timing monitor takes, and the second edge where there is one. */
  edge(shot: SimulatedShot): TimingMonitorEdge {
    if (!this.hasXrays(shot) || !this.hasTimingLaser(shot)) return noEdge;
    const parameters = cameraParameters;
    const fading = this.drift(shot.key, salts.fading, shot.tag, parameters.edgeFadingKnotSeconds);
    const light = (this.energyJ(shot) / parameters.edgeDepthEnergyJ) * Math.exp(parameters.edgeFading * fading);
    const pixel = this.edgePixel(shot);
    const draws = this.draws(shot.key, salts.edge, shot.tag);
    const luck = draws.uniform();
    if (luck < parameters.edgeMissingShare) return noEdge;
    const depth = Math.min(parameters.edgeDepthMaximum, parameters.edgeDepth * light);
    if (luck > 1 - parameters.secondEdgeShare) {
      const [near, far] = parameters.secondEdgePixel;
      const [weak, strong] = parameters.secondEdgeDepth;
      const secondPixel = pixel + near + (far - near) * draws.uniform();
      return { pixel, depth, secondPixel, secondDepth: depth * (weak + (strong - weak) * draws.uniform()) };
    }
    return { pixel, depth, secondPixel: NaN, secondDepth: 0 };
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
