import { asFinite, asOneOf, badArgument, isRecord } from "../core/guards.ts";
import { any, finite, flag, optional, resolveOptions } from "../core/options.ts";
import { siliconBraggDeg, siliconBraggEv } from "./bragg.ts";
import type { Hkl } from "./silicon.ts";

/**
 * What turns a crystal. `direct`: θ = pulses · degPerPulse. Arms push at a distance `armMm` from the pivot, `startDeg`
 * from their neutral place: `sine-bar` θ = asin(pulses / (pulsesPerMm · armMm) + sin startDeg) − startDeg,
 * `tangent-arm` with atan and tan.
 */
export type AngleDrive =
  | { readonly kind: "direct"; readonly degPerPulse: number }
  | {
      readonly kind: "sine-bar" | "tangent-arm";
      readonly pulsesPerMm: number;
      readonly armMm: number;
      readonly startDeg: number;
    };

export interface ChannelCutOptions {
  /** @default [1, 1, 1] */
  readonly hkl?: Hkl | undefined;
  readonly drive: AngleDrive;
  /** Pulses at which θ would be 0; see {@link ChannelCut.calibrated}. @default 0 */
  readonly zeroPulse?: number | undefined;
  /**
   * Whether refraction is in the angle. A zero that was calibrated without it holds at that energy alone.
   * @default true
   */
  readonly refraction?: boolean | undefined;
  /** Distance of the two faces, mm, for what depends on it. */
  readonly gapMm?: number | undefined;
}

/** What a known energy says of a monochromator. */
export interface EnergyCalibration {
  /** The monochromator with the zero that was found. */
  readonly channelCut: ChannelCut;
  readonly zeroPulse: number;
  readonly zeroPulseError: number;
  /** What the energy was called before less what it is, eV. */
  readonly wasOffEv: number;
  /** Error of the energy at the edge, eV. */
  readonly errorEv: number;
}

/** A channel-cut crystal of silicon on its rotation: photon energy to pulses and back, and where its beam leaves. */
export class ChannelCut {
  readonly hkl: Hkl;
  readonly zeroPulse: number;
  readonly gapMm: number | undefined;
  readonly #drive: AngleDrive;
  readonly #refraction: boolean;

  /** @throws BAD_ARGUMENT */
  constructor(options: ChannelCutOptions) {
    const { zeroPulse, refraction, gapMm } = resolveOptions("ChannelCut", options, {
      hkl: any,
      drive: asDrive,
      zeroPulse: optional(finite(), 0),
      refraction: optional(flag, true),
      gapMm: optional(finite(0)),
    });
    this.hkl = options.hkl ?? [1, 1, 1];
    this.zeroPulse = zeroPulse;
    this.gapMm = gapMm;
    this.#drive = options.drive;
    this.#refraction = refraction;
  }

