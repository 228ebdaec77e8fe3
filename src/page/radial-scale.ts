import { HC_EV_ANGSTROM } from "../core/constants.ts";
import { SaclaError } from "../core/errors.ts";
import { radiusToQ } from "../reduce/index.ts";
import type { CallParams } from "../transport/methods.ts";
import type { PageFrame } from "../transport/page-methods.ts";

export type RadialAxis = NonNullable<CallParams<"page.picture">["profile"]>;

/** About so many rings are drawn. */
const RINGS = 5;

/** Converts a distance from the beam on the detector to mm, 2θ in degrees or q in 1/Å, and back. */
export class RadialScale {
  readonly #axis: RadialAxis;

  /** @throws BAD_ARGUMENT for 2θ without a distance, and q without the photon energy */
  constructor(axis: RadialAxis) {
    const { unit, distanceMm, photonEnergyEv } = axis;
    if (unit !== "r_mm" && (distanceMm === null || (unit === "q_A^-1" && photonEnergyEv === null)))
      throw new SaclaError("BAD_ARGUMENT", `An axis in ${unit} needs the distance, and for q the photon energy.`);
    this.#axis = axis;
  }

  /** The value at a distance from the beam. */
  valueAt(radiusUm: number): number {
    const { unit, distanceMm, photonEnergyEv } = this.#axis;
    if (unit === "r_mm") return radiusUm / 1000;
    if (unit === "q_A^-1") return radiusToQ(radiusUm, distanceMm ?? NaN, photonEnergyEv ?? NaN);
    return (Math.atan2(radiusUm, 1000 * (distanceMm ?? NaN)) * 180) / Math.PI;
  }

  /** The distance from the beam at which the value is. */
  radiusUm(value: number): number {
    const { unit, distanceMm, photonEnergyEv } = this.#axis;
    if (unit === "r_mm") return 1000 * value;
    const twoTheta =
      unit === "2th_deg"
        ? (value * Math.PI) / 180
        : 2 * Math.asin((value * HC_EV_ANGSTROM) / (4 * Math.PI * (photonEnergyEv ?? NaN)));
    return 1000 * (distanceMm ?? NaN) * Math.tan(twoTheta);
  }

  /** Rings at round values, between two distances from the beam. */
  rings([fromUm, toUm]: readonly [number, number], pixelSizeUm: number): NonNullable<PageFrame["rings"]> {
    const { unit, distanceMm, photonEnergyEv } = this.#axis;
    const [from, to] = [this.valueAt(fromUm), this.valueAt(toUm)];
    const step = roundStep((to - from) / RINGS);
    const rings: NonNullable<PageFrame["rings"]>["rings"] = [];
    for (let k = Math.max(1, Math.ceil(from / step)); k * step <= to; k++) {
      // Not k × step, which would be 0.30000000000000004.
      const value = Number((k * step).toPrecision(6));
      const radiusUm = this.radiusUm(value);
      const q = distanceMm === null || photonEnergyEv === null ? null : radiusToQ(radiusUm, distanceMm, photonEnergyEv);
      const dAngstrom = q === null ? null : (2 * Math.PI) / q;
      rings.push({ value, radius: radiusUm / pixelSizeUm, dAngstrom });
    }
    return { unit, rings };
  }
}

/** The smallest of the round numbers (1, 2 or 5 times a power of ten) that is not below a number. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((part) => part * power >= least) ?? 10) * power;
}
