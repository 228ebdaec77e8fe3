import {
  type GridSteps,
  type PictureGrid,
  type Placement,
  sensorColumn,
  sensorRow,
  stepsOf,
  xOfColumn,
  yOfRow,
} from "./placement.ts";
import { grown } from "./spans.ts";

/** Overlaps below this fraction of a pixel are rounding noise of the clipping, not area. */
export const NOISE = 1e-12;

/** A convex polygon in sensor coordinates: `n` corners, u along columns, v along rows. */
interface Polygon {
  n: number;
  readonly u: Float64Array;
  readonly v: Float64Array;
}

// A quadrilateral cut by parallel lines in both directions never has more corners than this.
const MAX_CORNERS = 16;

function polygon(): Polygon {
  return { n: 0, u: new Float64Array(MAX_CORNERS), v: new Float64Array(MAX_CORNERS) };
}

/**
 * Cuts a convex polygon at `cut` along its first coordinate: what lies below goes to (lowA, lowB), the rest to
 * (highA, highB). The counts are returned as low + 32 · high, because an object per call would cost more than the cut.
 */
function split(
  a: Float64Array,
  b: Float64Array,
  n: number,
  cut: number,
  lowA: Float64Array,
  lowB: Float64Array,
  highA: Float64Array,
  highB: Float64Array,
): number {
  let low = 0;
  let high = 0;
  let a0 = a[n - 1] ?? 0;
  let b0 = b[n - 1] ?? 0;
  for (let i = 0; i < n; i++) {
    const a1 = a[i] ?? 0;
    const b1 = b[i] ?? 0;
    if (a0 < cut !== a1 < cut) {
      const crossing = b0 + ((cut - a0) / (a1 - a0)) * (b1 - b0);
      lowA[low] = highA[high] = cut;
      lowB[low++] = highB[high++] = crossing;
    }
    if (a1 < cut) {
      lowA[low] = a1;
      lowB[low++] = b1;
    } else {
      highA[high] = a1;
      highB[high++] = b1;
    }
    a0 = a1;
    b0 = b1;
  }
  return low + 32 * high;
}

function areaOf(p: Polygon): number {
  const { u, v, n } = p;
  let twice = 0;
  let u0 = u[n - 1] ?? 0;
  let v0 = v[n - 1] ?? 0;
  for (let i = 0; i < n; i++) {
    const u1 = u[i] ?? 0;
    const v1 = v[i] ?? 0;
    twice += u0 * v1 - u1 * v0;
    u0 = u1;
    v0 = v1;
  }
  return Math.abs(twice) / 2;
}

/** Finds the sensor pixels under one output pixel and how much of each. */
export class Cells {
  /** Sensor pixel the offsets count from; it need not be on the sensor itself. */
  base = 0;
  offsets = new Int32Array(64);
  weights = new Float64Array(64);
  readonly #placement: Placement;
  readonly #canvas: PictureGrid;
  readonly #use: Uint8Array | null;
  readonly #steps: GridSteps;
  #rest = polygon();
  #spare = polygon();
  #strip = polygon();
  #stripRest = polygon();
  #cell = polygon();

  constructor(placement: Placement, canvas: PictureGrid, use: Uint8Array | null) {
    this.#placement = placement;
    this.#canvas = canvas;
    this.#use = use;
    this.#steps = stepsOf(placement, canvas);
  }

  /** How many sensor pixels lie under the output pixel; they are then in `base`, `offsets` and `weights`. */
  under(row: number, column: number): number {
    const { rows, columns } = this.#placement;
    const x = xOfColumn(this.#canvas, column);
    const y = yOfRow(this.#canvas, row);
    const u = sensorColumn(this.#placement, x, y);
    const v = sensorRow(this.#placement, x, y);
    const { u: cu, v: cv } = this.#steps.perColumn;
    const { u: ru, v: rv } = this.#steps.perRow;
    const c0 = Math.floor(u + Math.min(0, cu) + Math.min(0, ru));
    const c1 = Math.ceil(u + Math.max(0, cu) + Math.max(0, ru));
    const r0 = Math.floor(v + Math.min(0, cv) + Math.min(0, rv));
    const r1 = Math.ceil(v + Math.max(0, cv) + Math.max(0, rv));
    if (c1 <= 0 || c0 >= columns || r1 <= 0 || r0 >= rows) return 0;
    this.base = r0 * columns + c0;
    // Counting from (c0, r0) keeps the coordinates small and the areas precise.
    this.#set(u - c0, v - r0);
    let n = 0;
    for (let r = r0; r < r1; r++) {
      this.#takeStrip(r - r0 + 1, r + 1 < r1);
      if (r >= 0 && r < rows) n = this.#cutStrip(r, r0, c0, c1, n);
    }
    return n;
  }

  #set(u: number, v: number): void {
    const p = this.#rest;
    const { u: cu, v: cv } = this.#steps.perColumn;
    const { u: ru, v: rv } = this.#steps.perRow;
    p.n = 4;
    p.u[0] = u;
    p.v[0] = v;
    p.u[1] = u + cu;
    p.v[1] = v + cv;
    p.u[2] = u + cu + ru;
    p.v[2] = v + cv + rv;
    p.u[3] = u + ru;
    p.v[3] = v + rv;
  }

  /** Moves what is left above sensor row border `cut` into `#strip`, or all of it when there is no border to come. */
  #takeStrip(cut: number, another: boolean): void {
    if (!another) {
      [this.#strip, this.#rest] = [this.#rest, this.#strip];
      return;
    }
    const from = this.#rest;
    const counts = split(from.v, from.u, from.n, cut, this.#strip.v, this.#strip.u, this.#spare.v, this.#spare.u);
    this.#strip.n = counts & 31;
    this.#spare.n = counts >> 5;
    [this.#rest, this.#spare] = [this.#spare, this.#rest];
  }

  /** Cuts `#strip` along column borders and notes the area in each sensor pixel. */
  #cutStrip(r: number, r0: number, c0: number, c1: number, found: number): number {
    const { columns } = this.#placement;
    let n = found;
    for (let c = c0; c < c1; c++) {
      let cell = this.#strip;
      if (c + 1 < c1) {
        const from = this.#strip;
        const counts = split(
          from.u,
          from.v,
          from.n,
          c - c0 + 1,
          this.#cell.u,
          this.#cell.v,
          this.#stripRest.u,
          this.#stripRest.v,
        );
        this.#cell.n = counts & 31;
        this.#stripRest.n = counts >> 5;
        cell = this.#cell;
        [this.#strip, this.#stripRest] = [this.#stripRest, this.#strip];
      }
      if (c < 0 || c >= columns || (this.#use !== null && this.#use[r * columns + c] === 0)) continue;
      const area = areaOf(cell);
      if (area > NOISE) this.#note(n++, (r - r0) * columns + c - c0, area);
    }
    return n;
  }

  #note(n: number, offset: number, area: number): void {
    if (n === this.offsets.length) {
      this.offsets = grown(this.offsets, new Int32Array(2 * n));
      this.weights = grown(this.weights, new Float64Array(2 * n));
    }
    this.offsets[n] = offset;
    this.weights[n] = area;
  }
}
