import { addTimes, inner } from "./drift.ts";
import type { EdgeModel } from "./edge-model.ts";
import { DriftVectors } from "./model-kernel.ts";
import { type EdgeWindow, fillEdge, fillWindow, keptPerBin } from "./template.ts";

/** An edge on the way to its best place; lengths in bins. */
export interface Solved {
  readonly at: number;
  readonly error: number;
  readonly depth: number;
  readonly depthError: number;
  readonly sigma: number;
}

/** Values in units of noise, with what an edge anywhere on them is multiplied with. */
interface Whitened {
  readonly values: Float64Array;
  /** Σ values · vector, of each vector of the drift. */
  readonly along: Float64Array;
  /** Before each bin: Σ root · values · e^(−distance/τ), as an edge there takes it. */
  readonly sums: Float64Array;
}

/**
 * What an edge (e) and its derivatives by position (s) and by width (q) have in common, in units of noise and without
 * what the drift can describe.
 */
interface Shape {
  readonly window: EdgeWindow;
  readonly ee: number;
  readonly es: number;
  readonly eq: number;
  readonly ss: number;
  readonly sq: number;
  readonly qq: number;
  /** Products of e, s and q with each vector of the drift. */
  readonly along: readonly [Float64Array, Float64Array, Float64Array];
}

/** Of an edge and values (p). */
interface Products {
  readonly shape: Shape;
  readonly ep: number;
  readonly sp: number;
  readonly qp: number;
}

/**
 * Positions, depths and widths of edges by Gauss and Newton, the drift fitted with them. An edge changes in few bins;
 * what lies before them is taken from running sums, so that a step costs the bins of the edge and not those of the
 * profile.
 */
export class EdgeSolver {
  readonly #model: EdgeModel;
  readonly #bins: number;
  readonly #vectors: DriftVectors;
  /** Before each bin: Σ root · vector, and Σ root², as {@link Whitened.sums}. */
  readonly #vectorSums: Float64Array;
  readonly #powerSums: Float64Array;
  readonly #profile: Whitened;
  readonly #now: Whitened;
  readonly #raw: readonly [Float64Array, Float64Array, Float64Array];
  readonly #sum: Float64Array;
  readonly #slots: readonly Shape["along"][];
  #last: { readonly edge: Solved; readonly products: Products; readonly move: readonly [number, number, number] };
  /** The profile over its drift; its drift, in units of noise. */
  readonly clean: Float64Array;
  readonly drift: Float64Array;
  /** What neither edge nor drift describes, in units of noise: of the profile loaded, and of the last step. */
  readonly rest: Float64Array;

