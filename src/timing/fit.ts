import { inverseOf } from "../core/solve-rows.ts";
import { addTimes, inner, orthonormal, removeBasis, removeFromFour } from "./drift.ts";
import type { EdgeModel, ProfileFit } from "./edge-model.ts";
import { fillEdge, gaussian, slideStep, smooth } from "./template.ts";

/** How far a width may be from that of the other edges before the data alone decide: rms of ln σ. */
const WIDTH_PRIOR = 0.25;
/** The same while it is not known whether there are two edges. */
const TIGHT = 0.03;
/** An edge of so many times the usual width may be two. */
const WIDE = 1.5;
/** Half of the range, in σ, in which an edge hides another one. */
const APART = 3;

/** Fits profiles of one model; keeps its working memory. */
export class EdgeFitter {
  readonly model: EdgeModel;
  readonly bins: number;
  readonly #kernel: Float64Array;
  readonly #slopeKernel: Float64Array;
  /** What a step, and a shift of it, take from χ² at each position, over their height squared. */
  readonly #stepPower: Float64Array;
  readonly #shiftPower: Float64Array;
  readonly #first: number;
  readonly #last: number;
  readonly #y: Float64Array;
  readonly #clean: Float64Array;
  readonly #rest: Float64Array;
  readonly #drift: Float64Array;
  readonly #work: Float64Array;
  readonly #slid: Float64Array;
  readonly #power: Float64Array;
  readonly #columns: readonly [Float64Array, Float64Array, Float64Array];
  readonly #raw: readonly [Float64Array, Float64Array, Float64Array];

  constructor(model: EdgeModel) {
    this.model = model;
    const { root, basis, shape } = model;
    const bins = root.length;
    const array = (): Float64Array => new Float64Array(bins);
    this.bins = bins;
    this.#kernel = gaussian(shape.sigma);
    // Of all smoothings of a noisy edge √5 σ leaves the steepest place the smallest error; less hides neighbours less.
    this.#slopeKernel = gaussian(1.6 * shape.sigma);
    this.#y = array();
    this.#clean = array();
    this.#rest = array();
    this.#drift = array();
    this.#work = array();
    this.#slid = array();
    this.#power = array();
    this.#columns = [array(), array(), array()];
    this.#raw = [array(), array(), array()];
    this.#first = Math.ceil(2 * shape.sigma);
    this.#last = bins - 1 - this.#first;
    this.#stepPower = array();
    this.#shiftPower = array();
    this.#fillPowers();
    for (const vector of basis) {
      this.#slide(vector);
      for (let x = 0; x < bins; x++) {
        this.#stepPower[x] = (this.#stepPower[x] ?? 0) - (this.#slid[x] ?? 0) ** 2;
        this.#shiftPower[x] = (this.#shiftPower[x] ?? 0) - (this.#work[x] ?? 0) ** 2;
      }
    }
  }