  /** Bragg angle of its planes at an energy, degrees. @throws BAD_ARGUMENT */
  angleDeg(photonEnergyEv: number): number {
    return siliconBraggDeg(photonEnergyEv, this.hkl, { refraction: this.#refraction });
  }

  /**
   * Pulses, not rounded, at which it reflects a photon energy.
   * @throws BAD_ARGUMENT for an energy that it does not reflect, or that its arm does not reach
   */
  pulses(photonEnergyEv: number): number {
    const angle = radians(this.angleDeg(photonEnergyEv));
    const drive = this.#drive;
    if (drive.kind === "direct") return this.zeroPulse + degrees(angle) / drive.degPerPulse;
    const { push } = arms[drive.kind];
    const start = radians(drive.startDeg);
    if (Math.abs(angle + start) >= Math.PI / 2)
      throw badArgument("photonEnergyEv", photonEnergyEv, "one whose angle the arm reaches");
    return this.zeroPulse + (push(angle + start) - push(start)) * drive.pulsesPerMm * drive.armMm;
  }

  /**
   * Photon energy, eV, that it reflects at a pulse.
   * @throws BAD_ARGUMENT where it reflects none: at an angle that is not above 0 and up to 90 degrees
   */
  photonEnergyEv(pulses: number): number {
    const from = asFinite("pulses", pulses) - this.zeroPulse;
    const drive = this.#drive;
    let angle: number;
    if (drive.kind === "direct") angle = radians(from * drive.degPerPulse);
    else {
      const { push, turn } = arms[drive.kind];
      const start = radians(drive.startDeg);
      angle = turn(from / (drive.pulsesPerMm * drive.armMm) + push(start)) - start;
    }
    if (!(angle > 0 && angle <= Math.PI / 2)) throw badArgument("pulses", pulses, "where the crystal reflects");
    return siliconBraggEv(degrees(angle), this.hkl, { refraction: this.#refraction });
  }

  /**
   * Change of the photon energy with a pulse, eV; negative where more pulses are a larger angle.
   * @throws BAD_ARGUMENT
   */
  evPerPulse(photonEnergyEv: number): number {
    const at = this.pulses(photonEnergyEv);
    return this.photonEnergyEv(at + 0.5) - this.photonEnergyEv(at - 0.5);
  }

  /**
   * How far beside its way the beam leaves, mm: 2 · gap · cos θ.
   * @throws BAD_ARGUMENT when its gap is not known
   */
  exitOffsetMm(photonEnergyEv: number): number {
    if (this.gapMm === undefined) throw badArgument("gapMm", undefined, "the distance of its faces, mm");
    return 2 * this.gapMm * Math.cos(radians(this.angleDeg(photonEnergyEv)));
  }

  /**
   * The zero from an absorption edge, or a line, of known energy that was seen at a pulse.
   * @throws BAD_ARGUMENT
   * @example
   * const { centre, centreError } = fitStep(pulses, absorbances, { errors });
   * const { channelCut, errorEv } = mono.calibrated({ pulse: centre, pulseError: centreError, energyEv: 7112 });
   */
  calibrated(edge: {
    readonly pulse: number;
    readonly pulseError: number;
    readonly energyEv: number;
    /** How well that energy itself is known, eV. @default 0 */
    readonly energyErrorEv?: number | undefined;
  }): EnergyCalibration {
    const { pulse, pulseError, energyEv, energyErrorEv } = resolveOptions("calibrated", edge, {
      pulse: finite(),
      pulseError: finite(0),
      energyEv: finite(0),
      energyErrorEv: optional(finite(0), 0),
    });
    const wasOffEv = this.photonEnergyEv(pulse) - energyEv;
    const perPulse = Math.abs(this.evPerPulse(energyEv));
    const zeroPulse = this.zeroPulse + pulse - this.pulses(energyEv);
    return {
      channelCut: new ChannelCut({
        hkl: this.hkl,
        drive: this.#drive,
        zeroPulse,
        refraction: this.#refraction,
        gapMm: this.gapMm,
      }),
      zeroPulse,
      zeroPulseError: Math.hypot(pulseError, energyErrorEv / perPulse),
      wasOffEv,
      errorEv: Math.hypot(pulseError * perPulse, energyErrorEv),
    };
  }
}

/** Where a pair of channel-cut crystals in (+,−,−,+) has its beams. */
export interface PairExit {
  /** How far beside its way the beam is between the two: there the second crystal has to stand, mm. */
  readonly betweenMm: number;
  /** What is left of that behind the second, mm: 0 for equal gaps. */
  readonly behindMm: number;
}

/**
 * The beam of a pair in (+,−,−,+): the second takes back what the first moved, so that the exit stays where it is while
 * the energy changes; the second has to follow by `betweenMm`.
 * @throws BAD_ARGUMENT when a gap is not known
 */
export function pairExit(first: ChannelCut, second: ChannelCut, photonEnergyEv: number): PairExit {
  const betweenMm = first.exitOffsetMm(photonEnergyEv);
  return { betweenMm, behindMm: betweenMm - second.exitOffsetMm(photonEnergyEv) };
}

const arms = {
  "sine-bar": { push: Math.sin, turn: Math.asin },
  "tangent-arm": { push: Math.tan, turn: Math.atan },
} as const;

function asDrive(name: string, value: unknown): AngleDrive {
  if (!isRecord(value)) throw badArgument(name, value, "an object with kind, and the numbers of that kind");
  asOneOf(`kind of ${name}`, value["kind"], ["direct", "sine-bar", "tangent-arm"]);
  const drive = value as unknown as AngleDrive;
  if (drive.kind === "direct") resolveOptions(name, drive, { kind: any, degPerPulse: finite() });
  else {
    const arm = { pulsesPerMm: finite(), armMm: finite(Number.MIN_VALUE), startDeg: finite(-89, 89) };
    resolveOptions(name, drive, { kind: any, ...arm });
  }
  const perPulse = drive.kind === "direct" ? drive.degPerPulse : drive.pulsesPerMm;
  if (perPulse === 0) throw badArgument(`${name} per pulse`, 0, "a number other than 0");
  return drive;
}

const radians = (angle: number): number => (angle * Math.PI) / 180;
const degrees = (angle: number): number => (angle * 180) / Math.PI;
