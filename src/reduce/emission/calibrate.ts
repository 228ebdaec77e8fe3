import { SaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { type NdArray, shapeOf } from "../../core/ndarray.ts";
import { any, oneOf, optional, resolveOptions } from "../../core/options.ts";
import { dot, inverseOf } from "../../core/solve-rows.ts";
import { fProbability, normalCdf } from "../../core/special-functions.ts";
import { type DispersiveAxis, dispersionAt, type EmissionCurve, emissionPixelAt, TERMS, termsAt } from "./curve.ts";
import { blockRange, blocksOf, findCurve, widthAround } from "./find-curve.ts";
import { type LineMap, lineMap } from "./line-map.ts";

export interface CalibrateEmissionOptions {
  /** @default the one along which the lines of different energies lie apart */
  readonly axis?: DispersiveAxis | undefined;
  /** Pixels to use: 1, to leave out: 0, shape [rows, columns]. @default all */
  readonly mask?: NdArray | undefined;
}

/** Line of one energy, as it was calibrated. */
export interface CalibrationLine {
  readonly energyEv: number;
  /** Photons in the line. */
  readonly photons: number;
  /** Rms width, eV: of the spectrometer and of the light. */
  readonly rmsEv: number;
  /** Where the line is, less the curve, in pixels. */
  readonly offPx: number;
  readonly offErrorPx: number;
}

/** What {@link calibrateEmission} gives. */
export interface EmissionCalibration extends EmissionCurve {
  readonly lines: readonly CalibrationLine[];
  /** Rms width of the lines, eV: an upper limit of what the spectrometer blurs. */
  readonly blurRmsEv: number;
  /** Of the places of the lines in blocks of rows about the curve. */
  readonly reducedChiSquare: number;
  /**
   * What the standard errors were multiplied by: more than 1 where the lines scatter about the curve more than their
   * photons explain, by chance once in 1000 calibrations.
   */
  readonly errorScale: number;
  /**
   * Rms by which lines as a whole lie off the curve, in pixels, beyond what their photons explain: beam, sample or
   * monochromator moved from one energy to the next. The covariance holds it. 0 where that is chance, and where the
   * energies are too few to tell.
   */
  readonly lineScatterPx: number;
}

/** The term by which the tilt changes with the energy, and from how many standard errors on it is kept. */
const [TURN, SIGNIFICANT] = [5, 3];
/** Coefficients of a curve that bends by 1 pixel and goes through both energies of a straight one. */
const BEND = [-1, 0, 1] as const;
const ROUNDS = 60;
const SETTLED_PX = 5e-4;
/** In widths of the line: photons taken for its light, and those taken for background. */
const [REACH, OUTSIDE] = [5, 6];
/** Of the photons must lie near the curve, above what an even distribution has there. */
const LEAST_SHARE = 0.2;
const CHANCE_OF_SCATTER = 1e-3;
/** How much a scale may bend that is not known to: the dispersion changes by tan² θ / E per eV, here for θ = 72°. */
const TAN_SQUARED = 10;

/**
 * The energy scale of a crystal spectrometer from maps of light of known energies: a curve quadratic in the energy,
 * with tilt and curvature of the lines across the sensor. Its likelihood is greatest: photons follow Poisson's
 * distribution about a Gaussian line, whose width is found for each energy and whose brightness for each block of rows,
 * on an even background. Two energies give a straight scale, whose errors hold how much a crystal at 72° bends it;
 * three and more a quadratic one.
 *
 * @throws BAD_ARGUMENT with fewer than two energies, or maps of different shapes
 * @throws NO_PEAK when the maps show no lines along a curve
 * @example
 * const curve = calibrateEmission(maps[sensor].calibration);
 * emissionEnergyAt(curve, column, row);
 */
export function calibrateEmission(
  maps: readonly { readonly energyEv: number; readonly photons: NdArray }[],
  options: CalibrateEmissionOptions = {},
): EmissionCalibration {
  const { axis, mask } = resolveOptions("calibrateEmission", options, {
    axis: optional(oneOf("columns", "rows")),
    mask: any,
  });
  const energies = maps.map(({ energyEv }) => energyEv);
  const different = new Set(energies).size;
  if (different < 2) throw badArgument("calibration energies", energies, "two different ones or more");
  const { lines, curve } = startOf(maps, axis, mask, different > 2 ? [0, 1, 2, 3, 4, 5] : [0, 1, 3, 4, 5]);
  const terms = Array.from({ length: TERMS }, (_, k) => k).filter((k) => different > 2 || k !== 2);
  const found = new CurveFit(curve, lines, terms).run();
  // Most spectrometers have no such term that could be seen, and it costs accuracy in the corners.
  const turn = found.coefficients[TURN] ?? 0;
  if (Math.abs(turn) > SIGNIFICANT * Math.sqrt(found.covariance[TURN]?.[TURN] ?? 0)) return found;
  const coefficients = found.coefficients.map((each, k) => (k === TURN ? 0 : each));
  return new CurveFit(
    { ...found, coefficients },
    lines,
    terms.filter((k) => k !== TURN),
  ).run();
}

interface Line {
  readonly energyEv: number;
  readonly map: LineMap;
  /** Rms width, pixels. */
  width: number;
}

function startOf(
  maps: readonly { readonly energyEv: number; readonly photons: NdArray }[],
  given: DispersiveAxis | undefined,
  mask: NdArray | undefined,
  terms: readonly number[],
): { lines: Line[]; curve: EmissionCurve } {
  const energies = maps.map(({ energyEv }) => energyEv);
  const [low, high] = [Math.min(...energies), Math.max(...energies)];
  const [first] = maps;
  const [rows, columns] = shapeOf("photons", first?.photons as NdArray);
  for (const { energyEv, photons } of maps) {
    const shape = shapeOf(`photons of ${energyEv} eV`, photons);
    if (shape[0] !== rows || shape[1] !== columns)
      throw badArgument(`photons of ${energyEv} eV`, shape, `of shape [${rows}, ${columns}]`);
  }
  const found = (given === undefined ? (["columns", "rows"] as const) : [given]).flatMap((axis) => {
    const lines = maps.map(({ energyEv, photons }) => ({ energyEv, map: lineMap(photons, axis, mask), width: NaN }));
    const across = lines[0]?.map.across ?? 0;
    const half = { middleEv: (low + high) / 2, halfEv: (high - low) / 2 };
    const frame = { axis, rows, columns, ...half, middlePx: (across - 1) / 2, halfPx: Math.max(1, (across - 1) / 2) };
    const start = findCurve(lines, frame, terms);
    return start === undefined ? [] : [{ ...start, lines }];
  });
  found.sort((a, b) => b.share - a.share);
  const [best] = found;
  const [, slope = 0] = best?.curve.coefficients ?? [];
  if (best === undefined || best.without.length > 0 || !(best.share > LEAST_SHARE && Math.abs(slope) > 1)) {
    const without = best?.without ?? [];
    const why = without.length > 0 ? `no line at ${without.join(", ")} eV` : "no lines that move with the energy";
    throw new SaclaError("NO_PEAK", `The calibration shots of ${energies.join(", ")} eV show ${why}.`, {
      details: { energies, without },
    });
  }
  for (const line of best.lines) line.width = widthAround(best.curve, line.energyEv, line.map);
  return best;
}

/** Score and Fisher information of the place of a line in a block of rows, and of its width. */
interface BlockScore {
  shift: number;
  shiftInformation: number;
  width: number;
  widthInformation: number;
  photons: number;
}

/** Fisher scoring of the curve; widths, brightness and background by turns with it. */
class CurveFit {
  #curve: EmissionCurve;
  readonly #lines: readonly Line[];
  readonly #terms: readonly number[];
  /** By line and block, at the last curve. */
  #scores: BlockScore[][] = [];

  constructor(curve: EmissionCurve, lines: readonly Line[], terms: readonly number[]) {
    this.#curve = curve;
    this.#lines = lines;
    this.#terms = terms;
  }

  run(): EmissionCalibration {
    let covariance: number[][] | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const { gradient, information } = this.#score();
      covariance = inverseOf(information);
      if (covariance === undefined) break;
      const step = covariance.map((row) => dot(row, gradient));
      const most = step.reduce((sum, each) => sum + Math.abs(each), 0);
      // Far off, Fisher's step overshoots.
      const factor = Math.min(1, Math.min(...this.#lines.map(({ width }) => width)) / most);
      const coefficients = [...this.#curve.coefficients];
      for (const [k, term] of this.#terms.entries())
        coefficients[term] = (coefficients[term] ?? 0) + factor * (step[k] ?? 0);
      this.#curve = { ...this.#curve, coefficients };

      if (this.#widen() < SETTLED_PX && most < SETTLED_PX) break;
    }
    if (covariance === undefined)
      throw new SaclaError("NO_PEAK", "The photons of the calibration shots do not determine the curve of the lines.");
    this.#score();
    return this.#result(covariance);
  }

  #score(): { gradient: number[]; information: number[][] } {
    const count = this.#terms.length;
    const gradient = new Array<number>(count).fill(0);
    const information = Array.from({ length: count }, () => new Array<number>(count).fill(0));
    this.#scores = this.#lines.map((line) => {
      const background = this.#backgroundOf(line);
      const { across } = line.map;
      return Array.from({ length: blocksOf(across) }, (_, block) =>
        this.#scoreBlock(line, blockRange(block, across), background, gradient, information),
      );
    });
    return { gradient, information };
  }

  #backgroundOf({ energyEv, map, width }: Line): number {
    const { along, across, photons, use } = map;
    let [sum, pixels] = [0, 0];
    for (let b = 0; b < across; b++) {
      const middle = emissionPixelAt(this.#curve, energyEv, b);
      for (let a = 0; a < along; a++) {
        const i = b * along + a;
        if (use[i] !== 1 || Math.abs(a - middle) < OUTSIDE * width) continue;
        sum += photons[i] ?? 0;
        pixels++;
      }
    }
    return Math.max(1e-9, sum / Math.max(1, pixels));
  }

  #scoreBlock(
    { energyEv, map, width }: Line,
    [first, end]: readonly [number, number],
    background: number,
    gradient: number[],
    information: number[][],
  ): BlockScore {
    const score = { shift: 0, shiftInformation: 0, width: 0, widthInformation: 0, photons: 0 };
    const brightness = this.#brightness({ energyEv, map, width }, [first, end], background);
    if (!(brightness > 0)) return score;
    for (let b = first; b < end; b++) {
      const all = termsAt(this.#curve, energyEv, b);
      const terms = this.#terms.map((k) => all[k] ?? 0);
      const row = { shift: 0, shiftInformation: 0, width: 0, widthInformation: 0, photons: 0 };
      forPixels(map, b, dot(all, this.#curve.coefficients), width, (n, part, byShift, byWidth) => {
        const expected = brightness * part + background;
        const off = n / expected - 1;
        row.shift += off * brightness * byShift;
        row.shiftInformation += (brightness * byShift) ** 2 / expected;
        row.width += off * brightness * byWidth;
        row.widthInformation += (brightness * byWidth) ** 2 / expected;
        row.photons += brightness * part;
      });
      for (const [k, term] of terms.entries()) {
        gradient[k] = (gradient[k] ?? 0) + row.shift * term;
        const of = information[k] ?? [];
        for (const [m, other] of terms.entries()) of[m] = (of[m] ?? 0) + row.shiftInformation * term * other;
      }
      score.shift += row.shift;
      score.shiftInformation += row.shiftInformation;
      score.width += row.width;
      score.widthInformation += row.widthInformation;
      score.photons += row.photons;
    }
    return score;
  }

  /** Photons of the line in one row of a block. */
  #brightness({ energyEv, map, width }: Line, [first, end]: readonly [number, number], background: number): number {
    let [light, part] = [0, 0];
    for (let b = first; b < end; b++)
      forPixels(map, b, emissionPixelAt(this.#curve, energyEv, b), width, (n, share) => {
        light += n - background;
        part += share;
      });
    return light / part;
  }

  /** Fisher's step of the widths; gives the largest. */
  #widen(): number {
    let largest = 0;
    for (const [k, line] of this.#lines.entries()) {
      const blocks = this.#scores[k] ?? [];
      const score = blocks.reduce((sum, { width }) => sum + width, 0);
      const information = blocks.reduce((sum, { widthInformation }) => sum + widthInformation, 0);
      if (!(information > 0)) continue;
      const step = Math.min(0.3 * line.width, Math.max(-0.3 * line.width, score / information));
      line.width = Math.max(0.2, line.width + step);
      largest = Math.max(largest, Math.abs(step));
    }
    return largest;
  }

  #result(covariance: readonly (readonly number[])[]): EmissionCalibration {
    let [chiSquare, cells] = [0, 0];
    for (const { shift, shiftInformation } of this.#scores.flat()) {
      if (!(shiftInformation > 0)) continue;
      chiSquare += shift ** 2 / shiftInformation;
      cells++;
    }
    const freedom = cells - this.#terms.length;
    const reducedChiSquare = freedom > 0 ? chiSquare / freedom : NaN;
    const lines = this.#lines.map((line, k) => this.#lineResult(line, this.#scores[k] ?? []));
    const { lineScatterPx, ofLines, ofEnergy } = scatterOfLines(lines, this.#terms);
    // What lines have as a whole does not count again as scatter of their blocks.
    const errorScale =
      lineScatterPx > 0 ? scaleOf(chiSquare - ofLines, freedom - ofEnergy) : scaleOf(chiSquare, freedom);
    const moved = this.#lines.map((line, k) => this.#moves(line, this.#scores[k] ?? [], covariance));
    const full = Array.from({ length: TERMS }, (_, k) =>
      Array.from({ length: TERMS }, (__, m) => {
        const [i, j] = [this.#terms.indexOf(k), this.#terms.indexOf(m)];
        const byLines = moved.reduce((sum, by) => sum + (by[i] ?? 0) * (by[j] ?? 0), 0);
        const bend = this.#terms.includes(2) ? 0 : this.#bendPx() ** 2 * (BEND[k] ?? 0) * (BEND[m] ?? 0);
        return (covariance[i]?.[j] ?? 0) * errorScale ** 2 + byLines * lineScatterPx ** 2 + bend;
      }),
    );
    const photons = lines.reduce((sum, line) => sum + line.photons, 0);
    const blurRmsEv = Math.sqrt(lines.reduce((sum, line) => sum + line.photons * line.rmsEv ** 2, 0) / photons);
    const { axis, rows, columns, middleEv, halfEv, middlePx, halfPx, coefficients } = this.#curve;
    const curve = { axis, rows, columns, middleEv, halfEv, middlePx, halfPx, coefficients };
    return { ...curve, covariance: full, lines, blurRmsEv, reducedChiSquare, errorScale, lineScatterPx };
  }

  /** By how much the curve may lie beside a straight one in the middle of two energies. */
  #bendPx(): number {
    const { middleEv, halfEv, coefficients } = this.#curve;
    return (Math.abs(coefficients[1] ?? 0) * TAN_SQUARED * halfEv) / (2 * middleEv);
  }

  /** How each coefficient changes when a line as a whole moves by a pixel. */
  #moves(
    { energyEv, map: { across } }: Line,
    blocks: readonly BlockScore[],
    covariance: readonly (readonly number[])[],
  ): number[] {
    const pull = new Array<number>(this.#terms.length).fill(0);
    for (const [block, { shiftInformation }] of blocks.entries()) {
      const [first, end] = blockRange(block, across);
      const all = termsAt(this.#curve, energyEv, (first + end - 1) / 2);
      for (const [k, term] of this.#terms.entries()) pull[k] = (pull[k] ?? 0) + shiftInformation * (all[term] ?? 0);
    }
    return covariance.map((row) => dot(row, pull));
  }

  #lineResult({ energyEv, width }: Line, blocks: readonly BlockScore[]): CalibrationLine {
    const total = (of: (block: BlockScore) => number): number => blocks.reduce((sum, block) => sum + of(block), 0);
    const information = total(({ shiftInformation }) => shiftInformation);
    return {
      energyEv,
      photons: total(({ photons }) => photons),
      rmsEv: width / Math.abs(dispersionAt(this.#curve, energyEv, this.#curve.middlePx)),
      offPx: total(({ shift }) => shift) / information,
      offErrorPx: 1 / Math.sqrt(information),
    };
  }
}

/** By how much errors grow where the scatter is more than chance. */
function scaleOf(chiSquare: number, freedom: number): number {
  return isScatter(chiSquare, freedom) ? Math.sqrt(chiSquare / freedom) : 1;
}

function isScatter(chiSquare: number, freedom: number): boolean {
  return freedom > 0 && fProbability(chiSquare / freedom, freedom, Infinity) < CHANCE_OF_SCATTER;
}

/** The terms in which only the energy counts. */
const OF_ENERGY = 3;

/** Scatter of whole lines about the curve, with their χ² and its degrees of freedom. */
function scatterOfLines(
  lines: readonly CalibrationLine[],
  terms: readonly number[],
): { readonly lineScatterPx: number; readonly ofLines: number; readonly ofEnergy: number } {
  const ofEnergy = lines.length - terms.filter((k) => k < OF_ENERGY).length;
  const ofLines = lines.reduce((sum, { offPx, offErrorPx }) => sum + (offPx / offErrorPx) ** 2, 0);
  if (!isScatter(ofLines, ofEnergy)) return { lineScatterPx: 0, ofLines, ofEnergy };
  const square = lines.reduce((sum, { offPx }) => sum + offPx ** 2, 0) / ofEnergy;
  const ofPhotons = lines.reduce((sum, { offErrorPx }) => sum + offErrorPx ** 2, 0) / lines.length;
  return { lineScatterPx: Math.sqrt(Math.max(0, square - ofPhotons)), ofLines, ofEnergy };
}

/**
 * The pixels of a row within reach of a line: photons, share of the line's light, and how that changes with its place
 * and its width.
 */
function forPixels(
  { along, photons, use }: LineMap,
  b: number,
  middle: number,
  width: number,
  visit: (n: number, part: number, byShift: number, byWidth: number) => void,
): void {
  const from = Math.max(0, Math.ceil(middle - REACH * width));
  const to = Math.min(along - 1, Math.floor(middle + REACH * width));
  let u = (from - 0.5 - middle) / width;
  let [below, bell] = [normalCdf(u), Math.exp(-0.5 * u * u) / Math.sqrt(2 * Math.PI)];
  for (let a = from; a <= to; a++) {
    const next = (a + 0.5 - middle) / width;
    const [above, nextBell] = [normalCdf(next), Math.exp(-0.5 * next * next) / Math.sqrt(2 * Math.PI)];
    const i = b * along + a;
    if (use[i] === 1)
      visit(photons[i] ?? 0, above - below, (bell - nextBell) / width, (u * bell - next * nextBell) / width);
    [u, below, bell] = [next, above, nextBell];
  }
}
