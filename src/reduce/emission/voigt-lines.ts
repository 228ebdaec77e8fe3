import { dot, inverseOf } from "../../core/solve-rows.ts";
import { voigt } from "../../core/special-functions.ts";
import type { EmissionSpectrum } from "./spectrum.ts";

/** A line to begin with. */
export interface LineStart {
  readonly photons: number;
  readonly energyEv: number;
  /** Half width of the Lorentzian at half maximum. */
  readonly halfWidthEv: number;
}

/** Lines of the greatest likelihood. */
export interface FittedLines {
  readonly lines: readonly LineStart[];
  readonly blurEv: number;
  /** Photons per pixel, in the middle of the spectrum. */
  readonly background: number;
  /** Change of the background from the middle to the end of the spectrum, in parts of it; 0 where it is even. */
  readonly slope: number;
  readonly logLikelihood: number;
  /** Of photons, energy, half width of each line; of blur and slope when they are free; of the background last. */
  readonly errors: readonly number[];
  /** Photons per eV in each bin. */
  readonly curve: Float64Array;
}

const ROUNDS = 200;
const SETTLED = 1e-7;
const LEAST_HALF_WIDTH = 0.02;
const LARGEST_STEP = 1.5;
/** A background is never less than nothing at an end. */
const LARGEST_SLOPE = 0.999;

/**
 * Fisher scoring, damped where it does not climb. `blur.to` > `blur.from`: the blur is free between them.
 * @param isSloped - whether the background may change evenly over the spectrum
 * @returns undefined where the photons do not determine the lines
 */
export function fitLines(
  spectrum: EmissionSpectrum,
  starts: readonly LineStart[],
  blur: { readonly from: number; readonly to: number },
  isSloped: boolean,
): FittedLines | undefined {
  const isFree = blur.to > blur.from && starts.length > 0;
  const total = spectrum.photons.reduce((sum, n) => sum + n, 0);
  const pixels = spectrum.pixels.reduce((sum, n) => sum + n, 0);
  const range = (spectrum.energyEv.at(-1) ?? NaN) - (spectrum.energyEv[0] ?? NaN);
  const inLines = starts.reduce((sum, { photons }) => sum + photons, 0);
  const start = starts.flatMap(({ photons, energyEv, halfWidthEv }) => [photons, energyEv, halfWidthEv]);
  const others = [...(isFree ? [0.8 * blur.to] : []), ...(isSloped ? [0] : [])];
  let at = [...start, ...others, Math.max(0.05 * total, total - inLines) / pixels];
  const fixed = isFree ? undefined : blur.to;
  const model = new LineModel(spectrum, starts.length, fixed, isSloped);
  const limits = at.map((_, k): readonly [least: number, most: number] => {
    if (k === at.length - 1) return [(1e-6 * total + 1e-3) / pixels, Infinity];
    if (k === model.blurAt) return [blur.from, blur.to];
    if (k === model.slopeAt) return [-LARGEST_SLOPE, LARGEST_SLOPE];
    if (k % 3 === 0) return [1e-3, Infinity];
    return k % 3 === 2 ? [LEAST_HALF_WIDTH, range] : [-Infinity, Infinity];
  });
  const bound = (values: readonly number[]): number[] =>
    values.map((value, k) => Math.min(limits[k]?.[1] ?? Infinity, Math.max(limits[k]?.[0] ?? -Infinity, value)));
  at = bound(at);
  let damping = 1e-3;
  let now = model.at(at);
  for (let round = 0; round < ROUNDS; round++) {
    const { gradient, information } = now;
    // What stands at a limit and is pulled beyond it does not move, and must not turn the way of the others.
    const isHeld = gradient.map((pull, k) => (at[k] ?? 0) === limits[k]?.[pull > 0 ? 1 : 0]);
    const step = solveScaled(information, gradient, damping, isHeld);
    if (step === undefined) return undefined;
    const next = bound(at.map((value, k) => value + limited(step[k] ?? 0, k, at, starts.length)));
    const trial = model.at(next);
    const gain = trial.logLikelihood - now.logLikelihood;
    if (gain >= 0) {
      [at, now] = [next, trial];
      damping = Math.max(1e-12, damping / 5);
      if (gain < SETTLED) break;
    } else {
      damping *= 6;
      if (damping > 1e8) break;
    }
  }
  return resultOf(model, at, now, starts.length, { fixed, blur });
}

