import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import { type RawImage, shapeOf } from "../core/ndarray.ts";
import { any, finite, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import type { Roi } from "../core/roi.ts";
import { orthonormal } from "./drift.ts";
import type { ProfileFit } from "./edge-model.ts";
import { EdgeFitter } from "./fit.ts";
import { type Learnt, learn } from "./learn.ts";
import { PictureProfiler } from "./picture-profile.ts";
import { hasGap, type Profile, type Profiler, stripProfile } from "./profile.ts";
import { checkPictureShape, fullScaleOf, layoutFor, pixelOf, type Strip, type StripLayout, stripOf } from "./strip.ts";

/** How the timing monitor's camera is looked at. What is left out is learnt from the images. */
export interface EdgeFinderOptions {
  /** Along what time runs: the columns of a row, or the rows of a column. @default "columns" */
  readonly axis?: "columns" | "rows" | undefined;
  /** Where on the image the timing laser is. @default the whole image; the lines that the X-rays reach are learnt */
  readonly roi?: Roi | undefined;
  /** Grey value without light. It changes depths, not positions. @default 0 */
  readonly pedestal?: number | undefined;
  /** Grey value from which a pixel is saturated. @default 2ⁿ − 1 where the region has it at four pixels or more */
  readonly fullScale?: number | undefined;
  /** Width of the edge, rms, pixel. @default learnt */
  readonly widthPx?: number | undefined;
  /** The side of the edge on which light is lost: at low or at high pixels. @default learnt */
  readonly darkSide?: "low" | "high" | undefined;
  /** The background is a mean over about so many laser-only shots, the newest ones. @default 60 */
  readonly backgroundShots?: number | undefined;
}

/** A shot to learn from. */
export interface EdgeSample {
  readonly image: RawImage;
  /** Whether X-rays came; without them it is a laser-only shot. */
  readonly xrays: boolean;
}

/**
 * What is not as it should be with an edge. `no-laser`: the picture is dark. `no-edge`: nothing that is an edge was
 * found. `weak`: it may be noise, or its error is large. `width`: half or twice as wide as the others. `second-edge`:
 * there is another edge. `estimators`: derivative and fit do not agree. `poor-fit`: the profile is neither edge nor
 * learnt drift. `saturated`: pixels were left out; with `no-edge` too much of the picture or
 * of what is around the edge, else it makes no edge unusable.
 */
export type EdgeFlag =
  | "no-laser"
  | "no-edge"
  | "weak"
  | "width"
  | "second-edge"
  | "estimators"
  | "poor-fit"
  | "saturated";

/** What was found on one image. Positions in pixels of the whole image, the middle of the first pixel being 0. */
export interface FoundEdge {
  /** Where the smoothed profile is steepest, to 0.1 pixel; NaN without an edge. */
  readonly derivativePx: number;
  /** Centre of the fitted step; NaN without an edge. */
  readonly fittingPx: number;
  /** Standard error of `fittingPx`. */
  readonly errorPx: number;
  /** Share of the light that is lost at the edge, with its standard error. */
  readonly depth: number;
  readonly depthError: number;
  /** rms width of the edge. */
  readonly widthPx: number;
  /** Depth over its error, for a search over all positions; below 6 there is no edge. */
  readonly significance: number;
  /** A second edge, NaN where there is none; `fittingPx` is the deeper one of the two. */
  readonly secondPx: number;
  readonly secondDepth: number;
  readonly flags: readonly EdgeFlag[];
  /** Whether the position can be used: no flag but `saturated`. */
  readonly usable: boolean;
}

/** What a finder has learnt. Lengths in pixels. */
export interface EdgeFinderSummary {
  readonly darkSide: "low" | "high";
  readonly widthPx: number;
  /** Distance over which lost light comes back to 1/e; Infinity where it does not. */
  readonly recoveryPx: number;
  readonly fringePeriodsPx: readonly number[];
  /** Lines of the image that the edge is taken from: rows, or columns where time runs along the rows. */
  readonly lines: readonly [start: number, end: number];
  /** Scatter of a bin of the profile, relative, and pixels in a bin. */
  readonly noise: number;
  readonly binPx: number;
  readonly laserOnlyShots: number;
  /** Shots with X-rays whose edge was sure enough to learn from. */
  readonly edges: number;
}

/** A finder as JSON; arrays are base64 of little-endian float32. */
export interface EdgeFinderState {
  readonly version: 1;
  readonly options: EdgeFinderOptions;
  readonly layout: StripLayout;
  readonly full: number | null;
  readonly background: string;
  readonly weights: readonly number[];
  readonly darkSide: "low" | "high";
  readonly sigma: number;
  readonly tau: number | null;
  readonly root: string;
  readonly basis: readonly string[];
  readonly excess: { readonly step: number; readonly position: number };
  /** rms of the edges' ln σ; null where it is not known. */
  readonly widthScatter?: number | null;
  readonly fringes: readonly number[];
  readonly edges: number;
  readonly laserOnly: number;
}

const LEAST_SIGNIFICANCE = 6;
const WEAK_SIGNIFICANCE = 9;

/**
 * Finds the edge on images of the timing monitor: how early or late the X-rays came at each shot.
 *
 * The profile over the mean laser-only profile is described by an edge, slopes, the fringes whose phase drifts and
 * what else the laser-only shots have in common, all fitted together. Dividing by the background alone leaves the
 * drifting fringes, which are steeper than an edge of 5 %.
 *
 * @example
 * const finder = EdgeFinder.learn(samples);
 * const { fittingPx, errorPx, usable } = finder.find(image);
 */
export class EdgeFinder {
  readonly options: EdgeFinderOptions;
  readonly #layout: StripLayout;
  readonly #full: number;
  readonly #learnt: Learnt;
  readonly #fitter: EdgeFitter;
  readonly #wanted: Uint8Array;
  readonly #keep: number;
  #profiler: Profiler;
  #pictures: PictureProfiler | undefined;
  #laserOnly: number;

  private constructor(options: EdgeFinderOptions, layout: StripLayout, full: number, learnt: Learnt, shots: number) {
    this.options = options;
    this.#layout = layout;
    this.#full = full;
    this.#learnt = learnt;
    this.#fitter = new EdgeFitter(learnt.model);
    this.#profiler = learnt.profiler;
    this.#wanted = Uint8Array.from(learnt.profiler.weights, (weight) => (weight > 0 ? 1 : 0));
    this.#keep = options.backgroundShots ?? DEFAULT_BACKGROUND;
    this.#laserOnly = shots;
  }

  /**
   * Learns from shots of both kinds; 20 and more with X-rays and 8 and more without are enough. Images are not kept.
   * @throws NO_LASER_ONLY when no shot came without X-rays
   * @throws BAD_ARGUMENT when images differ in shape, or the region does not lie in them
   */
  static learn(samples: Iterable<EdgeSample>, options: EdgeFinderOptions = {}): EdgeFinder {
    const { axis, roi, pedestal, fullScale, widthPx, darkSide } = checkFinderOptions(options);
    const laserOnly: Strip[] = [];
    const xrays: Strip[] = [];
    let layout: StripLayout | undefined;
    let full = fullScale ?? Infinity;
    for (const { image, xrays: isOn } of samples) {
      if (layout === undefined) {
        const [rows, columns] = shapeOf("image of the timing monitor", image);
        layout = layoutFor([rows, columns], axis, roi, binFor(image, axis, roi, widthPx));
      }
      if (fullScale === undefined) full = Math.min(full, fullScaleOf(image, layout));
      (isOn ? xrays : laserOnly).push(stripOf(image, layout, pedestal, full));
    }
    if (layout === undefined) throw noLaserOnly();
    // Pictures without the timing laser teach nothing.
    const bright = [...laserOnly, ...xrays].map(lightOf).toSorted((a, b) => a - b);
    const least = DARK * (bright[bright.length >> 1] ?? 0);
    const isLit = (strip: Strip): boolean => lightOf(strip) >= least;
    const sigma = widthPx === undefined ? undefined : widthPx / layout.bin;
    const learnt = learn({ layout, laserOnly: laserOnly.filter(isLit), xrays: xrays.filter(isLit), sigma, darkSide });
    return new EdgeFinder(options, layout, full, learnt, laserOnly.length);
  }

  /** The edge on the image of a shot with X-rays. @throws BAD_ARGUMENT when it has another shape */
  find(image: RawImage): FoundEdge {
    checkPictureShape(image, this.#layout);
    const { fullScale, pedestal = 0 } = this.options;
    this.#pictures ??= new PictureProfiler(this.#profiler);
    const profile = this.#pictures.profile(image, pedestal, fullScale ?? this.#full);
    if (profile !== undefined) return this.#findOn(profile, false);
    const full = fullScale ?? Math.min(this.#full, fullScaleOf(image, this.#layout));
    const strip = stripOf(image, this.#layout, pedestal, full, this.#wanted);
    return this.#findOn(stripProfile(strip, this.#profiler), strip.saturated > 0);
  }

  #findOn({ values, lost, gaps }: Profile, saturated: boolean): FoundEdge {
    if (lost > MOST_LOST) return { ...NOTHING, flags: ["no-edge", "saturated"] };
    if (!(meanOf(values) >= DARK)) return { ...NOTHING, flags: ["no-laser"] };
    const fit = this.#fitter.fit(values, gaps);
    if (fit.edge !== undefined && hasGap(gaps, fit.edge.at, CARRIES * fit.edge.sigma))
      return { ...NOTHING, flags: ["no-edge", "saturated"] };
    return this.#describe(fit, saturated);
  }

  /** Takes the image of a laser-only shot into the background: a mean that follows slow changes. */
  addLaserOnly(image: RawImage): void {
    const full = this.options.fullScale ?? Math.min(this.#full, fullScaleOf(image, this.#layout));
    const { values, saturated } = stripOf(image, this.#layout, this.options.pedestal ?? 0, full, this.#wanted);
    if (saturated > 0) return;
    const background = this.#profiler.background.slice();
    const { bins } = this.#layout;
    let [now, before] = [0, 0];
    this.#wanted.forEach((wanted, band) => {
      if (wanted === 0) return;
      for (let k = band * bins; k < (band + 1) * bins; k++) {
        now += values[k] ?? 0;
        before += background[k] ?? 0;
      }
    });
    if (!(now > DARK * before)) return;
    this.#laserOnly = Math.min(this.#laserOnly + 1, this.#keep);
    const share = 1 / this.#laserOnly;
    this.#wanted.forEach((wanted, band) => {
      if (wanted === 0) return;
      for (let k = band * bins; k < (band + 1) * bins; k++) {
        const old = background[k] ?? 0;
        background[k] = old + share * (((values[k] ?? 0) * before) / now - old);
      }
    });
    this.#profiler = { ...this.#profiler, background };
    this.#pictures?.setBackground(background);
  }

  /** What it has learnt, to be kept: `EdgeFinder.fromJSON` makes the same finder of it. */
  toJSON(): EdgeFinderState {
    const { model, fringes, edges } = this.#learnt;
    return {
      version: 1,
      options: this.options,
      layout: this.#layout,
      full: this.#full === Infinity ? null : this.#full,
      background: encode(this.#profiler.background),
      weights: [...this.#profiler.weights],
      darkSide: this.#profiler.darkSide,
      sigma: model.shape.sigma,
      tau: model.shape.tau === Infinity ? null : model.shape.tau,
      root: encode(Float32Array.from(model.root)),
      basis: model.basis.map((vector) => encode(Float32Array.from(vector))),
      excess: model.excess,
      widthScatter: model.widthScatter === Infinity ? null : model.widthScatter,
      fringes: fringes.map(({ frequency }) => frequency),
      edges,
      laserOnly: this.#laserOnly,
    };
  }

  /** @throws BAD_ARGUMENT when it is not what `toJSON` gave */
  static fromJSON(state: EdgeFinderState): EdgeFinder {
    if (state.version !== 1) throw badArgument("state of an EdgeFinder", state.version, "version 1");
    const model = {
      shape: { sigma: state.sigma, tau: state.tau ?? Infinity },
      root: Float64Array.from(decode(state.root)),
      basis: orthonormal(state.basis.map((text) => Float64Array.from(decode(text)))),
      excess: state.excess,
      widthScatter: state.widthScatter ?? Infinity,
    };
    const profiler = {
      layout: state.layout,
      background: decode(state.background),
      weights: Float64Array.from(state.weights),
      darkSide: state.darkSide,
    };
    const fringes = state.fringes.map((frequency) => ({ frequency, chirp: 0 }));
    const learnt = { profiler, model, fringes, edges: state.edges };
    return new EdgeFinder(state.options, state.layout, state.full ?? Infinity, learnt, state.laserOnly);
  }

  get summary(): EdgeFinderSummary {
    const { model, fringes, edges, profiler } = this.#learnt;
    const { bin, linesPerBand, axis, roi } = this.#layout;
    const first = this.#wanted.indexOf(1);
    const last = this.#wanted.lastIndexOf(1);
    const [start, end] = axis === "columns" ? roi.rows : roi.columns;
    const roots = model.root.toSorted();
    return {
      darkSide: profiler.darkSide,
      widthPx: model.shape.sigma * bin,
      recoveryPx: model.shape.tau * bin,
      fringePeriodsPx: fringes.map(({ frequency }) => bin / frequency),
      lines: [start + first * linesPerBand, Math.min(end, start + (last + 1) * linesPerBand)],
      noise: 1 / (roots[roots.length >> 1] ?? NaN),
      binPx: bin,
      laserOnlyShots: this.#laserOnly,
      edges,
    };
  }

  #describe({ edge, second, derivativeAt, excess }: ProfileFit, saturated: boolean): FoundEdge {
    const warn: EdgeFlag[] = saturated ? ["saturated"] : [];
    if (edge === undefined || !(edge.significance >= LEAST_SIGNIFICANCE) || !(edge.depth > 0))
      return { ...NOTHING, significance: edge?.significance ?? 0, flags: ["no-edge", ...warn] };
    const { bin } = this.#layout;
    const { model } = this.#learnt;
    const { sigma } = model.shape;
    const flags: EdgeFlag[] = [];
    if (edge.significance < WEAK_SIGNIFICANCE || edge.error > sigma) flags.push("weak");
    if (edge.sigma < 0.5 * sigma || edge.sigma > 2 * sigma) flags.push("width");
    const differ = Math.abs(derivativeAt - edge.at) > Math.max(2 * sigma, 12 * edge.error);
    // A deep edge that is not where the profile is steepest: there are two steep places.
    if (second !== undefined || (differ && edge.significance > PLAIN)) flags.push("second-edge");
    if (differ) flags.push("estimators");
    if (excess.position > POOR * model.excess.position) flags.push("poor-fit");
    return {
      derivativePx: Math.round(10 * this.#pixel(derivativeAt)) / 10,
      fittingPx: this.#pixel(edge.at),
      errorPx: edge.error * bin,
      depth: edge.depth,
      depthError: edge.depthError,
      widthPx: edge.sigma * bin,
      significance: edge.significance,
      secondPx: second === undefined ? NaN : this.#pixel(second.at),
      secondDepth: second?.depth ?? NaN,
      flags: [...flags, ...warn],
      usable: flags.length === 0,
    };
  }

  #pixel(at: number): number {
    const { darkSide } = this.#profiler;
    return pixelOf(this.#layout, darkSide === "high" ? this.#layout.bins - 1 - at : at);
  }
}

/** A picture with less than this part of the usual light is one without the timing laser. */
const DARK = 0.2;
const DEFAULT_BACKGROUND = 60;
const MOST_LOST = 0.2;
/** σ on either side of an edge that carry its position: with a gap there is none. */
const CARRIES = 2;
const PLAIN = 30;
const POOR = 2.5;

const NOTHING: FoundEdge = {
  derivativePx: NaN,
  fittingPx: NaN,
  errorPx: NaN,
  depth: 0,
  depthError: NaN,
  widthPx: NaN,
  significance: 0,
  secondPx: NaN,
  secondDepth: NaN,
  flags: ["no-edge"],
  usable: false,
};

function checkFinderOptions(options: EdgeFinderOptions) {
  return resolveOptions("EdgeFinder", options, {
    axis: optional(oneOf("columns", "rows"), "columns"),
    roi: any,
    pedestal: optional(finite(), 0),
    fullScale: optional(finite(1)),
    widthPx: optional(finite(0.5)),
    darkSide: optional(oneOf("low", "high")),
    backgroundShots: optional(integer(1), DEFAULT_BACKGROUND),
  });
}

/** Bins of a fifth of an edge, or of what 500 and more of them on the picture leave. */
function binFor(image: RawImage, axis: "columns" | "rows", roi: Roi | undefined, widthPx: number | undefined): number {
  if (widthPx !== undefined) return Math.max(1, Math.floor(widthPx / 4));
  const [rows, columns] = shapeOf("image of the timing monitor", image);
  const [start, end] = (axis === "columns" ? roi?.columns : roi?.rows) ?? [0, axis === "columns" ? columns : rows];
  return Math.max(1, Math.floor((end - start) / 500));
}

function encode(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

function decode(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return new Float32Array(bytes.buffer);
}

function lightOf({ values }: Strip): number {
  return meanOf(values);
}

/** Mean of the numbers that are there. */
function meanOf(values: Float32Array | Float64Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

function noLaserOnly(): SaclaError {
  return new SaclaError("NO_LASER_ONLY", "No shot with the timing laser and without X-rays: there is no background.");
}
