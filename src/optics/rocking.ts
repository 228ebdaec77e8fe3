import { asFinite } from "../core/guards.ts";
import { finite, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import { darwinCurve, type ReflectionOptions, siliconReflection } from "./darwin.ts";
import type { Hkl } from "./silicon.ts";

export interface RockingCurveOptions extends ReflectionOptions {
  /**
   * `"+-"`: planes parallel, no dispersion: the curve does not depend on the beam. `"++"`: the second crystal turns the
   * beam further the same way, and the curve depends on bandwidth and divergence. @default "+-"
   */
  readonly arrangement?: "+-" | "++" | undefined;
  /** How often each crystal reflects: 2 for a channel-cut crystal with two reflections. @default 1 */
  readonly reflections?: number | undefined;
  /** Relative bandwidth of the beam, rms; for `"++"` alone. @default 1.5e-3, SASE */
  readonly bandwidthRms?: number | undefined;
  /** Divergence of the beam, µrad rms; for `"++"` alone. @default 1 */
  readonly divergenceUrad?: number | undefined;
}

/** Steps of the integral in a plateau, and how many plateaus far it goes to both sides: one integral, or one in two. */
const integrals = { "+-": { steps: 100, reach: 20 }, "++": { steps: 20, reach: 8 } } as const;

/**
 * Rocking curve of a second silicon crystal behind an equal first one: the share of what the first reflects that the
 * second reflects too, at angles in µrad from the best one.
 *
 * `"+-"`: ∫ R(x) R(x − δ) dx / ∫ R(x) dx. `"++"`: a ray that is `a` off in angle and `e` in energy (as angle) meets the
 * first crystal at a − e and the second at δ − a − e.
 * @throws BAD_ARGUMENT outside 3 to 30 keV, or for a reflection that silicon has not
 * @example const shares = siliconRockingCurve(10_000, [1, 1, 1], angles, { reflections: 2 });
 */
export function siliconRockingCurve(
  photonEnergyEv: number,
  hkl: Hkl,
  offsetsUrad: ArrayLike<number>,
  options: RockingCurveOptions = {},
): Float64Array {
  const { polarization, debyeWallerA2, arrangement, reflections, bandwidthRms, divergenceUrad } = resolveOptions(
    "siliconRockingCurve",
    options,
    {
      polarization: optional(oneOf("sigma", "pi"), "sigma"),
      debyeWallerA2: optional(finite(0)),
      arrangement: optional(oneOf("+-", "++"), "+-"),
      reflections: optional(integer(1, 8), 1),
      bandwidthRms: optional(finite(1e-9, 0.1), 1.5e-3),
      divergenceUrad: optional(finite(1e-6, 1e4), 1),
    },
  );
  const crystal = { polarization, debyeWallerA2 };
  const { plateauUrad, evPerUrad } = siliconReflection(photonEnergyEv, hkl, crystal);
  const { steps, reach } = integrals[arrangement];
  const step = plateauUrad / steps;
  const half = reach * steps;
  const nodes = Float64Array.from({ length: 2 * half + 1 }, (_, i) => (i - half) * step);
  const powers = (at: ArrayLike<number>): Float64Array =>
    darwinCurve(photonEnergyEv, hkl, at, crystal).map((value) => value ** reflections);
  const first = powers(nodes);
  const offsets = Float64Array.from(offsetsUrad, (offset) => asFinite("an angle", offset));
  if (arrangement === "+-") {
    const whole = first.reduce((sum, value) => sum + value, 0);
    return offsets.map((offset) => {
      const second = powers(nodes.map((x) => x - offset));
      return second.reduce((sum, value, i) => sum + value * (first[i] ?? 0), 0) / whole;
    });
  }
  // Energy as the angle by which the Bragg condition moves.
  const energyUrad = (bandwidthRms * photonEnergyEv) / evPerUrad;
  return dispersive(nodes, first, offsets, divergenceUrad, energyUrad);
}

/** ∬ R(u) R(v) A((u − v + δ) / 2) E((δ − u − v) / 2) du dv over what passes the first crystal. */
function dispersive(
  nodes: Float64Array,
  curve: Float64Array,
  offsets: Float64Array,
  angleRms: number,
  energyRms: number,
): Float64Array {
  const step = (nodes[1] ?? 0) - (nodes[0] ?? 0);
  // A beam narrower than a step in angle is blurred to it: the sum would miss it otherwise.
  const angle = Math.max(angleRms, step / 2);
  const energy = Math.max(energyRms, step / 2);
  const density = (x: number, rms: number): number =>
    Math.abs(x) > 8 * rms ? 0 : Math.exp(-0.5 * (x / rms) ** 2) / (rms * Math.sqrt(2 * Math.PI));
  // u = a − e is a sum of two Gaussians.
  const through = nodes.reduce((sum, u, i) => sum + (curve[i] ?? 0) * density(u, Math.hypot(angle, energy)) * step, 0);
  return offsets.map((offset) => {
    let sum = 0;
    for (const [i, u] of nodes.entries()) {
      for (const [k, v] of nodes.entries()) {
        const inAngle = density((u - v + offset) / 2, angle);
        if (inAngle === 0) continue;
        sum += (curve[i] ?? 0) * (curve[k] ?? 0) * inAngle * density((offset - u - v) / 2, energy);
      }
    }
    return (sum * step * step) / 2 / through;
  });
}
