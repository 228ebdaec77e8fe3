import { asFinite, badArgument } from "../core/guards.ts";
import { any, finite, flag, optional, resolveOptions } from "../core/options.ts";
import { atomicRangeEv } from "./atomic-data.ts";
import { siliconBraggDeg, siliconBraggEv } from "./bragg.ts";
import { type Hkl, siliconSpacing } from "./silicon.ts";
import { offsetsAt, type SplitDelayCorrection } from "./split-delay-correction.ts";

/** Speed of light, mm/ps. */
const LIGHT_MM_PER_PS = 0.299792458;

/** The six crystals: splitter, two of the delay branch, merger, and the two channel-cut ones of the fixed branch. */
export const splitDelayCrystals = ["bs", "br1", "br2", "bm", "cc1", "cc2"] as const;

/** Names of its axes: an angle in degrees for each crystal, and the gaps of BR1 and BR2 in mm. */
export type SplitDelayAxes = Readonly<Record<(typeof splitDelayCrystals)[number] | "br1Gap" | "br2Gap", string>>;

export interface SplitDelayOptions {
  /** @default [2, 2, 0] */
  readonly hkl?: Hkl | undefined;
  /** Distance of the faces of the channel-cut crystals, mm: with gaps of that size both branches are equally long. */
  readonly channelGapMm: number;
  readonly axes: SplitDelayAxes;
  /** Whether refraction is in the angles. @default true */
  readonly refraction?: boolean | undefined;
  /** What was learnt of its errors; see {@link learnSplitDelayCorrection}. */
  readonly correction?: SplitDelayCorrection | undefined;
}

/** What a person turns. */
export interface SplitDelayKnobs {
  /** How much later the delay branch comes; negative: earlier. */
  readonly delayPs: number;
  readonly photonEnergyEv: number;
}

/** Numbers of the geometry at one photon energy. */
export interface SplitDelayGeometry {
  readonly angleDeg: number;
  /** Change of the delay with the gap of both, ps/mm: 4 sin θ / c. */
  readonly psPerMm: number;
  readonly mmPerPs: number;
  /** How far beside the beam a branch goes, per mm of gap: 2 cos θ. */
  readonly lateralMmPerMm: number;
  /** How far the spot on a crystal slides, per mm of gap: cot θ. */
  readonly slideMmPerMm: number;
}

/** A range of a knob, and the axes that end it; null: no position of the axes gives it. */
export interface KnobRange {
  readonly from: number;
  readonly to: number;
  readonly fromBy: string;
  readonly toBy: string;
}

/** Limits of axes by name, in degrees and mm. */
export type LimitsByAxis = Readonly<Record<string, { readonly from: number; readonly to: number } | "unlimited">>;

/**
 * Delay per mm and beam paths of split-delay optics: two pairs of parallel faces in each branch.
 * @throws BAD_ARGUMENT
 * @example splitDelayGeometry(10_000, [2, 2, 0]).psPerMm // 4.308
 */
export function splitDelayGeometry(
  photonEnergyEv: number,
  hkl: Hkl = [2, 2, 0],
  options: { readonly refraction?: boolean | undefined } = {},
): SplitDelayGeometry {
  const angleDeg = siliconBraggDeg(photonEnergyEv, hkl, options);
  const theta = (angleDeg * Math.PI) / 180;
  const psPerMm = (4 * Math.sin(theta)) / LIGHT_MM_PER_PS;
  return {
    angleDeg,
    psPerMm,
    mmPerPs: 1 / psPerMm,
    lateralMmPerMm: 2 * Math.cos(theta),
    slideMmPerMm: 1 / Math.tan(theta),
  };
}

/**
 * Split-delay optics: a delay and a photon energy as positions of its eight axes, and back.
 *
 * delay = 2 sin θ (G1 + G2 − 2 channelGapMm) / c, G1 and G2 the gaps of BR1 and BR2.
 */
export class SplitDelay {
  readonly hkl: Hkl;
  readonly channelGapMm: number;
  readonly axes: SplitDelayAxes;
  readonly correction: SplitDelayCorrection | undefined;
  readonly #refraction: boolean;

  /** @throws BAD_ARGUMENT */
  constructor(options: SplitDelayOptions) {
    const { channelGapMm, refraction } = resolveOptions("SplitDelay", options, {
      hkl: any,
      channelGapMm: finite(0),
      axes: any,
      refraction: optional(flag, true),
      correction: any,
    });
    this.hkl = options.hkl ?? [2, 2, 0];
    siliconSpacing(this.hkl);
    this.channelGapMm = channelGapMm;
    this.axes = options.axes;
    this.correction = options.correction;
    this.#refraction = refraction;
  }

