import type { Basis } from "./drift.ts";
import type { EdgeShape } from "./template.ts";

/** What a fit needs to know of the monitor. */
export interface EdgeModel {
  readonly shape: EdgeShape;
  /** Root of 1/variance of the profile in each bin. */
  readonly root: Float64Array;
  readonly basis: Basis;
  /** How much larger than white noise says are the scatter of a step's height, and that of its position. */
  readonly excess: { readonly step: number; readonly position: number };
  /**
   * rms of ln σ over the edges: what one that is wider than the others has against it. Infinity: not known, and no
   * wide edge is taken for two.
   */
  readonly widthScatter: number;
}

/** One edge of a profile. Positions and widths in bins. */
interface FittedEdge {
  readonly at: number;
  readonly error: number;
  readonly depth: number;
  readonly depthError: number;
  readonly sigma: number;
  /** Height of the step over its error, in a search over all positions. */
  readonly significance: number;
}

export interface ProfileFit {
  /** The deepest edge; undefined where there is none. */
  readonly edge: FittedEdge | undefined;
  readonly derivativeAt: number;
  readonly second: { readonly at: number; readonly depth: number; readonly significance: number } | undefined;
  /** What no edge and no drift describes, in units of noise; it is used again by the next fit. */
  readonly residual: Float64Array;
  /** Excess of this profile's scatter over white noise, as {@link EdgeModel.excess}. */
  readonly excess: { readonly step: number; readonly position: number };
}
