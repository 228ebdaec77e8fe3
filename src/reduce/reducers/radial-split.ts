/** A pixel's corners in the plane of radial value and azimuth, in order round the pixel. */
export interface Corners {
  readonly radial: readonly number[];
  /** Degrees, of one turn: no jump within the pixel. */
  readonly azimuth: readonly number[];
}

/**
 * Shares of a pixel's area in each radial bin, area in the plane of radial value and azimuth as pyFAI's "full"
 * splitting: the pixel's four edges are straight lines there. Calls `give` with the bin and the share, for shares above
 * 0; what lies outside the edges is given to nobody.
 * @param whole - area that counts as 1
 */
export function shareByRadius(
  corners: Corners,
  edges: Float64Array,
  first: number,
  last: number,
  give: (bin: number, share: number) => void,
  whole: number,
): void {
  if (!(whole > 0)) return;
  const { radial, azimuth } = corners;
  for (let bin = Math.max(0, first); bin <= Math.min(edges.length - 2, last); bin++) {
    const [low, high] = [edges[bin] ?? NaN, edges[bin + 1] ?? NaN];
    let area = 0;
    for (let k = 0; k < radial.length; k++) {
      const next = (k + 1) % radial.length;
      area += underEdge(radial[k] ?? NaN, azimuth[k] ?? NaN, radial[next] ?? NaN, azimuth[next] ?? NaN, low, high);
    }
    const share = Math.abs(area) / whole;
    if (share > 0) give(bin, share);
  }
}

/** The area of a polygon between the first and the last edge. */
export function shareWithin(corners: Corners, edges: Float64Array): number {
  let area = 0;
  shareByRadius(corners, Float64Array.of(edges[0] ?? NaN, edges.at(-1) ?? NaN), 0, 0, (_, share) => (area += share), 1);
  return area;
}

/** ∫ azimuth d(radial) along one edge, of the part whose radial value lies between `low` and `high`. */
function underEdge(r0: number, a0: number, r1: number, a1: number, low: number, high: number): number {
  if (r0 === r1) return 0;
  const from = Math.min(high, Math.max(low, r0));
  const to = Math.min(high, Math.max(low, r1));
  if (from === to) return 0;
  const slope = (a1 - a0) / (r1 - r0);
  return (to - from) * (a0 + slope * ((from + to) / 2 - r0));
}

/** Signed area of a polygon. */
export function areaOf({ radial, azimuth }: Corners): number {
  let area = 0;
  for (let k = 0; k < radial.length; k++) {
    const next = (k + 1) % radial.length;
    area += ((radial[next] ?? NaN) - (radial[k] ?? NaN)) * (((azimuth[next] ?? NaN) + (azimuth[k] ?? NaN)) / 2);
  }
  return area;
}

/** The part of a polygon whose azimuth lies between `low` and `high` (cut at one line after the other). */
export function cutToSector(corners: Corners, low: number, high: number): Corners {
  return cut(
    cut(corners, (azimuth) => azimuth - low),
    (azimuth) => high - azimuth,
  );
}

function cut({ radial, azimuth }: Corners, inside: (azimuth: number) => number): Corners {
  const kept: { radial: number[]; azimuth: number[] } = { radial: [], azimuth: [] };
  for (let k = 0; k < radial.length; k++) {
    const next = (k + 1) % radial.length;
    const [r0, a0, r1, a1] = [radial[k] ?? NaN, azimuth[k] ?? NaN, radial[next] ?? NaN, azimuth[next] ?? NaN];
    const [d0, d1] = [inside(a0), inside(a1)];
    if (d0 >= 0) {
      kept.radial.push(r0);
      kept.azimuth.push(a0);
    }
    if (d0 < 0 !== d1 < 0) {
      const t = d0 / (d0 - d1);
      kept.radial.push(r0 + t * (r1 - r0));
      kept.azimuth.push(a0 + t * (a1 - a0));
    }
  }
  return kept;
}