  /** Names of its axes: the angles, then the gaps. */
  get axisNames(): readonly string[] {
    return [...splitDelayCrystals.map((crystal) => this.axes[crystal]), this.axes.br1Gap, this.axes.br2Gap];
  }

  /** The same optics with what was learnt of it. */
  with(correction: SplitDelayCorrection | undefined): SplitDelay {
    const { hkl, channelGapMm, axes } = this;
    return new SplitDelay({ hkl, channelGapMm, axes, correction, refraction: this.#refraction });
  }

  /** @throws BAD_ARGUMENT */
  geometry(photonEnergyEv: number): SplitDelayGeometry {
    return splitDelayGeometry(photonEnergyEv, this.hkl, { refraction: this.#refraction });
  }

  /** Gap of BR1 and BR2 for a delay, mm, without what was learnt. @throws BAD_ARGUMENT */
  gapMm({ delayPs, photonEnergyEv }: SplitDelayKnobs): number {
    return this.channelGapMm + asFinite("delayPs", delayPs) * this.geometry(photonEnergyEv).mmPerPs;
  }

  /**
   * Where each axis has to be, by its name: degrees and mm, with what was learnt.
   * @throws BAD_ARGUMENT for an energy that the crystals do not reflect, a gap below 0, or one beyond what was learnt
   */
  positions(knobs: SplitDelayKnobs): Readonly<Record<string, number>> {
    const angle = this.geometry(knobs.photonEnergyEv).angleDeg;
    const gap = this.gapMm(knobs);
    if (gap < 0) throw badArgument("delayPs", knobs.delayPs, "one that leaves a gap between the crystals");
    const nominal = Object.fromEntries([
      ...splitDelayCrystals.map((crystal) => [this.axes[crystal], angle]),
      [this.axes.br1Gap, gap],
      [this.axes.br2Gap, gap],
    ]) as Record<string, number>;
    const offsets = this.correction === undefined ? {} : offsetsAt(this.correction, gap);
    for (const [axis, { offset }] of Object.entries(offsets)) {
      const at = nominal[axis];
      if (at === undefined) throw badArgument("correction", axis, `for the axes ${Object.keys(nominal).join(", ")}`);
      nominal[axis] = at + offset;
    }
    return nominal;
  }

  /**
   * The knobs for positions of its axes, with what was learnt, and how far each crystal is off the first one, µrad.
   * @throws BAD_ARGUMENT for an angle at which the splitter reflects nothing
   */
  knobs(positions: Readonly<Record<string, number>>): SplitDelayKnobs & {
    readonly offUrad: Readonly<Record<string, number>>;
  } {
    const read = (axis: string): number => asFinite(`the position of ${axis}`, positions[axis]);
    const gaps = [read(this.axes.br1Gap), read(this.axes.br2Gap)] as const;
    // What was learnt belongs to the gap without it: two rounds find that to a nanometre, as offsets hardly change.
    let offsets: ReturnType<typeof offsetsAt> = {};
    let nominal = (gaps[0] + gaps[1]) / 2;
    for (let round = 0; round < 3 && this.correction !== undefined; round++) {
      offsets = offsetsAt(this.correction, nominal, "nearest");
      nominal = (gaps[0] + gaps[1] - offsetOf(offsets, this.axes.br1Gap) - offsetOf(offsets, this.axes.br2Gap)) / 2;
    }
    const angles = splitDelayCrystals.map(
      (crystal) => read(this.axes[crystal]) - offsetOf(offsets, this.axes[crystal]),
    );
    const [first = NaN] = angles;
    const photonEnergyEv = siliconBraggEv(first, this.hkl, { refraction: this.#refraction });
    const perDegree = (Math.PI / 180) * 1e6;
    return {
      photonEnergyEv,
      delayPs: (nominal - this.channelGapMm) * this.geometry(photonEnergyEv).psPerMm,
      offUrad: Object.fromEntries(
        splitDelayCrystals.map((crystal, i) => [this.axes[crystal], ((angles[i] ?? NaN) - first) * perDegree]),
      ),
    };
  }

  /**
   * How far each knob goes while the other stays, from the limits of the axes; null: nowhere.
   * @throws BAD_ARGUMENT when an axis has no limits in the list
   */
  reach(knobs: SplitDelayKnobs, limits: LimitsByAxis): { delayPs: KnobRange | null; photonEnergyEv: KnobRange | null } {
    const offsets = this.correction === undefined ? {} : offsetsAt(this.correction, this.gapMm(knobs), "nearest");
    const of = (axis: string): { from: number; to: number } => {
      const found = limits[axis];
      if (found === undefined) throw badArgument("limits", Object.keys(limits), `limits of ${axis}, too`);
      const { from, to } = found === "unlimited" ? { from: -Infinity, to: Infinity } : found;
      const offset = offsetOf(offsets, axis);
      return { from: from - offset, to: to - offset };
    };
    const { angleDeg, psPerMm } = this.geometry(knobs.photonEnergyEv);
    const gaps = [this.axes.br1Gap, this.axes.br2Gap].map((axis) => {
      const { from, to } = of(axis);
      return { axis, from: Math.max(0, from), to };
    });
    const angles = splitDelayCrystals.map((crystal) => ({ axis: this.axes[crystal], ...of(this.axes[crystal]) }));
    const isAt = angles.every(({ from, to }) => angleDeg >= from && angleDeg <= to);
    const delays = gaps.map(({ axis, from, to }) => ({
      axis,
      from: (from - this.channelGapMm) * psPerMm,
      to: (to - this.channelGapMm) * psPerMm,
    }));
    const energies = [
      ...angles.map(({ axis, from, to }) => ({ axis, ...this.#energiesAt(from, to) })),
      ...gaps.map(({ axis, from, to }) => ({ axis, ...this.#energiesFor(knobs.delayPs, from, to) })),
    ];
    return { delayPs: isAt ? common(delays) : null, photonEnergyEv: common(energies) };
  }

  /** Energies that angles reach. */
  #energiesAt(fromDeg: number, toDeg: number): { from: number; to: number } {
    const [least, most] = energyLimits(this.hkl);
    const at = (angle: number, beyond: number): number => {
      if (!(angle > 0)) return beyond;
      // Outside of the tables nothing is told of refraction.
      const bare = siliconBraggEv(Math.min(angle, 90), this.hkl);
      if (bare <= least) return least;
      return bare >= most ? most : siliconBraggEv(Math.min(angle, 90), this.hkl, { refraction: this.#refraction });
    };
    if (!(toDeg > 0)) return { from: Infinity, to: -Infinity };
    return { from: Math.max(least, at(toDeg, least)), to: Math.min(most, at(fromDeg, most)) };
  }

  /** Energies at which a delay needs a gap between two. */
  #energiesFor(delayPs: number, fromMm: number, toMm: number): { from: number; to: number } {
    const [least, most] = energyLimits(this.hkl);
    const fits = (ev: number): number => {
      const gap = this.gapMm({ delayPs, photonEnergyEv: ev });
      return gap < fromMm ? -1 : gap > toMm ? 1 : 0;
    };
    // For a positive delay the gap grows with the energy, for a negative one it shrinks.
    const way = Math.sign(delayPs);
    if (way === 0) return fits(most) === 0 ? { from: least, to: most } : { from: Infinity, to: -Infinity };
    const edge = (side: number): number => {
      let [low, high] = [least, most];
      for (let i = 0; i < 60; i++) {
        const middle = (low + high) / 2;
        if (way * fits(middle) >= side) high = middle;
        else low = middle;
      }
      return high;
    };
    const from = way * fits(least) >= 0 ? least : edge(0);
    const to = way * fits(most) <= 0 ? most : edge(1);
    return fits(from) === 0 || from < to ? { from, to } : { from: Infinity, to: -Infinity };
  }
}

/** From just above where the reflection begins to the end of the tables, eV. */
function energyLimits(hkl: Hkl): readonly [number, number] {
  const [from, to] = atomicRangeEv;
  const begins = siliconBraggEv(90, hkl) * (1 + 1e-4);
  return [Math.max(from, begins), to];
}

function offsetOf(offsets: ReturnType<typeof offsetsAt>, axis: string): number {
  return offsets[axis]?.offset ?? 0;
}

/** What all ranges have in common. */
function common(ranges: readonly { axis: string; from: number; to: number }[]): KnobRange | null {
  const low = ranges.reduce((best, each) => (each.from > best.from ? each : best));
  const high = ranges.reduce((best, each) => (each.to < best.to ? each : best));
  if (!(low.from <= high.to)) return null;
  return { from: low.from, to: high.to, fromBy: low.axis, toBy: high.axis };
}
