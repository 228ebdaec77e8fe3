import { asFinite, asText, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import type { Shot } from "../../core/shots.ts";

/** A number of each shot that is worked out from its signals. */
export interface ShotValue {
  /** 0-D signals it reads. */
  readonly signals: readonly string[];
  /** The number, or in a word why there is none. */
  read(shot: Shot): number | string;
}

interface AxisBase {
  /** Stands in the reasons of the ledger and names the axis's own number: `delay` gives `delay-below`. */
  readonly name: string;
  /** An equipment id, or a number worked out from several, such as {@link correctedDelay}. */
  readonly of: string | ShotValue;
}

/** Bins between edges, for fly scans: [edge, next edge), the last one closed, as `numpy.histogram`. */
export interface EdgesAxis extends AxisBase {
  /** Ascending. */
  readonly edges: readonly number[];
}

/** Bins of equal width between two ends, as {@link EdgesAxis}. */
export interface RangeAxis extends AxisBase {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** Bins around the positions of a step scan: the nearest target, if it is not further than the tolerance. */
export interface TargetsAxis extends AxisBase {
  readonly targets: readonly number[];
  readonly tolerance: number;
}

/** A scan variable and how it is binned. */
export type CubeAxis = EdgesAxis | RangeAxis | TargetsAxis;

const MOST_BINS = 1_000_000;

/** An axis ready for use. */
export class BinAxis {
  readonly name: string;
  readonly signals: readonly string[];
  /** Ascending; null for targets. */
  readonly edges: Float64Array | null;
  /** Middles of the bins, or the targets; ascending. */
  readonly centres: Float64Array;
  /** For targets, how near is near; else 0. */
  readonly tolerance: number;
  readonly #of: string | ShotValue;

  /** @throws BAD_ARGUMENT when it does not make bins */
  constructor(axis: CubeAxis) {
    this.name = asText("the name of an axis", axis.name);
    this.#of = axis.of;
    this.signals = typeof axis.of === "string" ? [asText(`of of axis ${axis.name}`, axis.of)] : axis.of.signals;
    if ("targets" in axis) {
      resolveOptions(`axis ${axis.name}`, axis, { name: any, of: any, targets: any, tolerance: any });
      this.edges = null;
      this.tolerance = asFinite(`tolerance of axis ${axis.name}`, axis.tolerance, 0);
      this.centres = Float64Array.from(axis.targets).sort();
      checkAscending(`targets of axis ${axis.name}`, this.centres, 1);
    } else {
      this.edges = "edges" in axis ? givenEdges(axis) : evenEdges(axis);
      checkAscending(`edges of axis ${axis.name}`, this.edges, 2);
      this.tolerance = 0;
      this.centres = this.edges.slice(1).map((edge, i) => (edge + (this.edges?.[i] ?? NaN)) / 2);
    }
  }

  get bins(): number {
    return this.centres.length;
  }

  /** The number of a shot, or why it has none. */
  read(shot: Shot): number | string {
    if (typeof this.#of !== "string") {
      const value = this.#of.read(shot);
      return Number.isNaN(value) ? "missing" : value;
    }
    const value = shot.value(this.#of);
    if ("reason" in value) return value.reason;
    return Number.isNaN(value.value) ? "missing" : value.value;
  }

  /** The bin of a number, or why it has none: `below` and `above` the range, `off-target` between two targets. */
  binOf(x: number): number | "below" | "above" | "off-target" {
    return this.edges === null ? this.#nearest(x) : findBetween(this.edges, x);
  }

  #nearest(x: number): number | "below" | "above" | "off-target" {
    const { centres, tolerance } = this;
    const after = countUpTo(centres, x);
    // Of two targets equally near, the lower one.
    const bin = x - (centres[after - 1] ?? -Infinity) <= (centres[after] ?? Infinity) - x ? after - 1 : after;
    if (Math.abs(x - (centres[bin] ?? NaN)) <= tolerance) return bin;
    if (after === 0) return "below";
    return after === centres.length ? "above" : "off-target";
  }
}

function givenEdges(axis: EdgesAxis): Float64Array {
  resolveOptions(`axis ${axis.name}`, axis, { name: any, of: any, edges: any });
  return Float64Array.from(axis.edges);
}

function evenEdges(axis: RangeAxis): Float64Array {
  const { name, from, to, step } = resolveOptions(`axis ${axis.name}`, axis, {
    name: any,
    of: any,
    from: any,
    to: any,
    step: any,
  });
  asFinite(`from of axis ${name}`, from);
  asFinite(`to of axis ${name}`, to);
  asFinite(`step of axis ${name}`, step, Number.MIN_VALUE);
  const bins = Math.round((to - from) / step);
  if (bins < 1 || bins > MOST_BINS || Math.abs(bins * step - (to - from)) > 1e-6 * step) {
    throw badArgument(
      `step of axis ${name}`,
      step,
      `one that divides ${from} to ${to} into 1 to ${MOST_BINS} whole steps`,
    );
  }
  return Float64Array.from({ length: bins + 1 }, (_, i) => from + i * step);
}

function checkAscending(what: string, values: Float64Array, least: number): void {
  const rises = values.every((value, i) => Number.isFinite(value) && (i === 0 || value > (values[i - 1] ?? NaN)));
  if (!rises || values.length < least)
    throw badArgument(what, Array.from(values), `${least} or more finite numbers, ascending, each once`);
}

function findBetween(edges: Float64Array, x: number): number | "below" | "above" {
  const last = edges.length - 1;
  if (x < (edges[0] ?? NaN)) return "below";
  if (x > (edges[last] ?? NaN)) return "above";
  return Math.min(last, countUpTo(edges, x)) - 1;
}

/** How many of the ascending values are not above x. */
function countUpTo(values: Float64Array, x: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? NaN) <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The positions at which a step scan stood, from the readings of its stage: readings that follow one another within the
 * tolerance are one position, and the middle one (median) stands for it. Readings of a moving stage give positions of
 * their own, so look at them before using them as targets.
 * @param readings - in any order; NaN is left out
 * @returns ascending
 * @example
 * const stage = await run.column("xfel_bl_3_st_2_motor_1/position");
 * const targets = scanTargets(stage.values, 5);
 */
export function scanTargets(readings: ArrayLike<number>, tolerance: number): number[] {
  asFinite("tolerance", tolerance, 0);
  const sorted = Float64Array.from(readings).filter(Number.isFinite).sort();
  const targets: number[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && (sorted[end] ?? NaN) - (sorted[end - 1] ?? NaN) <= tolerance) end++;
    targets.push(sorted[(start + end - 1) >> 1] ?? NaN);
    start = end;
  }
  return targets;
}
