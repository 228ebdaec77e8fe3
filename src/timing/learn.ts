import { SaclaError } from "../core/errors.ts";
import { median } from "../core/median.ts";
import {
  commonPatterns,
  type Fringe,
  findFringes,
  fringes,
  orthonormal,
  refineFringes,
  removeBasis,
  slopes,
} from "./drift.ts";
import type { EdgeModel, ProfileFit } from "./edge-model.ts";
import { EdgeFitter } from "./fit.ts";
import { type Profile, type Profiler, stripProfile } from "./profile.ts";
import type { Strip, StripLayout } from "./strip.ts";

/** What is learnt from laser-only shots and shots with X-rays. */
export interface Learnt {
  readonly profiler: Profiler;
  readonly model: EdgeModel;
  /** Strongest first. */
  readonly fringes: readonly Fringe[];
  /** Shots with X-rays whose edge was used to learn from. */
  readonly edges: number;
}

interface Training {
  readonly layout: StripLayout;
  readonly laserOnly: readonly Strip[];
  readonly xrays: readonly Strip[];
  /** Bins; undefined: found from the edges. */
  readonly sigma: number | undefined;
  /** Which side of the edge is darker; undefined: found from the edges. */
  readonly darkSide: "low" | "high" | undefined;
}

/** An edge that is learnt from is this many times its error. */
const SURE = 10;
/** Fringes that only shots with X-rays show have this much more power than noise: edges make weaker ones. */
const PLAIN = 6;
/** So many edges tell how much widths scatter, which is never taken for less than this. */
const LEAST_WIDTHS = 8;
const LEAST_SCATTER = 0.05;
/** A bin of the background is one that this part of the laser-only shots has. */
const LEAST_SEEN = 0.9;
/** So many shots with X-rays are looked at while little is known. */
const FIRST_LOOK = 24;

/**
 * Learns the background, which bands the X-rays reach, on which side of the edge light is lost, the edge's width and
 * how fast the light comes back, the noise of each bin, and the fringes that drift.
 * @throws NO_LASER_ONLY
 */
export function learn(all: Training): Learnt {
  const training = { ...all, laserOnly: leastSaturated(all.laserOnly), xrays: leastSaturated(all.xrays) };
  const { layout, laserOnly } = training;
  if (laserOnly.length === 0)
    throw new SaclaError("NO_LASER_ONLY", "No shot with the timing laser and without X-rays: there is no background.");
  const background = meanStrip(layout, laserOnly);
  const learner = new Learner(training, background);
  return learner.run();
}

/**
 * Mean of the strips, each scaled to the same total. NaN where more than a few are saturated: the others would be those
 * that happened to be darker.
 */
function meanStrip({ bands, bins }: StripLayout, strips: readonly Strip[]): Float32Array {
  const count = new Uint32Array(bands * bins);
  for (const { values } of strips)
    for (let k = 0; k < count.length; k++) if (!Number.isNaN(values[k])) count[k] = (count[k] ?? 0) + 1;
  const isThere = count.map((times) => (times >= LEAST_SEEN * strips.length ? 1 : 0));
  const totals = strips.map(({ values }) => mean(values.filter((_, k) => isThere[k] === 1)));
  const all = mean(totals);
  const sum = new Float64Array(count.length);
  strips.forEach(({ values }, i) => {
    const scale = all / (totals[i] ?? 1);
    for (let k = 0; k < sum.length; k++) {
      const value = values[k] ?? NaN;
      if (!Number.isNaN(value)) sum[k] = (sum[k] ?? 0) + scale * value;
    }
  });
  return Float32Array.from(sum, (value, k) => (isThere[k] === 1 ? value / (count[k] ?? 0) : NaN));
}

/** The half with the least saturation, and all that have no more: what is left of others is no good to learn from. */
function leastSaturated(strips: readonly Strip[]): Strip[] {
  const shares = strips.map(({ saturated }) => saturated).toSorted((a, b) => a - b);
  const most = shares[shares.length >> 1] ?? 0;
  return strips.filter(({ saturated }) => saturated <= most);
}

class Learner {
  readonly #training: Training;
  readonly #background: Float32Array;
  #sigma: number;
  #tau = Infinity;
  #darkSide: "low" | "high";

  constructor(training: Training, background: Float32Array) {
    this.#training = training;
    this.#background = background;
    this.#sigma = training.sigma ?? DEFAULT_SIGMA;
    this.#darkSide = training.darkSide ?? "low";
  }

