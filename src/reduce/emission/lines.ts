import { SaclaError } from "../../core/errors.ts";
import { asFinite, asInteger } from "../../core/guards.ts";
import { finite, optional, resolveOptions } from "../../core/options.ts";
import { fProbability } from "../../core/special-functions.ts";
import { type EmissionCurve, emissionEnergyErrorAt } from "./curve.ts";
import type { EmissionSpectrum } from "./spectrum.ts";
import { type FittedLines, fitLines, type LineStart, startLine } from "./voigt-lines.ts";

export interface EmissionLinesOptions {
  /**
   * How many lines there are, or about where each is, eV.
   * @default as many as are significant, at most 5
   */
  readonly lines?: number | readonly number[] | undefined;
  /**
   * What the spectrometer blurs, rms, eV.
   * @default fitted, and at most `blurRmsEv` of the calibration, which has the width of its light too
   */
  readonly blurRmsEv?: number | undefined;
}

/** A Lorentzian line, blurred; errors are one standard deviation. */
export interface EmissionLine {
  readonly energyEv: number;
  /** Of the photons counted, and of the energy scale. */
  readonly energyErrorEv: number;
  /** Of the photons counted alone: for differences between spectra of one calibration. */
  readonly countingErrorEv: number;
  /** Full width at half maximum of the Lorentzian. */
  readonly fwhmEv: number;
  readonly fwhmErrorEv: number;
  /** Photons of the whole Lorentzian, also outside the spectrum. */
  readonly photons: number;
  readonly photonsError: number;
}

/** What {@link fitEmissionLines} gives. */
export interface EmissionLines {
  /** The brightest first; in the order given when their places were. */
  readonly lines: readonly EmissionLine[];
  readonly blurRmsEv: number;
  /** Photons per pixel, over all shots, in the middle of the spectrum. */
  readonly background: number;
  readonly backgroundError: number;
  /** Change of the background from the middle to the end of the spectrum, in parts of it; 0 where it is even. */
  readonly backgroundSlope: number;
  /** The fitted curve at the energies of the spectrum, photons per eV. */
  readonly curve: Float64Array;
  /** Pearson's χ² per degree of freedom, of neighboring bins that hold 25 photons and more together. */
  readonly reducedChiSquare: number;
  /** What the counting errors were multiplied by, where the photons scatter more than by their number. */
  readonly errorScale: number;
}

const MOST_LINES = 5;
/** By how much 2 ln L must grow for one more line: three parameters, at any place and width. */
const SIGNIFICANT = 30;
/** The same for a line that somebody knows to be there. */
const WANTED = 12;
const CHANCE_OF_SCATTER = 1e-3;
const GROUP = 25;

/**
 * Lines of a spectrum on a background that is even over the pixels, or changes evenly where that is significant, by the
 * greatest likelihood of the photons counted (Poisson). Errors of the energies hold that of the calibration.
 *
 * Real lines may be asymmetric: a fit with one Lorentzian then finds a place between its top and its mean, and a line
 * more describes the asymmetry; see `reducedChiSquare`.
 * @throws NO_PEAK when no line is significant, or the photons do not determine as many as asked for
 * @example
 * const { lines } = fitEmissionLines(spectrum, curve, { lines: 2 });
 * const [main] = lines;
 * console.log(main.energyEv, main.energyErrorEv);
 */
export function fitEmissionLines(
  spectrum: EmissionSpectrum,
  curve: EmissionCurve & { readonly blurRmsEv: number },
  options: EmissionLinesOptions = {},
): EmissionLines {
  const { lines, blurRmsEv } = resolveOptions("fitEmissionLines", options, {
    lines: optional(asLines),
    blurRmsEv: optional(finite(0)),
  });
  // Pixels and bins blur too, each like an even distribution of its width.
  const least = spectrum.binEv / Math.sqrt(6);
  const blur = { from: Math.hypot(blurRmsEv ?? 0, least), to: Math.hypot(blurRmsEv ?? curve.blurRmsEv, least) };
  const sloped = typeof lines === "object" ? fitAt(spectrum, lines, blur) : fitOneByOne(spectrum, lines, blur);
  if (sloped === undefined) return fail(typeof lines === "object" ? lines.length : (lines ?? 1));
  // A slope has to gain as much as a line that somebody knows to be there.
  const even = fitLines(spectrum, sloped.lines, blur, false);
  const isEven = even !== undefined && 2 * (sloped.logLikelihood - even.logLikelihood) < WANTED;
  const found = isEven ? even : sloped;
  const { chiSquare, freedom } = scatterOf(spectrum, found);
  const reducedChiSquare = freedom > 0 ? chiSquare / freedom : NaN;
  const isExcess = fProbability(reducedChiSquare, freedom, Infinity) < CHANCE_OF_SCATTER;
  const errorScale = isExcess ? Math.sqrt(reducedChiSquare) : 1;
  const all = found.lines.map(({ energyEv, halfWidthEv, photons }, k) => {
    const [ofPhotons = NaN, ofEnergy = NaN, ofWidth = NaN] = found.errors.slice(3 * k, 3 * k + 3);
    const countingErrorEv = ofEnergy * errorScale;
    return {
      energyEv,
      energyErrorEv: Math.hypot(countingErrorEv, emissionEnergyErrorAt(curve, energyEv)),
      countingErrorEv,
      fwhmEv: 2 * halfWidthEv,
      fwhmErrorEv: 2 * ofWidth * errorScale,
      photons,
      photonsError: ofPhotons * errorScale,
    };
  });
  return {
    lines: typeof lines === "object" ? all : all.sort((a, b) => b.photons - a.photons),
    blurRmsEv: Math.sqrt(Math.max(0, found.blurEv ** 2 - least ** 2)),
    background: found.background,
    backgroundSlope: found.slope,
    backgroundError: (found.errors.at(-1) ?? NaN) * errorScale,
    curve: found.curve,
    reducedChiSquare,
    errorScale,
  };
}

