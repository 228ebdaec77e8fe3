import { inner } from "./drift.ts";
import type { EdgeModel, ProfileFit } from "./edge-model.ts";
import { EdgeSolver, type Solved } from "./edge-solver.ts";
import { smooth } from "./model-kernel.ts";
import { fillEdge, gaussian, slideStep } from "./template.ts";

/** How far a width may be from that of the other edges before the data alone decide: rms of ln σ. */
const WIDTH_PRIOR = 0.25;
/** The same while it is not known whether there are two edges. */
const TIGHT = 0.03;
/** An edge of so many times the usual width may be two. */
const WIDE = 1.5;
/** Half of the range, in σ, in which an edge hides another one. */
const APART = 3;

/** Fits after which gaps of a profile are filled well enough. */
const GAP_ROUNDS = 4;

/** Fits profiles of one model; keeps its working memory. */
export class EdgeFitter {
  readonly model: EdgeModel;
  readonly bins: number;
  readonly #kernel: Float64Array;
  readonly #slopeKernel: Float64Array;
  /** What a step, and a shift of it, take from χ² at each position, over their height squared. */
  readonly #stepPower: Float64Array;
  readonly #shiftPower: Float64Array;
  /** One over both; 0 where either is none. */
  readonly #perStep: Float64Array;
  readonly #perShift: Float64Array;
  readonly #first: number;
  readonly #last: number;
  readonly #solver: EdgeSolver;
  readonly #work: Float64Array;
  readonly #slid: Float64Array;
  readonly #power: Float64Array;
  readonly #left: Float64Array;
  readonly #columns: readonly Float64Array[];