function resultOf(
  model: LineModel,
  at: readonly number[],
  { information, logLikelihood, curve }: Likelihood,
  count: number,
  { fixed, blur }: { fixed: number | undefined; blur: { from: number; to: number } },
): FittedLines | undefined {
  const last = at.length - 1;
  const { blurAt, slopeAt } = model;
  const blurEv = fixed ?? at[blurAt] ?? NaN;
  const slope = at[slopeAt] ?? 0;
  // At an end of what it may be, a parameter is not moved by the photons.
  const atEnd = (k: number): boolean =>
    (k === blurAt && (blurEv <= blur.from * 1.0001 || blurEv >= blur.to * 0.9999)) ||
    (k === slopeAt && Math.abs(slope) >= LARGEST_SLOPE) ||
    (k < 3 * count && k % 3 === 2 && (at[k] ?? 0) <= LEAST_HALF_WIDTH);
  const free = at.map((_, k) => k).filter((k) => !atEnd(k));
  const { sizes, inverse } = scaledInverse(information, free, 0);
  if (inverse === undefined) return undefined;
  const errors = at.map((_, k) => {
    const i = free.indexOf(k);
    return i < 0 ? 0 : Math.sqrt(inverse[i]?.[i] ?? NaN) / (sizes[i] ?? NaN);
  });
  const lines = Array.from({ length: count }, (_, k) => model.line(at, k));
  return { lines, blurEv, background: at[last] ?? NaN, slope, logLikelihood, errors, curve };
}

/** Far from the maximum a step of Fisher's may leap over it: no more than a part of each line's own size. */
function limited(step: number, k: number, at: readonly number[], count: number): number {
  if (k >= 3 * count) return step;
  const halfWidth = at[3 * Math.floor(k / 3) + 2] ?? 0;
  const own = k % 3 === 0 ? Math.abs(at[k] ?? 0) : k % 3 === 1 ? halfWidth + 0.3 : halfWidth;
  const most = LARGEST_STEP * own;
  return Math.min(most, Math.max(-most, step));
}

function solveScaled(
  information: readonly (readonly number[])[],
  gradient: readonly number[],
  damping: number,
  isHeld: readonly boolean[],
): number[] | undefined {
  const free = gradient.map((_, k) => k).filter((k) => isHeld[k] !== true);
  const { sizes, inverse } = scaledInverse(information, free, damping);
  if (inverse === undefined) return undefined;
  const scaled = free.map((k, i) => (gradient[k] ?? 0) / (sizes[i] ?? 1));
  const step = new Array<number>(gradient.length).fill(0);
  for (const [i, k] of free.entries()) step[k] = dot(inverse[i] ?? [], scaled) / (sizes[i] ?? 1);
  return step;
}

/** Inverse of the information on some parameters, each in its own size; undefined where they are not determined. */
function scaledInverse(information: readonly (readonly number[])[], free: readonly number[], damping: number) {
  const sizes = free.map((k) => Math.sqrt(Math.max(information[k]?.[k] ?? 0, 1e-300)));
  const matrix = free.map((k, i) =>
    free.map((m, j) => (information[k]?.[m] ?? NaN) / (sizes[i] ?? 1) / (sizes[j] ?? 1) + (i === j ? damping : 0)),
  );
  return { sizes, inverse: inverseOf(matrix) };
}

interface Likelihood {
  readonly logLikelihood: number;
  readonly gradient: number[];
  readonly information: number[][];
  readonly curve: Float64Array;
}

/**
 * Photons expected in each bin. Parameters: photons, energy, half width of each line; blur and slope if free;
 * background.
 */
class LineModel {
  /** Which parameters blur and slope are; −1 where they are not free. */
  readonly blurAt: number;
  readonly slopeAt: number;
  readonly #spectrum: EmissionSpectrum;
  readonly #count: number;
  readonly #fixedBlur: number | undefined;

  constructor(spectrum: EmissionSpectrum, count: number, fixedBlur: number | undefined, isSloped: boolean) {
    this.#spectrum = spectrum;
    this.#count = count;
    this.#fixedBlur = fixedBlur;
    this.blurAt = fixedBlur === undefined ? 3 * count : -1;
    this.slopeAt = isSloped ? 3 * count + (fixedBlur === undefined ? 1 : 0) : -1;
  }

  line(at: readonly number[], k: number): LineStart {
    const [photons = NaN, energyEv = NaN, halfWidthEv = NaN] = at.slice(3 * k, 3 * k + 3);
    return { photons, energyEv, halfWidthEv };
  }