function asLines(name: string, value: unknown): number | readonly number[] {
  if (Array.isArray(value) && value.length > 0)
    return value.map((each, k) => asFinite(`${name}[${k}]`, each, Number.MIN_VALUE));
  return asInteger(name, value, 1, 12);
}

type Blur = Readonly<{ from: number; to: number }>;

function fitAt(spectrum: EmissionSpectrum, energies: readonly number[], blur: Blur): FittedLines | undefined {
  const starts: LineStart[] = [];
  for (const energy of energies) {
    const { energyEv } = spectrum;
    if (!(energy > (energyEv[0] ?? Infinity) && energy < (energyEv.at(-1) ?? -Infinity)))
      throw noLines(`${energy} eV is outside the spectrum from ${energyEv[0]} to ${energyEv.at(-1)} eV`);
    const gaps = energies.filter((other) => other !== energy).map((other) => Math.abs(other - energy));
    starts.push(startLine(spectrum, starts, blur.to, [energy, Math.min(5, ...gaps.map((gap) => gap / 2))]));
  }
  return fitLines(spectrum, starts, blur, true);
}

function fitOneByOne(spectrum: EmissionSpectrum, wanted: number | undefined, blur: Blur): FittedLines | undefined {
  let fitted = fitLines(spectrum, [], blur, true);
  for (let count = 1; fitted !== undefined && count <= (wanted ?? MOST_LINES); count++) {
    const next = withOneMore(spectrum, fitted, blur);
    const gain = 2 * ((next?.logLikelihood ?? -Infinity) - fitted.logLikelihood);
    const least = wanted === undefined || count === 1 ? SIGNIFICANT : WANTED;
    if (next === undefined || gain < least) {
      if (wanted === undefined && count > 1) break;
      return undefined;
    }
    fitted = next;
  }
  return fitted;
}

/** The best with one line more: one where it adds most, or one of the lines in two, as lines that overlap are. */
function withOneMore(spectrum: EmissionSpectrum, { lines }: FittedLines, blur: Blur): FittedLines | undefined {
  const starts = [
    [...lines, startLine(spectrum, lines, blur.to)],
    ...lines.flatMap((line) => inTwo(line, lines, blur)),
  ];
  let best: FittedLines | undefined;
  for (const start of starts) {
    const fitted = fitLines(spectrum, start, blur, true);
    if ((fitted?.logLikelihood ?? -Infinity) > (best?.logLikelihood ?? -Infinity)) best = fitted;
  }
  return best;
}

function inTwo(line: LineStart, lines: readonly LineStart[], blur: Blur): LineStart[][] {
  const others = lines.filter((other) => other !== line);
  const reach = 0.5 * (line.halfWidthEv + blur.to);
  const part = (share: number, way: number): LineStart => ({
    photons: share * line.photons,
    energyEv: line.energyEv + way * (1 - share) * 2 * reach,
    halfWidthEv: 0.7 * line.halfWidthEv,
  });
  return [1, -1].map((way) => [...others, part(0.7, way), part(0.3, -way)]);
}

function noLines(why: string): SaclaError {
  return new SaclaError("NO_PEAK", `The spectrum shows no such lines: ${why}.`);
}

function fail(count: number): never {
  throw noLines(count === 1 ? "none stands out of the noise" : `its photons do not determine ${count} lines`);
}

/** Pearson's χ² of bins taken together until the curve expects enough photons. */
function scatterOf(
  { photons, exposureEv }: EmissionSpectrum,
  { curve, errors }: FittedLines,
): { readonly chiSquare: number; readonly freedom: number } {
  let [chiSquare, groups, counted, expected] = [0, 0, 0, 0];
  for (const [i, n] of photons.entries()) {
    counted += n;
    expected += (curve[i] ?? NaN) * (exposureEv[i] ?? NaN);
    if (expected < GROUP) continue;
    chiSquare += (counted - expected) ** 2 / expected;
    groups++;
    [counted, expected] = [0, 0];
  }
  return { chiSquare, freedom: groups - errors.length };
}
