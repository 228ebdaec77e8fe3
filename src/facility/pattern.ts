import type { SensorGeometry } from "../core/detector.ts";
import { exp } from "../core/portable-math.ts";
import type { RunSeries } from "./experiment.ts";
import { mpccdParameters } from "./parameters.ts";
import { type Ring, ringRadiusUm, type Sample, type SampleSpot, seenShare } from "./samples.ts";

/** Photons a sensor can expect from one shot of nominal pulse energy without pump laser. */
export interface Pattern {
  /** Per pixel, row-major. */
  readonly expected: Float32Array;
  /** Share of `expected` that is rings, in 255ths. */
  readonly ringShare: Uint8Array;
  /** Which of `rings` is the strongest in a pixel. */
  readonly ringOf: Uint8Array;
  readonly rings: readonly Ring[];
  readonly total: number;
}

const { xsize, ysize } = mpccdParameters;

/** Beyond this many σ a ring or spot is left out. */
const REACH = 5;
/** Rings are listed by radius in steps of this, so that a pixel takes the exponential of those alone that reach it. */
const CELL_UM = 500;
const noRings: readonly number[] = [];

/** A sensor in the detector plane: columns run along (cos, sin), rows along (sin, −cos). */
interface Plane {
  readonly geometry: SensorGeometry;
  readonly cos: number;
  readonly sin: number;
}

export function makePattern(experiment: RunSeries, geometry: SensorGeometry): Pattern {
  const { sample, photonEnergyEv } = experiment;
  const angle = (geometry.rotationDeg * Math.PI) / 180;
  const plane = { geometry, cos: rounded(Math.cos(angle)), sin: rounded(Math.sin(angle)) };
  const expected = new Float32Array(xsize * ysize);
  const ringShare = new Uint8Array(xsize * ysize);
  const ringOf = new Uint8Array(xsize * ysize);
  for (const spot of sample.spots) addSpot(spot, plane, expected);
  const rings = sample.rings.flatMap((ring) => {
    const radiusUm = ringRadiusUm(ring, sample.distanceMm, photonEnergyEv);
    return radiusUm === null ? [] : [{ ...ring, radiusUm }];
  });
  const cells = ringsByCell(rings);
  for (let row = 0; row < ysize; row++) addRow(row, sample, rings, cells, plane, { expected, ringShare, ringOf });
  return { expected, ringShare, ringOf, rings, total: expected.reduce((sum, value) => sum + value, 0) };
}

/** To 12 digits: the last one differs between runtimes. */
function rounded(value: number): number {
  return Math.round(value * 1e12) / 1e12;
}

/** Rings and diffuse scattering of a row, by the middle of each pixel. */
function addRow(
  row: number,
  sample: Sample,
  rings: readonly SeenRing[],
  cells: ReturnType<typeof ringsByCell>,
  plane: Plane,
  { expected, ringShare, ringOf }: Pick<Pattern, "expected" | "ringShare" | "ringOf">,
): void {
  const { geometry: g, cos, sin } = plane;
  const { photons, radiusUm } = sample.diffuse;
  const distanceUm = 1000 * sample.distanceMm;
  const rowX = g.posXUm + (row + 0.5) * g.pixelSizeYUm * sin;
  const rowY = g.posYUm - (row + 0.5) * g.pixelSizeYUm * cos;
  for (let column = 0, i = row * xsize; column < xsize; column++, i++) {
    const along = (column + 0.5) * g.pixelSizeXUm;
    const xUm = rowX + along * cos;
    const yUm = rowY + along * sin;
    const squared = xUm * xUm + yUm * yUm;
    const fall = 1 + squared / (radiusUm * radiusUm);
    const seen = seenShare(xUm, distanceUm, squared);
    const rest = (expected[i] ?? 0) + (seen * photons) / (fall * Math.sqrt(fall));
    const radius = Math.sqrt(squared);
    ringsAt(rings, cells[Math.floor(radius / CELL_UM)] ?? noRings, radius);
    const ring = seen * here.photons;
    if (ring > 0) {
      ringShare[i] = Math.round((255 * ring) / (rest + ring));
      ringOf[i] = here.strongest;
    }
    expected[i] = rest + ring;
  }
}

interface SeenRing extends Ring {
  readonly radiusUm: number;
}

/** What {@link ringsAt} found last: an object for each pixel would cost more than the rings. */
const here = { photons: 0, strongest: 0 };

function ringsAt(rings: readonly SeenRing[], near: readonly number[], radiusUm: number): void {
  here.photons = 0;
  let most = 0;
  for (let n = 0; n < near.length; n++) {
    const k = near[n] ?? 0;
    const ring = rings[k];
    if (ring === undefined) continue;
    const distance = (radiusUm - ring.radiusUm) / ring.sigmaUm;
    if (Math.abs(distance) >= REACH) continue;
    const photons = ring.photons * exp(-0.5 * distance * distance);
    here.photons += photons;
    if (photons <= most) continue;
    most = photons;
    here.strongest = k;
  }
}

/** The rings that are seen in each stretch of {@link CELL_UM}, from the beam outwards. */
function ringsByCell(rings: readonly SeenRing[]): readonly (readonly number[])[] {
  const reachOf = ({ radiusUm, sigmaUm }: SeenRing, sign: number): number =>
    Math.floor((radiusUm + sign * REACH * sigmaUm) / CELL_UM);
  const cells = 2 + Math.max(-2, ...rings.map((ring) => reachOf(ring, 1)));
  return Array.from({ length: cells }, (_, cell) =>
    rings.flatMap((ring, k) => (cell >= reachOf(ring, -1) && cell <= reachOf(ring, 1) ? [k] : [])),
  );
}

/** Spots are so wide that the middle of a pixel stands for its area. */
function addSpot(spot: SampleSpot, { geometry: g, cos, sin }: Plane, expected: Float32Array): void {
  const dx = spot.xUm - g.posXUm;
  const dy = spot.yUm - g.posYUm;
  const column = (dx * cos + dy * sin) / g.pixelSizeXUm - 0.5;
  const row = (dx * sin - dy * cos) / g.pixelSizeYUm - 0.5;
  const sigma = spot.sigmaUm / g.pixelSizeXUm;
  const peak = spot.photons / (2 * Math.PI * sigma * sigma);
  const reach = REACH * sigma;
  for (let r = Math.max(0, Math.ceil(row - reach)); r < Math.min(ysize, row + reach); r++) {
    for (let c = Math.max(0, Math.ceil(column - reach)); c < Math.min(xsize, column + reach); c++) {
      const i = r * xsize + c;
      expected[i] = (expected[i] ?? 0) + peak * exp(-0.5 * (((r - row) / sigma) ** 2 + ((c - column) / sigma) ** 2));
    }
  }
}