  at(parameters: readonly number[]): Likelihood {
    const { energyEv, photons, exposureEv, pixels } = this.#spectrum;
    const size = parameters.length;
    const gradient = new Array<number>(size).fill(0);
    const information = Array.from({ length: size }, () => new Array<number>(size).fill(0));
    const curve = new Float64Array(energyEv.length);
    let logLikelihood = 0;
    for (const [i, energy] of energyEv.entries()) {
      const exposure = exposureEv[i] ?? NaN;
      // Background is even over the pixels, not over the energies.
      const { value, slopes } = this.#bin(parameters, energy, (pixels[i] ?? NaN) / exposure);
      const [n, expected] = [photons[i] ?? 0, value * exposure];
      curve[i] = value;
      logLikelihood += (n > 0 ? n * Math.log(expected) : 0) - expected;
      for (let k = 0; k < size; k++) {
        const slope = (slopes[k] ?? 0) * exposure;
        gradient[k] = (gradient[k] ?? 0) + (n / expected - 1) * slope;
        const row = information[k] ?? [];
        for (let m = 0; m < size; m++) row[m] = (row[m] ?? 0) + (slope * (slopes[m] ?? 0) * exposure) / expected;
      }
    }
    return { logLikelihood, gradient, information, curve };
  }

  /** Photons per eV at an energy, and how they change with each parameter. */
  #bin(parameters: readonly number[], energy: number, pixelsPerEv: number): { value: number; slopes: number[] } {
    const last = parameters.length - 1;
    const blur = this.#fixedBlur ?? parameters[this.blurAt] ?? NaN;
    const slopes = new Array<number>(parameters.length).fill(0);
    const { energyEv: energies } = this.#spectrum;
    const [low = NaN, high = NaN] = [energies[0], energies.at(-1)];
    const away = (2 * energy - low - high) / (high - low);
    const even = (parameters[last] ?? NaN) * pixelsPerEv;
    const shape = 1 + (parameters[this.slopeAt] ?? 0) * away;
    let value = even * shape;
    slopes[last] = pixelsPerEv * shape;
    if (this.slopeAt >= 0) slopes[this.slopeAt] = even * away;
    for (let k = 0; k < this.#count; k++) {
      const { photons, energyEv, halfWidthEv } = this.line(parameters, k);
      const line = voigt(energy - energyEv, blur, halfWidthEv);
      value += photons * line.value;
      slopes[3 * k] = line.value;
      slopes[3 * k + 1] = -photons * line.byX;
      slopes[3 * k + 2] = photons * line.byGamma;
      if (this.blurAt >= 0) slopes[this.blurAt] = (slopes[this.blurAt] ?? 0) + photons * line.bySigma;
    }
    return { value, slopes };
  }
}

const WIDTHS = [0.3, 0.8, 2, 5, 12];

/** The place and width at which one line more adds most, beside those given; `near` keeps it near an energy. */
export function startLine(
  spectrum: EmissionSpectrum,
  lines: readonly LineStart[],
  blurEv: number,
  near?: readonly [energyEv: number, withinEv: number],
): LineStart {
  const { energyEv, photons, exposureEv } = spectrum;
  const total = photons.reduce((sum, n) => sum + n, 0);
  const exposure = exposureEv.reduce((sum, ev) => sum + ev, 0);
  const known = lines.reduce((sum, line) => sum + line.photons, 0);
  const background = Math.max(0.05 * total + 0.5, total - known) / exposure;
  const expected = energyEv.map(
    (energy) =>
      background +
      lines.reduce(
        (sum, line) => sum + line.photons * voigt(energy - line.energyEv, blurEv, line.halfWidthEv).value,
        0,
      ),
  );
  let best = { gain: -Infinity, photons: 1, energyEv: near?.[0] ?? energyEv[energyEv.length >> 1] ?? NaN, width: 1 };
  for (const width of WIDTHS) {
    const every = Math.max(1, Math.floor((width + blurEv) / 2 / spectrum.binEv));
    for (let k = 0; k < energyEv.length; k += every) {
      const centre = energyEv[k] ?? NaN;
      if (near !== undefined && Math.abs(centre - near[0]) > near[1]) continue;
      let [score, information] = [0, 0];
      for (let i = 0; i < energyEv.length; i++) {
        const off = (energyEv[i] ?? NaN) - centre;
        const shape = voigt(off, blurEv, width).value * (exposureEv[i] ?? 0);
        const mean = (expected[i] ?? NaN) * (exposureEv[i] ?? 0);
        score += ((photons[i] ?? 0) / mean - 1) * shape;
        information += (shape * shape) / mean;
      }
      const gain = score > 0 ? (score * score) / information : -Infinity;
      if (gain > best.gain) best = { gain, photons: score / information, energyEv: centre, width };
    }
  }
  return { photons: Math.min(best.photons, total), energyEv: best.energyEv, halfWidthEv: best.width };
}