  /** Σ w E² of an edge, and of its derivative, at each position: the same curves, slid along. */
  #fillPowers(): void {
    const { root, shape } = this.model;
    const { bins } = this;
    const [edge, shift, width] = [0, 1, 2].map(() => new Float64Array(2 * bins + 1));
    if (edge === undefined || shift === undefined || width === undefined) return;
    fillEdge(bins, shape, edge, shift, width);
    for (let x = this.#first; x <= this.#last; x++) {
      let [steps, shifts] = [0, 0];
      for (let i = 0, k = bins - x; i < bins; i++, k++) {
        const w = (root[i] ?? 0) ** 2;
        steps += w * (edge[k] ?? 0) ** 2;
        shifts += w * (shift[k] ?? 0) ** 2;
      }
      this.#stepPower[x] = steps;
      this.#shiftPower[x] = shifts;
    }
  }

  /** @param profile - over the mean laser-only profile; any scale */
  fit(profile: Float64Array): ProfileFit {
    const rest = this.#whiten(profile);
    removeBasis(rest, this.model.basis);
    const found = this.#search(rest, 1, undefined);
    if (found === undefined) return this.#none(rest);
    const { excess } = this.model;
    const begin = { at: found.at, sigma: this.model.shape.sigma, depth: found.height, error: NaN, depthError: NaN };
    // With a width of its own one edge could pass for two: the second one is looked for with the usual width first.
    const [rough = begin] = this.#refine([begin], TIGHT);
    const near = this.#search(rest, 0, rough);
    let edges: Solved[] = [];
    if (near !== undefined && isSecond(near.height, near.score / excess.step, rough.depth)) {
      edges = this.#refine([rough, { ...rough, at: near.at, depth: near.height }], TIGHT);
      edges = edges.toSorted((x, y) => y.depth - x.depth);
      const [deep, other] = edges;
      const sure =
        other !== undefined &&
        deep !== undefined &&
        isSecond(other.depth, other.depth / (other.depthError * excess.step), deep.depth);
      if (!sure) edges = [];
    }
    if (edges.length === 0) {
      edges = this.#refine([rough], WIDTH_PRIOR);
      const [one = rough] = edges;
      if (one.sigma > WIDE * this.model.shape.sigma && this.model.widthScatter < Infinity) edges = this.#split(one);
    }
    const [main = rough, other] = edges;
    return {
      edge: {
        at: main.at,
        error: main.error * excess.position,
        depth: main.depth,
        depthError: main.depthError * excess.step,
        sigma: main.sigma,
        significance: found.score / excess.step,
      },
      second:
        other === undefined
          ? undefined
          : { at: other.at, depth: other.depth, significance: Math.abs(other.depth / other.depthError) / excess.step },
      derivativeAt: this.#steepest(),
      residual: rest,
      excess: this.#excess(rest, main),
    };
  }

  /**
   * An edge much wider than the others may be two that stand close together, where the search for a second one does
   * not look. Two of the usual width are taken for it where they leave much less, or where no edge is that wide.
   */
  #split(wide: Solved): Solved[] {
    const { shape, excess, widthScatter } = this.model;
    const { sigma } = shape;
    const { step } = excess;
    const left = inner(this.#rest, this.#rest) + (Math.log(wide.sigma / sigma) / widthScatter) ** 2;
    const apart = Math.sqrt(Math.max(1, (wide.sigma / sigma) ** 2 - 1)) * sigma;
    const half = { ...wide, sigma, depth: wide.depth / 2 };
    const start = [-apart, apart].map((by) => ({ ...half, at: wide.at + by }));
    const [deep, other] = this.#refine(start, TIGHT).toSorted((x, y) => y.depth - x.depth);
    if (
      deep !== undefined &&
      other !== undefined &&
      isSecond(other.depth, other.depth / (other.depthError * step), deep.depth) &&
      left - inner(this.#rest, this.#rest) > (SECOND_LEAST * step) ** 2
    )
      return [deep, other];
    return this.#refine([wide], WIDTH_PRIOR);
  }

  /** Significance of the best edge of a profile, and no more. */
  score(profile: Float64Array): number {
    const rest = this.#whiten(profile);
    removeBasis(rest, this.model.basis);
    return this.#search(rest, 1, undefined)?.score ?? 0;
  }

  /** Height of an edge at a position, if there were one, with its error. */
  heightAt(profile: Float64Array, at: number): { readonly height: number; readonly error: number } {
    const rest = this.#whiten(profile);
    removeBasis(rest, this.model.basis);
    this.#slide(rest);
    const x = Math.round(at);
    const power = this.#stepPower[x] ?? NaN;
    return power > 0 ? { height: -(this.#slid[x] ?? NaN) / power, error: 1 / Math.sqrt(power) } : NONE;
  }

  /** {@link ProfileFit.excess} of a laser-only profile. */
  scatter(profile: Float64Array): ProfileFit["excess"] {
    const rest = this.#whiten(profile);
    removeBasis(rest, this.model.basis);
    return this.#excess(rest, undefined);
  }

  /** The profile of the last fit without its edges, in units of noise, drift included. */
  withoutEdge(): Float64Array {
    const { root } = this.model;
    const out = this.#rest.slice();
    for (let x = 0; x < this.bins; x++) out[x] = (out[x] ?? 0) + (root[x] ?? 0) * ((this.#drift[x] ?? 1) - 1);
    return out;
  }

  /** The profile scaled to 1, kept in `#y`, in units of noise. */
  #whiten(profile: Float64Array): Float64Array {
    const { root } = this.model;
    const y = this.#y;
    let [sum, weight] = [0, 0];
    for (let x = 0; x < this.bins; x++) {
      const w = (root[x] ?? 0) ** 2;
      sum += w * (profile[x] ?? 0);
      weight += w;
    }
    const rest = this.#rest;
    for (let x = 0; x < this.bins; x++) {
      y[x] = ((profile[x] ?? 0) * weight) / sum;
      rest[x] = (y[x] ?? 0) * (root[x] ?? 0);
    }
    return rest;
  }

  #none(rest: Float64Array): ProfileFit {
    return {
      edge: undefined,
      second: undefined,
      derivativeAt: NaN,
      residual: rest,
      excess: this.#excess(rest, undefined),
    };
  }

  /** Smoothed values into `#work`, a step slid along them into `#slid`; both of values with the root once more. */
  #slide(values: Float64Array): void {
    const { root, shape } = this.model;
    const clean = this.#power;
    for (let x = 0; x < this.bins; x++) clean[x] = (values[x] ?? 0) * (root[x] ?? 0);
    smooth(clean, this.#kernel, this.#work);
    slideStep(this.#work, shape.tau, this.#slid);
  }

  /**
   * The step that takes most of χ² from the residual: of one sign, or of either (`sign` 0), farther than some σ from
   * the edge `from`, at right angles to its columns.
   */
  #search(rest: Float64Array, sign: 0 | 1, from: Solved | undefined): Found | undefined {
    const power = this.#stepPower;
    const left = power.slice();
    if (from !== undefined) {
      for (const column of orthonormal(this.#columns)) {
        this.#slide(column);
        for (let x = 0; x < this.bins; x++) left[x] = (left[x] ?? 0) - (this.#slid[x] ?? 0) ** 2;
      }
    }
    this.#slide(rest);
    const slid = this.#slid;
    let best: Found | undefined;
    let top = 0;
    for (let x = this.#first; x <= this.#last; x++) {
      if (from !== undefined && Math.abs(x - from.at) < APART * from.sigma) continue;
      const d = left[x] ?? 0;
      // A step that the drift can describe as well is none.
      if (!(d > 0.1 * (power[x] ?? 0)) || !(d > 0)) continue;
      const value = -(slid[x] ?? 0) / Math.sqrt(d);
      const size = sign === 0 ? Math.abs(value) : value;
      if (size > top) {
        top = size;
        best = { at: x, score: value, height: value / Math.sqrt(d) };
      }
    }
    return best;
  }

  /**
   * Gauss and Newton for positions, depths and widths of one or two edges. The drift is fitted with them; the profile
   * is divided by it, because what the edge takes away it takes from the fringes as well. Leaves the residual in
   * `#rest`, the profile without drift in `#clean`, the columns of the first edge, without drift, in `#columns`.
   */
  #refine(start: readonly Solved[], prior: number): Solved[] {
    const { shape } = this.model;
    let edges = [...start];
    const { bins } = this;
    const [raw, rawShift, rawWidth] = this.#raw;
    for (let round = 0; round < 2; round++) {
      this.#divideDrift(edges);
      for (let k = 0; k < edges.length * 3; k++) {
        // With two edges each is fitted to what the other one leaves, three times in turn.
        const which = edges.length === 1 ? 0 : (k + 1) % edges.length;
        const others = edges.filter((_, i) => i !== which);
        const own = edges[which];
        if (own === undefined) break;
        const work = this.#power;
        work.set(this.#clean);
        for (const { at, sigma, depth } of others) {
          fillEdge(at, { sigma, tau: shape.tau }, raw, rawShift, rawWidth);
          for (let x = 0; x < bins; x++) work[x] = (work[x] ?? 0) / (1 - depth * (raw[x] ?? 0));
        }
        const next = this.#step(own, work, prior);
        edges = edges.map((edge, i) => (i === which ? next : edge));
        if (edges.length === 1 && Math.abs(next.at - own.at) < 1e-3) break;
      }
    }
    return edges;
  }

  /** Fits drift and depths together at fixed positions, and divides the profile by the drift. */
  #divideDrift(edges: readonly Solved[]): void {
    const { root, basis, shape } = this.model;
    const { bins } = this;
    const [raw, rawShift, rawWidth] = this.#raw;
    const rest = this.#work;
    const losses: Float64Array[] = [];
    for (let x = 0; x < bins; x++) rest[x] = (this.#y[x] ?? 0) * (root[x] ?? 0);
    // One after the other made orthogonal: each takes its part of the profile.
    for (const { at, sigma } of edges) {
      fillEdge(at, { sigma, tau: shape.tau }, raw, rawShift, rawWidth);
      losses.push(raw.map((value, x) => value * (root[x] ?? 0)));
    }
    const ortho: Float64Array[] = [];
    for (const loss of losses) {
      const part = loss.slice();
      removeBasis(part, basis);
      removeBasis(part, ortho);
      const size = Math.sqrt(inner(part, part));
      ortho.push(size > 0 ? part.map((value) => value / size) : part);
    }
    removeBasis(rest, basis);
    // Heights of the losses, from the last one back.
    const heights = losses.map(() => 0);
    for (let i = losses.length - 1; i >= 0; i--) {
      const [unit, loss] = [ortho[i], losses[i]];
      if (unit === undefined || loss === undefined) continue;
      const height = inner(rest, unit) / inner(loss, unit);
      heights[i] = height;
      addTimes(rest, -height, loss);
      removeBasis(rest, basis);
    }
    // Drift = profile − losses − residual.
    const clean = this.#clean;
    for (let x = 0; x < bins; x++) {
      let loss = 0;
      losses.forEach((values, i) => {
        loss += (heights[i] ?? 0) * (values[x] ?? 0);
      });
      const r = root[x] ?? 0;
      const drift = (this.#y[x] ?? 0) - (r > 0 ? (loss + (rest[x] ?? 0)) / r : 0);
      this.#drift[x] = drift > 0.05 ? drift : 1;
      clean[x] = (this.#y[x] ?? 0) / (this.#drift[x] ?? 1);
    }
  }

  /** One step for one edge. */
  #step(edge: Solved, profile: Float64Array, prior: number): Solved {
    const { root, basis, shape } = this.model;
    const { bins } = this;
    const rest = this.#rest;
    const [loss, byShift, byWidth] = this.#raw;
    fillEdge(edge.at, { sigma: edge.sigma, tau: shape.tau }, loss, byShift, byWidth);
    const [c0, c1, c2] = this.#columns;
    for (let x = 0; x < bins; x++) {
      const r = root[x] ?? 0;
      const e = loss[x] ?? 0;
      rest[x] = r * ((profile[x] ?? 0) - 1 + edge.depth * e);
      c0[x] = -r * e;
      c1[x] = -r * edge.depth * (byShift[x] ?? 0);
      c2[x] = -r * edge.depth * (byWidth[x] ?? 0);
    }
    removeFromFour(rest, this.#columns, basis);
    const normal = this.#columns.map((a) => this.#columns.map((b) => inner(a, b)));
    const right = this.#columns.map((column) => inner(column, rest));
    // The prior of the width: ln σ within some 25 % of what other edges have.
    const tie = 1 / (prior * edge.sigma) ** 2;
    const last = normal[2];
    if (last !== undefined) last[2] = (last[2] ?? 0) + tie;
    right[2] = (right[2] ?? 0) - tie * edge.sigma * Math.log(edge.sigma / shape.sigma);
    const inverse = inverseOf(normal);
    if (inverse === undefined) return edge;
    const move = inverse.map((row) => row.reduce((sum, value, i) => sum + value * (right[i] ?? 0), 0));
    const [depth = 0, shift = 0, wider = 0] = move;
    this.#columns.forEach((column, i) => {
      addTimes(rest, -(move[i] ?? 0), column);
    });
    const most = edge.sigma;
    return {
      at: Math.min(bins - 1, Math.max(0, edge.at + Math.min(most, Math.max(-most, shift)))),
      depth: edge.depth + depth,
      sigma: Math.min(4 * shape.sigma, Math.max(0.25 * shape.sigma, edge.sigma + Math.max(-edge.sigma / 2, wider))),
      error: Math.sqrt(inverse[1]?.[1] ?? NaN),
      depthError: Math.sqrt(inverse[0]?.[0] ?? NaN),
    };
  }

  /** Where the smoothed profile without drift rises most. */
  #steepest(): number {
    const lost = this.#power;
    for (let x = 0; x < this.bins; x++) lost[x] = (this.#clean[x] ?? 0) - 1;
    smooth(lost, this.#slopeKernel, this.#work);
    const values = this.#work;
    const slope = (x: number): number => (values[x + 1] ?? 0) - (values[x - 1] ?? 0);
    let best = this.#first;
    for (let x = this.#first; x <= this.#last; x++) if (slope(x) > slope(best)) best = x;
    const [a, b, c] = [slope(best - 1), slope(best), slope(best + 1)];
    const bend = a - 2 * b + c;
    return bend < 0 ? best + (0.5 * (a - c)) / bend : best;
  }

  /** Scatter of step heights and positions that the residual has, over that of white noise. */
  #excess(rest: Float64Array, edge: Solved | undefined): { readonly step: number; readonly position: number } {
    this.#slide(rest);
    let [steps, shifts, count] = [0, 0, 0];
    for (let x = this.#first; x <= this.#last; x++) {
      if (edge !== undefined && Math.abs(x - edge.at) < 2 * edge.sigma) continue;
      const [step, shift] = [this.#stepPower[x] ?? 0, this.#shiftPower[x] ?? 0];
      if (!(step > 0) || !(shift > 0)) continue;
      steps += (this.#slid[x] ?? 0) ** 2 / step;
      shifts += (this.#work[x] ?? 0) ** 2 / shift;
      count++;
    }
    return { step: Math.sqrt(steps / count), position: Math.sqrt(shifts / count) };
  }
}

function isSecond(depth: number, significance: number, first: number): boolean {
  return Math.abs(significance) > SECOND_LEAST && Math.abs(depth) > SECOND_SHARE * first;
}

const NONE = { height: NaN, error: NaN };
/** A second edge is one this many times its error, and this part of the first one. */
const SECOND_LEAST = 7;
const SECOND_SHARE = 0.2;

interface Found {
  readonly at: number;
  /** Height over its error for white noise. */
  readonly score: number;
  readonly height: number;
}

interface Solved {
  readonly at: number;
  readonly error: number;
  readonly depth: number;
  readonly depthError: number;
  readonly sigma: number;
}