  run(): Learnt {
    const { xrays, sigma } = this.#training;
    const noise = this.#bandNoise();
    // First every band counts by its noise alone.
    let weights: Float64Array = noise.map((variance) => (variance > 0 ? 1 / variance : 0));
    if (xrays.length > 0) weights = this.#firstLook(weights);
    let learnt = this.#model(weights, []);
    if (xrays.length === 0) return learnt;
    for (let round = 0; round < 4; round++) {
      const fitter = new EdgeFitter(learnt.model);
      // While the shape is not known, the way in which light comes back can look like a second edge.
      const fits = this.#fits(fitter, learnt.profiler, xrays).filter((one) => isSure(one, round === 0));
      if (fits.length === 0) break;
      if (sigma === undefined) this.#sigma = median(fits.map(({ fit }) => fit.edge?.sigma ?? NaN));
      if (round === 0) {
        const better = this.#bandDepths(fits, noise, learnt.fringes);
        if (better !== undefined) weights = better;
      }
      if (round > 0) this.#tau = this.#bestTau(learnt, fits);
      learnt = this.#model(weights, fits);
      // Not before the width is learnt: edges wider than it would all be taken for two.
      if (round > 1) learnt = { ...learnt, model: { ...learnt.model, widthScatter: this.#widthScatter(fits) } };
    }
    return learnt;
  }

  /** rms of ln σ; Infinity where too few edges tell. */
  #widthScatter(fits: readonly ShotFit[]): number {
    const away = fits
      .map(({ fit }) => Math.abs(Math.log((fit.edge?.sigma ?? NaN) / this.#sigma)))
      .sort((a, b) => a - b);
    if (away.length < LEAST_WIDTHS) return Infinity;
    // Of normal scatter 35 % is within 0.45 rms; many of the other edges may be two.
    return Math.max(LEAST_SCATTER, (away[Math.floor(0.35 * away.length)] ?? NaN) / 0.45);
  }

  #profiler(weights: Float64Array): Profiler {
    const { layout } = this.#training;
    return { layout, background: this.#background, weights, darkSide: this.#darkSide };
  }

  /** Variance of a bin of each band over its background, from the second differences of laser-only shots. */
  #bandNoise(): Float64Array {
    const { layout, laserOnly } = this.#training;
    return Float64Array.from({ length: layout.bands }, (_, band) => {
      const weights = new Float64Array(layout.bands);
      weights[band] = 1;
      const all = laserOnly.map((strip) => mean(roughness(stripProfile(strip, this.#profiler(weights)))));
      return median(all);
    });
  }

  /**
   * Which bands to begin with, the sign and the rough width: whatever gives the shots with X-rays the most significant
   * edges. A narrow line of X-rays on a tall picture is lost in the sum of all bands.
   */
  #firstLook(all: Float64Array): Float64Array {
    const { xrays, sigma, darkSide } = this.#training;
    const some = every(xrays, FIRST_LOOK);
    const { bands, bins } = this.#training.layout;
    const groups = [all];
    const known = this.#model(all, []).fringes;
    for (const share of [4, 16, 64]) {
      const tall = Math.ceil(bands / share);
      if (tall === bands || tall === Math.ceil(bands / (share / 4))) continue;
      for (let from = 0; from + tall <= bands; from += Math.ceil(tall / 2))
        groups.push(all.map((value, band) => (band >= from && band < from + tall ? value : 0)));
    }
    let best = { score: -1, weights: all, sigma: this.#sigma, darkSide: this.#darkSide, tau: this.#tau };
    const widths = sigma === undefined ? [DEFAULT_SIGMA / 2.5, DEFAULT_SIGMA, DEFAULT_SIGMA * 2.5] : [sigma];
    const shapes = widths.flatMap((width) => [Infinity, bins / 4].map((tau) => ({ width, tau })));
    for (const weights of groups) {
      if (!weights.some((value) => value > 0)) continue;
      for (const { width, tau } of weights === all ? shapes : [{ width: best.sigma, tau: best.tau }]) {
        for (const side of darkSide === undefined ? (["low", "high"] as const) : [darkSide]) {
          this.#sigma = width;
          this.#tau = tau;
          this.#darkSide = side;
          const { profiler, model } = this.#model(weights, [], known);
          const fitter = new EdgeFitter(model);
          const score = mean(some.map((strip) => fitter.score(stripProfile(strip, profiler).values)));
          if (score > best.score) best = { score, weights, sigma: width, tau, darkSide: side };
        }
      }
    }
    this.#sigma = best.sigma;
    this.#tau = best.tau;
    this.#darkSide = best.darkSide;
    return best.weights;
  }

  /** Weights by the depth of the edge in each band: depth over variance. */
  #bandDepths(fits: readonly ShotFit[], noise: Float64Array, known: readonly Fringe[]): Float64Array | undefined {
    const { bands } = this.#training.layout;
    const some = every(fits, 2 * FIRST_LOOK);
    const found = Float64Array.from({ length: bands }, (_, band) => {
      const variance = noise[band] ?? 0;
      if (!(variance > 0)) return 0;
      const only = new Float64Array(bands);
      only[band] = 1;
      const profiler = this.#profiler(only);
      const fitter = new EdgeFitter(this.#model(only, [], known).model);
      const heights = some.map(({ strip, fit }) =>
        fitter.heightAt(stripProfile(strip, profiler).values, fit.edge?.at ?? NaN),
      );
      const depth = mean(heights.map(({ height }) => height));
      const error = Math.sqrt(mean(heights.map((one) => one.error ** 2)) / heights.length);
      return depth > 3 * error ? depth / variance : 0;
    });
    return found.some((value) => value > 0) ? found : undefined;
  }

  /** The model for these weights; fringes are looked for in the laser-only shots and in what the fits left. */
  #model(weights: Float64Array, fits: readonly ShotFit[], known?: readonly Fringe[]): Learnt {
    const { laserOnly, xrays } = this.#training;
    const profiler = this.#profiler(weights);
    const dark = laserOnly.map((strip) => stripProfile(strip, profiler));
    const rough = [...dark, ...every(xrays, FIRST_LOOK).map((strip) => stripProfile(strip, profiler))].map(roughness);
    const root = rootWeights(rough);
    const shape = { sigma: this.#sigma, tau: this.#tau };
    const slope = orthonormal(slopes(root));
    const left = dark.map(({ values }) => whitened(values, root));
    for (const values of left) removeBasis(values, slope);
    const others = fits.map(({ clean, fit }) => clearOf(clean, fit));
    // Slower than one period over the picture: the polynomials have it. What shots with X-rays leave that is slow may
    // come from the edge, whose shape is never quite that of the model.
    const bins = root.length;
    const clear = known ?? findFringes(left, root, slope, { known: [], longest: bins });
    const refined = others.length === 0 ? clear : refineFringes(left, others, root, slope, clear);
    const found = findFringes(others, root, slope, {
      known: refined,
      longest: bins / 4,
      least: PLAIN,
      laserOnly: left,
    });
    const drift = orthonormal([...slopes(root), ...fringes(root, found)]);
    const basis = known === undefined ? orthonormal([...drift, ...commonPatterns(left, drift)]) : drift;
    const model = { shape, root, basis, excess: { step: 1, position: 1 }, widthScatter: Infinity };
    return {
      profiler,
      model: known === undefined ? { ...model, excess: this.#excess(model, profiler, fits) } : model,
      fringes: found,
      edges: fits.length,
    };
  }

  #excess(
    model: EdgeModel,
    profiler: Profiler,
    fits: readonly ShotFit[],
  ): { readonly step: number; readonly position: number } {
    const fitter = new EdgeFitter(model);
    const { laserOnly } = this.#training;
    const all =
      fits.length > 0
        ? every(fits, FIRST_LOOK).map(({ strip }) => fitter.fit(stripProfile(strip, profiler).values).excess)
        : laserOnly.map((strip) => fitter.scatter(stripProfile(strip, profiler).values));
    const rms = (of: (one: { step: number; position: number }) => number): number =>
      Math.max(1, Math.sqrt(median(all.map((one) => of(one) ** 2)) / 1));
    return { step: rms(({ step }) => step), position: rms(({ position }) => position) };
  }

  #fits(fitter: EdgeFitter, profiler: Profiler, strips: readonly Strip[]): ShotFit[] {
    return strips.map((strip) => {
      const { values, gaps } = stripProfile(strip, profiler);
      const fit = fitter.fit(values, gaps);
      return { strip, fit, clean: fitter.withoutEdge() };
    });
  }

  /** How fast the light comes back: the τ with which the surest edges leave least. */
  #bestTau({ profiler, model }: Learnt, fits: readonly ShotFit[]): number {
    const some = every(
      fits.toSorted((a, b) => (b.fit.edge?.depth ?? 0) - (a.fit.edge?.depth ?? 0)),
      fits.length,
    ).slice(0, FIRST_LOOK);
    const profiles = some.map(({ strip }) => stripProfile(strip, profiler).values);
    const { length } = model.root;
    const leftBy = (tau: number): number => {
      const fitter = new EdgeFitter({ ...model, shape: { ...model.shape, tau } });
      return profiles.reduce((sum, profile) => sum + fitter.fit(profile).residual.reduce((t, v) => t + v * v, 0), 0);
    };
    let best = { left: leftBy(Infinity), tau: Infinity };
    const consider = (tau: number): void => {
      const left = leftBy(tau);
      if (left < best.left) best = { left, tau };
    };
    for (const part of [5, 2, 1, 0.5, 0.25, 0.12]) consider(part * length);
    // A tenth too long moves a deep edge by more than its noise does.
    if (best.tau < Infinity)
      for (let factor = 1.41; factor > 1.02; factor = Math.sqrt(factor)) {
        const { tau } = best;
        for (const next of [tau / factor, tau * factor]) consider(next);
      }
    return best.tau;
  }
}

/** Bins are made so that an edge of the width asked for, or a usual one, is so many bins wide. */
const DEFAULT_SIGMA = 5;

interface ShotFit {
  readonly strip: Strip;
  readonly fit: ProfileFit;
  /** The profile without its edge, in units of noise. */
  readonly clean: Float64Array;
}

function isSure({ fit }: ShotFit, withSecond: boolean): boolean {
  return fit.edge !== undefined && fit.edge.significance > SURE && (withSecond || fit.second === undefined);
}

/** The profile without its edge, and without what an imperfect shape of the edge leaves around it. */
function clearOf(clean: Float64Array, { edge }: ProfileFit): Float64Array {
  if (edge === undefined) return clean;
  return clean.map((value, x) => (Math.abs(x - edge.at) < 4 * edge.sigma ? 0 : value));
}

/** Squares of second differences, scaled so that they are the variance where noise is white. NaN beside a gap. */
function roughness({ values, gaps }: Profile): Float64Array {
  return values.map((value, x) => {
    if (x === 0 || x === values.length - 1 || gaps?.subarray(x - 1, x + 2).includes(1)) return NaN;
    return (value - ((values[x - 1] ?? NaN) + (values[x + 1] ?? NaN)) / 2) ** 2 / 1.5;
  });
}

/** Root of 1/variance in each bin, from the mean roughness around it. */
function rootWeights(rough: readonly Float64Array[]): Float64Array {
  const bins = rough[0]?.length ?? 0;
  const at = new Float64Array(bins);
  for (let x = 0; x < bins; x++) {
    let [sum, count] = [0, 0];
    for (const values of rough) {
      const value = values[x] ?? NaN;
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    at[x] = sum / count;
  }
  // A single spike must not count: no bin counts for more than some times the usual.
  const sorted = at.filter(Number.isFinite).sort();
  const most = 6 * (sorted[sorted.length >> 1] ?? NaN);
  const reach = Math.max(8, Math.round(bins / 24));
  const sums = new Float64Array(bins + 1);
  const counts = new Float64Array(bins + 1);
  for (let x = 0; x < bins; x++) {
    const value = at[x] ?? NaN;
    const isThere = Number.isFinite(value);
    sums[x + 1] = (sums[x] ?? 0) + (isThere ? Math.min(value, most) : 0);
    counts[x + 1] = (counts[x] ?? 0) + (isThere ? 1 : 0);
  }
  return at.map((_, x) => {
    const [from, to] = [Math.max(0, x - reach), Math.min(bins, x + reach + 1)];
    const variance = ((sums[to] ?? 0) - (sums[from] ?? 0)) / ((counts[to] ?? 0) - (counts[from] ?? 0));
    return variance > 0 ? 1 / Math.sqrt(variance) : 0;
  });
}

function whitened(values: Float64Array, root: Float64Array): Float64Array {
  return values.map((value, x) => value * (root[x] ?? 0));
}

/** At most `count` of the items, spread evenly. */
function every<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)] as T);
}

function mean(values: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isNaN(value)) {
      sum += value;
      count++;
    }
  }
  return sum / count;
}
