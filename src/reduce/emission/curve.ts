import { dot } from "../../core/solve-rows.ts";

/** Along which way the photon energy changes on the sensor: from column to column, or from row to row. */
export type DispersiveAxis = "columns" | "rows";

/**
 * Where light of a photon energy falls on the sensor: at the pixel
 *
 * a(E, b) = p₀ + p₁ u + p₂ u² + p₃ v + p₄ v² + p₅ u v, u = (E − middleEv) / halfEv, v = (b − middlePx) / halfPx
 *
 * along the dispersive axis, b pixels along the other one; centres of pixels are whole numbers. p₁ and p₂ are the
 * dispersion, p₃ the tilt of the lines, p₄ their curvature, p₅ how the tilt changes with the energy. Plain data: store
 * it as JSON.
 */
export interface EmissionCurve {
  readonly axis: DispersiveAxis;
  readonly rows: number;
  readonly columns: number;
  readonly middleEv: number;
  readonly halfEv: number;
  readonly middlePx: number;
  readonly halfPx: number;
  readonly coefficients: readonly number[];
  /** Covariance of the coefficients, pixels². */
  readonly covariance: readonly (readonly number[])[];
}

/** Number of coefficients. */
export const TERMS = 6;

/** Pixels along the dispersive axis and along the other one. */
export function extentOf({ axis, rows, columns }: Pick<EmissionCurve, "axis" | "rows" | "columns">): {
  readonly along: number;
  readonly across: number;
} {
  return axis === "columns" ? { along: columns, across: rows } : { along: rows, across: columns };
}

/** The terms of the curve at an energy and a place across. */
export function termsAt(
  { middleEv, halfEv, middlePx, halfPx }: Omit<EmissionCurve, "coefficients" | "covariance">,
  energyEv: number,
  across: number,
): number[] {
  const [u, v] = [(energyEv - middleEv) / halfEv, (across - middlePx) / halfPx];
  return [1, u, u * u, v, v * v, u * v];
}

/** Pixel along the dispersive axis at which light of an energy falls. */
export function emissionPixelAt(curve: EmissionCurve, energyEv: number, across: number): number {
  return dot(termsAt(curve, energyEv, across), curve.coefficients);
}

/** Energy of the light that falls at a pixel; NaN where the curve turns back before it. */
export function emissionEnergyAt(curve: EmissionCurve, along: number, across: number): number {
  const [p0 = NaN, p1 = NaN, p2 = NaN, p3 = NaN, p4 = NaN, p5 = NaN] = curve.coefficients;
  const v = (across - curve.middlePx) / curve.halfPx;
  const slope = p1 + p5 * v;
  const rest = p0 + p3 * v + p4 * v * v - along;
  const root = slope * slope - 4 * p2 * rest;
  // The root near −rest / slope, without losing digits where p₂ is small.
  const u = (-2 * rest) / (slope + Math.sign(slope) * Math.sqrt(root));
  return curve.middleEv + u * curve.halfEv;
}

/** Pixels per eV at an energy. */
export function dispersionAt(curve: EmissionCurve, energyEv: number, across: number): number {
  const [, p1 = NaN, p2 = NaN, , , p5 = NaN] = curve.coefficients;
  const [u, v] = [(energyEv - curve.middleEv) / curve.halfEv, (across - curve.middlePx) / curve.halfPx];
  return (p1 + 2 * p2 * u + p5 * v) / curve.halfEv;
}

/** Standard error of the energy scale at an energy, for light spread evenly across the sensor. */
export function emissionEnergyErrorAt(curve: EmissionCurve, energyEv: number): number {
  const { across } = extentOf(curve);
  const mean = new Array<number>(TERMS).fill(0);
  for (let b = 0; b < across; b++)
    for (const [k, term] of termsAt(curve, energyEv, b).entries()) mean[k] = (mean[k] ?? 0) + term / across;
  const variance = mean.reduce((sum, term, k) => sum + term * dot(curve.covariance[k] ?? [], mean), 0);
  return Math.sqrt(variance) / Math.abs(dispersionAt(curve, energyEv, curve.middlePx));
}