  constructor(model: EdgeModel) {
    const { root, basis, shape } = model;
    const [bins, count] = [root.length, basis.length];
    const array = (): Float64Array => new Float64Array(bins);
    const whitened = (): Whitened => ({
      values: array(),
      along: new Float64Array(count),
      sums: new Float64Array(bins + 1),
    });
    this.#model = model;
    this.#bins = bins;
    this.#vectors = new DriftVectors(basis, bins);
    this.#vectorSums = new Float64Array((bins + 1) * count);
    this.#powerSums = new Float64Array(bins + 1);
    const keep = keptPerBin(shape.tau);
    for (let x = 0; x < bins; x++) {
      const r = root[x] ?? 0;
      this.#powerSums[x + 1] = (this.#powerSums[x] ?? 0) * keep * keep + r * r;
      basis.forEach((vector, k) => {
        const sum = (this.#vectorSums[x * count + k] ?? 0) * keep + r * (vector[x] ?? 0);
        this.#vectorSums[(x + 1) * count + k] = sum;
      });
    }
    this.#profile = whitened();
    this.#now = whitened();
    this.#raw = [array(), array(), array()];
    const along = (): Float64Array => new Float64Array(count);
    this.#sum = along();
    this.#slots = [0, 1, STEP_SLOT].map(() => [along(), along(), along()]);
    this.clean = array();
    this.drift = array();
    this.rest = array();
    this.#last = { edge: { at: 0, error: NaN, depth: 0, depthError: NaN, sigma: 1 }, products: NONE, move: [0, 0, 0] };
  }

  /** Takes in a profile, scaled to 1, and leaves in `rest` what the drift alone does not describe. */
  load(profile: Float64Array): void {
    const { root } = this.#model;
    const { values, along } = this.#profile;
    let [sum, weight] = [0, 0];
    for (let x = 0; x < this.#bins; x++) {
      const w = (root[x] ?? 0) ** 2;
      sum += w * (profile[x] ?? 0);
      weight += w;
    }
    const scale = weight / sum;
    for (let x = 0; x < this.#bins; x++) values[x] = (profile[x] ?? 0) * scale * (root[x] ?? 0);
    this.#take(this.#profile);
    this.rest.set(values);
    this.#vectors.take(along, this.rest);
  }

  /**
   * The edges from a rough start; `prior`: rms of ln σ that a width may be from that of the model. The profile is
   * divided by the drift, because what the edge takes away it takes from the fringes as well.
   */
  refine(start: readonly Solved[], prior: number): Solved[] {
    let edges = [...start];
    for (let round = 0; round < 2; round++) {
      const shape = this.#divideDrift(edges);
      for (let k = 0; k < edges.length * 3; k++) {
        // With two edges each is fitted to what the other one leaves, three times in turn.
        const which = edges.length === 1 ? 0 : (k + 1) % edges.length;
        const own = edges[which];
        if (own === undefined) break;
        if (k === 0 || edges.length > 1) this.#leave(edges.filter((_, i) => i !== which));
        const next = this.#step(own, prior, k === 0 && edges.length === 1 ? shape : undefined);
        edges = edges.map((edge, i) => (i === which ? next : edge));
        if (edges.length === 1 && Math.abs(next.at - own.at) < 1e-3) break;
      }
    }
    this.#fillRest();
    return edges;
  }

  /**
   * What depth, position and width of the edge of the last step change, in units of noise and without drift, and the
   * inverse of their products, once after a `refine`. It is of the depth alone where they depend on one another.
   */
  columns(): { readonly columns: readonly Float64Array[]; readonly inverse: readonly (readonly number[])[] } {
    const { ee, es, eq, ss, sq, qq, along } = this.#last.products.shape;
    const columns = this.#raw.map((column, i) => {
      this.#vectors.take(along[i] ?? this.#sum, column);
      return column;
    });
    return { columns, inverse: inverseOfThree(ee, es, eq, ss, sq, qq) ?? [[1 / ee]] };
  }

  #shapeOf({ sigma }: Solved): { readonly sigma: number; readonly tau: number } {
    return { sigma, tau: this.#model.shape.tau };
  }