  constructor(model: EdgeModel) {
    this.model = model;
    const { root, basis, shape } = model;
    const bins = root.length;
    const array = (): Float64Array => new Float64Array(bins);
    this.bins = bins;
    this.#kernel = gaussian(shape.sigma);
    // Of all smoothings of a noisy edge √5 σ leaves the steepest place the smallest error; less hides neighbours less.
    this.#slopeKernel = gaussian(1.6 * shape.sigma);
    this.#solver = new EdgeSolver(model);
    this.#work = array();
    this.#slid = array();
    this.#power = array();
    this.#left = array();
    this.#columns = [array(), array(), array()];
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
    const isThere = (x: number): boolean => (this.#stepPower[x] ?? 0) > 0 && (this.#shiftPower[x] ?? 0) > 0;
    this.#perStep = this.#stepPower.map((power, x) => (isThere(x) ? 1 / power : 0));
    this.#perShift = this.#shiftPower.map((power, x) => (isThere(x) ? 1 / power : 0));
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

  /**
   * @param profile - over the mean laser-only profile; any scale
   * @param gaps - 1 in the bins without a value: they take that of the fit, until they have no say in it
   */
  fit(profile: Float64Array, gaps?: Uint8Array): ProfileFit {
    if (gaps === undefined) return this.#fitWhole(profile);
    const { root } = this.model;
    const filled = profile.slice();
    for (let round = 0; round < GAP_ROUNDS; round++) {
      const { residual } = this.#fitWhole(filled);
      for (let x = 0; x < filled.length; x++)
        if (gaps[x] === 1 && (root[x] ?? 0) > 0)
          filled[x] = (filled[x] ?? 0) / (1 + (residual[x] ?? 0) / (root[x] ?? 1));
    }
    return this.#fitWhole(filled);
  }

  #fitWhole(profile: Float64Array): ProfileFit {
    const rest = this.#load(profile);
    const found = this.#search(rest, 1, undefined);
    if (found === undefined) return this.#none(rest);
    const { excess } = this.model;
    const begin = { at: found.at, sigma: this.model.shape.sigma, depth: found.height, error: NaN, depthError: NaN };
    // With a width of its own one edge could pass for two: the second one is looked for with the usual width first.
    const [rough = begin] = this.#solver.refine([begin], TIGHT);
    const near = this.#mayBeTwo(rest, rough) ? this.#search(rest, 0, rough) : undefined;
    let edges: Solved[] = [];
    if (near !== undefined && isSecond(near.height, near.score / excess.step, rough.depth)) {
      edges = this.#solver.refine([rough, { ...rough, at: near.at, depth: near.height }], TIGHT);
      edges = edges.toSorted((x, y) => y.depth - x.depth);
      const [deep, other] = edges;
      const sure =
        other !== undefined &&
        deep !== undefined &&
        isSecond(other.depth, other.depth / (other.depthError * excess.step), deep.depth);
      if (!sure) edges = [];
    }
    if (edges.length === 0) {
      edges = this.#solver.refine([rough], WIDTH_PRIOR);
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
    const left = inner(this.#solver.rest, this.#solver.rest) + (Math.log(wide.sigma / sigma) / widthScatter) ** 2;
    const apart = Math.sqrt(Math.max(1, (wide.sigma / sigma) ** 2 - 1)) * sigma;
    const half = { ...wide, sigma, depth: wide.depth / 2 };
    const start = [-apart, apart].map((by) => ({ ...half, at: wide.at + by }));
    const [deep, other] = this.#solver.refine(start, TIGHT).toSorted((x, y) => y.depth - x.depth);
    if (
      deep !== undefined &&
      other !== undefined &&
      isSecond(other.depth, other.depth / (other.depthError * step), deep.depth) &&
      left - inner(this.#solver.rest, this.#solver.rest) > (SECOND_LEAST * step) ** 2
    )
      return [deep, other];
    return this.#solver.refine([wide], WIDTH_PRIOR);
  }

  /** Significance of the best edge of a profile, and no more. */
  score(profile: Float64Array): number {
    const rest = this.#load(profile);
    return this.#search(rest, 1, undefined)?.score ?? 0;
  }

  /** Height of an edge at a position, if there were one, with its error. */
  heightAt(profile: Float64Array, at: number): { readonly height: number; readonly error: number } {
    const rest = this.#load(profile);
    this.#slide(rest);
    const x = Math.round(at);
    const power = this.#stepPower[x] ?? NaN;
    return power > 0 ? { height: -(this.#slid[x] ?? NaN) / power, error: 1 / Math.sqrt(power) } : NONE;
  }

  /** {@link ProfileFit.excess} of a laser-only profile. */
  scatter(profile: Float64Array): ProfileFit["excess"] {
    const rest = this.#load(profile);
    return this.#excess(rest, undefined);
  }

  /** The profile of the last fit without its edges, in units of noise, drift included. */
  withoutEdge(): Float64Array {
    const { root } = this.model;
    const { rest, drift } = this.#solver;
    const out = rest.slice();
    for (let x = 0; x < this.bins; x++) out[x] = (out[x] ?? 0) + (drift[x] ?? 0) - (root[x] ?? 0);
    return out;
  }

  #load(profile: Float64Array): Float64Array {
    this.#solver.load(profile);
    return this.#solver.rest;
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
    for (let x = 0; x < clean.length; x++) clean[x] = (values[x] ?? 0) * (root[x] ?? 0);
    smooth(clean, this.#kernel, this.#work);
    slideStep(this.#work, shape.tau, this.#slid);
  }

  /**
   * The step that takes most of χ² from the residual: of one sign, or of either (`sign` 0), farther than some σ from
   * the edge `from`, at right angles to its columns.
   */
  #search(rest: Float64Array, sign: 0 | 1, from: Solved | undefined): Found | undefined {
    const power = this.#stepPower;
    const left = this.#left;
    left.set(power);
    if (from !== undefined) this.#takeColumns(left);
    this.#slide(rest);
    const slid = this.#slid;
    let best = -1;
    let top = 0;
    for (let x = this.#first; x <= this.#last; x++) {
      const d = left[x] ?? 0;
      if (!(d > LEAST_POWER * (power[x] ?? 0)) || !(d > 0)) continue;
      const value = slid[x] ?? 0;
      const size = sign === 0 || value < 0 ? value * value : 0;
      if (size <= top * d) continue;
      if (from !== undefined && Math.abs(x - from.at) < APART * from.sigma) continue;
      top = size / d;
      best = x;
    }
    if (best < 0) return undefined;
    const [value, d] = [-(slid[best] ?? 0), left[best] ?? 0];
    return { at: best, score: value / Math.sqrt(d), height: value / d };
  }

  /** Whether the search could find a second edge beside this one, told without the columns, which cost most of it. */
  #mayBeTwo(rest: Float64Array, { at, sigma }: Solved): boolean {
    this.#slide(rest);
    const [slid, power] = [this.#slid, this.#stepPower];
    const least = LEAST_POWER * (SECOND_LEAST * this.model.excess.step) ** 2;
    for (let x = this.#first; x <= this.#last; x++)
      if ((slid[x] ?? 0) ** 2 > least * (power[x] ?? 0) && Math.abs(x - at) >= APART * sigma) return true;
    return false;
  }

  /** Takes from the power of a step what the columns of the last edge can describe. */
  #takeColumns(left: Float64Array): void {
    const { columns, inverse } = this.#solver.columns();
    const slid = columns.map((column, i) => {
      this.#slide(column);
      const to = this.#columns[i] ?? this.#slid;
      to.set(this.#slid);
      return to;
    });
    inverse.forEach((row, i) => {
      for (let k = 0; k <= i; k++) {
        const [a = this.#slid, b = this.#slid] = [slid[i], slid[k]];
        const factor = (i === k ? 1 : 2) * (row[k] ?? 0);
        for (let x = 0; x < this.bins; x++) left[x] = (left[x] ?? 0) - factor * (a[x] ?? 0) * (b[x] ?? 0);
      }
    });
  }

  /** Where the smoothed profile without drift rises most. */
  #steepest(): number {
    const lost = this.#power;
    const { clean } = this.#solver;
    for (let x = 0; x < lost.length; x++) lost[x] = (clean[x] ?? 0) - 1;
    smooth(lost, this.#slopeKernel, this.#work);
    const values = this.#work;
    let [best, top] = [this.#first, -Infinity];
    for (let x = this.#first; x <= this.#last; x++) {
      const here = slopeAt(values, x);
      if (here > top) [best, top] = [x, here];
    }
    const [a, b, c] = [slopeAt(values, best - 1), slopeAt(values, best), slopeAt(values, best + 1)];
    const bend = a - 2 * b + c;
    return bend < 0 ? best + (0.5 * (a - c)) / bend : best;
  }

  /** Scatter of step heights and positions that the residual has, over that of white noise. */
  #excess(rest: Float64Array, edge: Solved | undefined): { readonly step: number; readonly position: number } {
    this.#slide(rest);
    const [slid, smoothed, perStep, perShift] = [this.#slid, this.#work, this.#perStep, this.#perShift];
    const [at, apart] = edge === undefined ? [0, 0] : [edge.at, 2 * edge.sigma];
    let [steps, shifts, count] = [0, 0, 0];
    for (let x = this.#first; x <= this.#last; x++) {
      const ofStep = perStep[x] ?? 0;
      if (ofStep === 0 || Math.abs(x - at) < apart) continue;
      const [step, shift] = [slid[x] ?? 0, smoothed[x] ?? 0];
      steps += step * step * ofStep;
      shifts += shift * shift * (perShift[x] ?? 0);
      count++;
    }
    return { step: Math.sqrt(steps / count), position: Math.sqrt(shifts / count) };
  }
}

function slopeAt(values: Float64Array, x: number): number {
  return (values[x + 1] ?? 0) - (values[x - 1] ?? 0);
}

function isSecond(depth: number, significance: number, first: number): boolean {
  return Math.abs(significance) > SECOND_LEAST && Math.abs(depth) > SECOND_SHARE * first;
}

const NONE = { height: NaN, error: NaN };
/** A second edge is one this many times its error, and this part of the first one. */
const SECOND_LEAST = 7;
const SECOND_SHARE = 0.2;
/** A step of whose power the drift and other edges leave less than this part is none. */
const LEAST_POWER = 0.1;

interface Found {
  readonly at: number;
  /** Height over its error for white noise. */
  readonly score: number;
  readonly height: number;
}