  #take({ values, along, sums }: Whitened): void {
    const { root, shape } = this.#model;
    const keep = keptPerBin(shape.tau);
    let sum = 0;
    for (let x = 0; x < this.#bins; x++) {
      // Times 1 would only make each sum wait longer for the one before.
      sum = (keep === 1 ? sum : sum * keep) + (root[x] ?? 0) * (values[x] ?? 0);
      sums[x + 1] = sum;
    }
    this.#vectors.along(values, along);
  }

  /**
   * Drift and depths fitted together at fixed positions; the profile divided by the drift. Gives back the shape of the
   * first edge, whose curves are still there when it is the only one.
   */
  #divideDrift(edges: readonly Solved[]): Shape | undefined {
    const { root } = this.#model;
    const { values, along } = this.#profile;
    const found = edges.map((edge, i) => this.#measure(edge, this.#profile, i));
    const heights = this.#heights(edges, found);
    const drift = this.#sum;
    drift.set(along);
    found.forEach(({ shape }, i) => {
      addTimes(drift, -(heights[i] ?? 0), shape.along[0]);
    });
    const { drift: inNoise, clean } = this;
    inNoise.fill(0);
    this.#vectors.add(drift, inNoise);
    for (let x = 0; x < clean.length; x++) {
      const r = root[x] ?? 0;
      // In units of noise, both.
      let here = inNoise[x] ?? 0;
      if (!(here > LEAST_DRIFT * r)) here = r;
      inNoise[x] = here;
      clean[x] = r > 0 ? (values[x] ?? 0) / here : 1;
    }
    return found[0]?.shape;
  }

  /** Depths of the edges, fitted together. */
  #heights(edges: readonly Solved[], [a = NONE, b]: readonly Products[]): readonly number[] {
    const [first, second] = edges;
    if (b === undefined || first === undefined || second === undefined) return [a.ep / a.shape.ee];
    const { root } = this.#model;
    const [loss, other] = this.#raw;
    const spare = this.clean;
    fillEdge(first.at, this.#shapeOf(first), loss, spare, spare);
    fillEdge(second.at, this.#shapeOf(second), other, spare, spare);
    let both = -inner(a.shape.along[0], b.shape.along[0]);
    for (let x = 0; x < this.#bins; x++) both += (root[x] ?? 0) ** 2 * (loss[x] ?? 0) * (other[x] ?? 0);
    const [ofA, ofB] = [a.shape.ee, b.shape.ee];
    const det = ofA * ofB - both * both;
    return [(a.ep * ofB - b.ep * both) / det, (b.ep * ofA - a.ep * both) / det];
  }

  /** What the other edges leave of the profile without drift is what the next steps fit. */
  #leave(others: readonly Solved[]): void {
    const { root } = this.#model;
    const { values } = this.#now;
    const [raw, byPosition, bySigma] = this.#raw;
    const { clean } = this;
    for (let x = 0; x < values.length; x++) values[x] = ((clean[x] ?? 0) - 1) * (root[x] ?? 0);
    for (const edge of others) {
      fillEdge(edge.at, this.#shapeOf(edge), raw, byPosition, bySigma);
      for (let x = 0; x < this.#bins; x++) {
        const r = root[x] ?? 0;
        values[x] = ((values[x] ?? 0) + r) / (1 - edge.depth * (raw[x] ?? 0)) - r;
      }
    }
    this.#take(this.#now);
  }

  /** @param slot - whose memory is used: those of two edges are needed at once, and that of the last step later */
  #measure(edge: Solved, known: Whitened, slot: number): Products {
    return this.#with(this.#shape(edge, this.#slots[slot] ?? NONE.shape.along), known);
  }

  /** Of an edge alone. */
  #shape(edge: Solved, along: Shape["along"]): Shape {
    const { root, shape } = this.#model;
    const [loss, byPosition, bySigma] = this.#raw;
    const { count } = this.#vectors;
    const { first, last, before } = fillWindow(edge.at, this.#shapeOf(edge), loss, byPosition, bySigma);
    const back = shape.tau === Infinity ? 0 : -1 / shape.tau;
    let ee = before * before * (this.#powerSums[first] ?? 0);
    let [es, ss, eq, sq, qq] = [back * ee, back * back * ee, 0, 0, 0];
    for (let x = first; x < last; x++) {
      const r = root[x] ?? 0;
      const e = r * (loss[x] ?? 0);
      const s = r * (byPosition[x] ?? 0);
      const q = r * (bySigma[x] ?? 0);
      ee += e * e;
      es += e * s;
      eq += e * q;
      ss += s * s;
      sq += s * q;
      qq += q * q;
      loss[x] = e;
      byPosition[x] = s;
      bySigma[x] = q;
    }
    const [ofEdge, ofShift, ofWidth] = along;
    this.#vectors.along(loss, ofEdge, first, last);
    this.#vectors.along(byPosition, ofShift, first, last);
    this.#vectors.along(bySigma, ofWidth, first, last);
    for (let k = 0; k < count; k++) {
      const outside = before * (this.#vectorSums[first * count + k] ?? 0);
      const e = (ofEdge[k] ?? 0) + outside;
      const s = (ofShift[k] ?? 0) + back * outside;
      const q = ofWidth[k] ?? 0;
      ofEdge[k] = e;
      ofShift[k] = s;
      ee -= e * e;
      es -= e * s;
      eq -= e * q;
      ss -= s * s;
      sq -= s * q;
      qq -= q * q;
    }
    const window = { first, last, before };
    return { window, ee, es, eq, ss, sq, qq, along };
  }

  /** With values: right after `#shape`, whose curves are still there. */
  #with(shape: Shape, { values, along, sums }: Whitened): Products {
    const { first, last, before } = shape.window;
    const { tau } = this.#model.shape;
    const [loss, byPosition, bySigma] = this.#raw;
    let ep = before * (sums[first] ?? 0);
    let [sp, qp] = [tau === Infinity ? 0 : -ep / tau, 0];
    for (let x = first; x < last; x++) {
      const p = values[x] ?? 0;
      ep += p * (loss[x] ?? 0);
      sp += p * (byPosition[x] ?? 0);
      qp += p * (bySigma[x] ?? 0);
    }
    const [ofEdge, ofShift, ofWidth] = shape.along;
    for (let k = 0; k < along.length; k++) {
      const p = along[k] ?? 0;
      ep -= p * (ofEdge[k] ?? 0);
      sp -= p * (ofShift[k] ?? 0);
      qp -= p * (ofWidth[k] ?? 0);
    }
    return { shape, ep, sp, qp };
  }

  /** One step for one edge; `known`: its shape, right after it was made. */
  #step(edge: Solved, prior: number, known: Shape | undefined): Solved {
    const { shape } = this.#model;
    const products = known === undefined ? this.#measure(edge, this.#now, STEP_SLOT) : this.#with(known, this.#now);
    const { ep, sp, qp } = products;
    const { ee, es, eq, ss, sq, qq } = products.shape;
    const d = edge.depth;
    // The prior of the width: ln σ within some 25 % of what other edges have.
    const tie = 1 / (prior * edge.sigma) ** 2;
    const inverse = inverseOfThree(ee, d * es, d * eq, d * d * ss, d * d * sq, d * d * qq + tie);
    this.#last = { edge, products, move: [0, 0, 0] };
    if (inverse === undefined) return edge;
    const right: Row = [
      -(ep + d * ee),
      -d * (sp + d * es),
      -d * (qp + d * eq) - tie * edge.sigma * Math.log(edge.sigma / shape.sigma),
    ];
    const [toDepth, toPosition, toWidth] = inverse;
    const [depth, shift, wider] = [times(toDepth, right), times(toPosition, right), times(toWidth, right)];
    this.#last = { edge, products, move: [depth, shift, wider] };
    const most = edge.sigma;
    return {
      at: Math.min(this.#bins - 1, Math.max(0, edge.at + Math.min(most, Math.max(-most, shift)))),
      depth: edge.depth + depth,
      sigma: Math.min(4 * shape.sigma, Math.max(0.25 * shape.sigma, edge.sigma + Math.max(-edge.sigma / 2, wider))),
      error: Math.sqrt(toPosition[1]),
      depthError: Math.sqrt(toDepth[0]),
    };
  }

  /** What the last step left, whose curves are still there: they are filled to both ends. */
  #fillRest(): void {
    const { edge, products, move } = this.#last;
    const { root, shape } = this.#model;
    const { values, along } = this.#now;
    const [loss, byPosition, bySigma] = this.#raw;
    const { window, along: ofEdge } = products.shape;
    const { first, last, before } = window;
    const keep = keptPerBin(shape.tau);
    let back = before;
    for (let x = first - 1; x >= 0; x--, back *= keep) {
      const e = back * (root[x] ?? 0);
      loss[x] = e;
      byPosition[x] = shape.tau === Infinity ? 0 : -e / shape.tau;
      bySigma[x] = 0;
    }
    for (const curve of this.#raw) curve.fill(0, last);
    const factors = [edge.depth + move[0], edge.depth * move[1], edge.depth * move[2]] as const;
    const [a, b, c] = factors;
    const { rest } = this;
    for (let x = 0; x < rest.length; x++)
      rest[x] = (values[x] ?? 0) + a * (loss[x] ?? 0) + b * (byPosition[x] ?? 0) + c * (bySigma[x] ?? 0);
    const drift = this.#sum;
    drift.set(along);
    factors.forEach((factor, i) => {
      addTimes(drift, factor, ofEdge[i] ?? NO_VECTOR);
    });
    this.#vectors.take(drift, rest);
  }
}

const STEP_SLOT = 2;
/** A drift below this part of the usual light is none. */
const LEAST_DRIFT = 0.05;
const NO_VECTOR = new Float64Array(0);
const NONE: Products = {
  shape: {
    window: { first: 0, last: 0, before: 0 },
    ...{ ee: NaN, es: NaN, eq: NaN, ss: NaN, sq: NaN, qq: NaN },
    along: [NO_VECTOR, NO_VECTOR, NO_VECTOR],
  },
  ...{ ep: NaN, sp: NaN, qp: NaN },
};

type Row = readonly [number, number, number];

function times(a: Row, b: Row): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** Inverse of the symmetric matrix [[a, b, c], [b, d, e], [c, e, f]]; undefined where rows depend on one another. */
function inverseOfThree(
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
): readonly [Row, Row, Row] | undefined {
  const [sa, sd, sf] = [1 / Math.sqrt(a), 1 / Math.sqrt(d), 1 / Math.sqrt(f)];
  const [p, q, r] = [b * sa * sd, c * sa * sf, e * sd * sf];
  const det = 1 - p * p - q * q - r * r + 2 * p * q * r;
  if (!(det > LEAST_DETERMINANT)) return undefined;
  const [pq, pr, qr] = [((q * r - p) * sa * sd) / det, ((p * r - q) * sa * sf) / det, ((p * q - r) * sd * sf) / det];
  return [
    [((1 - r * r) * sa * sa) / det, pq, pr],
    [pq, ((1 - q * q) * sd * sd) / det, qr],
    [pr, qr, ((1 - p * p) * sf * sf) / det],
  ];
}

const LEAST_DETERMINANT = 1e-6;
