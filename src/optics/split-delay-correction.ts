import { badArgument, isRecord } from "../core/guards.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { dot, inverseOf, normalOf, solveRows } from "../core/solve-rows.ts";

/** How far one axis has to stand from where the geometry says, as a series in the gap of BR1 and BR2. */
export interface AxisCorrection {
  /** In powers of (gap − middle) / half, in the unit of the axis: degrees or mm. */
  readonly coefficients: readonly number[];
  /** Their covariance. */
  readonly covariance: readonly (readonly number[])[];
  /** χ² per degree of freedom; NaN when there is none left. */
  readonly reducedChiSquare: number;
}

/**
 * What was learnt of split-delay optics, as JSON that can be stored. Errors of stages belong to the place where they
 * stand, so it is kept against the gap and holds at other photon energies too.
 */
export interface SplitDelayCorrection {
  readonly kind: "split-delay-correction";
  readonly learntAt: string;
  readonly photonEnergyEv: number;
  /** Gaps from the smallest to the largest that was learnt, mm. */
  readonly gapMm: readonly [from: number, to: number];
  readonly axes: Readonly<Record<string, AxisCorrection>>;
  /** What the gap of both has to be larger by, mm, so that a delay of 0 is 0; see `zeroDelayFrom`. */
  readonly gapZeroMm: Readonly<Record<string, { readonly offset: number; readonly error: number }>>;
}

/** How far axes were off at one gap, with their errors: from rocking curves, or beam positions. */
export interface SplitDelayPoint {
  readonly gapMm: number;
  readonly offsets: Readonly<Record<string, { readonly offset: number; readonly error: number }>>;
}

/**
 * A correction from a scan of the delay: for each axis a series in the gap, of `degree` at most (2 by default), and of
 * less where there are not so many points and one more.
 * @throws BAD_ARGUMENT when there is no point, or an error is not above 0
 * @example
 * const correction = learnSplitDelayCorrection({ photonEnergyEv: 10_000, points, learntAt: "2026-11-29T12:00+09:00" });
 */
export function learnSplitDelayCorrection(options: {
  readonly photonEnergyEv: number;
  readonly points: readonly SplitDelayPoint[];
  readonly learntAt: string;
  readonly degree?: number | undefined;
}): SplitDelayCorrection {
  const { photonEnergyEv, degree } = resolveOptions("learnSplitDelayCorrection", options, {
    photonEnergyEv: finite(0),
    points: any,
    learntAt: any,
    degree: optional(integer(0, 5), 2),
  });
  const { points, learntAt } = options;
  if (points.length === 0) throw badArgument("points", points, "at least one");
  const gaps = points.map(({ gapMm }) => gapMm);
  const gapMm = [Math.min(...gaps), Math.max(...gaps)] as const;
  const names = [...new Set(points.flatMap(({ offsets }) => Object.keys(offsets)))];
  const fitOf = (axis: string): AxisCorrection => {
    const own = points.flatMap(({ gapMm: at, offsets }) => {
      const found = offsets[axis];
      return found === undefined ? [] : [{ at, ...found }];
    });
    for (const { error } of own) if (!(error > 0)) throw badArgument(`error of ${axis}`, error, "above 0");
    const terms = Math.min(degree, new Set(own.map(({ at }) => at)).size - 1) + 1;
    const rows = own.map(({ at, error }) => powers(gapMm, at, terms).map((power) => power / error));
    const right = own.map(({ offset, error }) => offset / error);
    const coefficients = solveRows(rows, right);
    const covariance = inverseOf(normalOf(rows));
    if (coefficients === undefined || covariance === undefined)
      throw badArgument(`points of ${axis}`, own.length, `enough for ${terms} terms`);
    const square = rows.reduce((sum, row, i) => sum + (dot(row, coefficients) - (right[i] ?? NaN)) ** 2, 0);
    const freedom = own.length - terms;
    const reducedChiSquare = freedom > 0 ? square / freedom : NaN;
    // Points that scatter more than their errors say: as much larger are the errors of the series.
    const scale = Math.max(1, freedom > 0 ? reducedChiSquare : 1);
    return { coefficients, covariance: covariance.map((row) => row.map((value) => value * scale)), reducedChiSquare };
  };
  return {
    kind: "split-delay-correction",
    learntAt,
    photonEnergyEv,
    gapMm,
    axes: Object.fromEntries(names.map((axis) => [axis, fitOf(axis)])),
    gapZeroMm: {},
  };
}

/** Crystals in the order of the light, by branch. */
const branches = [
  ["bs", "br1", "br2", "bm"],
  ["cc1", "cc2"],
] as const;

/**
 * What the rocking curve of each crystal inherits of the errors of those before it in its branch, which let it see the
 * light: that stands in the middle of their bands, and the first one is what all are compared with.
 * @param own - errors of the crystals that were rocked, by the names of their axes; 0 for the others
 * @returns by the names of all angles, without the own error
 */
export function inheritedErrors(
  axes: Readonly<Record<(typeof branches)[number][number], string>>,
  own: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const branch of branches) {
    // How far each crystal is off, as a sum of parts of the own errors.
    const before: Map<string, number>[] = [];
    for (const axis of branch.map((crystal) => axes[crystal])) {
      const parts = new Map<string, number>();
      for (const other of before)
        for (const [of, part] of other) parts.set(of, (parts.get(of) ?? 0) + part / before.length);
      found[axis] = Math.hypot(...[...parts].map(([of, part]) => part * (own[of] ?? 0)));
      before.push(before.length === 0 ? parts : parts.set(axis, 1));
    }
  }
  return found;
}

/**
 * What was found of each axis, with errors that hold what a crystal inherits of those before it.
 * @param own - errors of the crystals that were rocked, by the names of their axes; 0 for the others
 */
export function withInheritedErrors<T extends { readonly error: number }>(
  axes: Parameters<typeof inheritedErrors>[0],
  own: Readonly<Record<string, number>>,
  found: Readonly<Record<string, T>>,
): Record<string, T> {
  const inherited = inheritedErrors(axes, own);
  const each = Object.entries(found).map(([axis, of]) => {
    return [axis, { ...of, error: Math.hypot(of.error, inherited[axis] ?? 0) }] as const;
  });
  return Object.fromEntries(each);
}

/** Where the delay of split-delay optics is 0, as a scan of the delay found it. */
export interface ZeroDelay {
  /** The delay that was asked for there. */
  readonly atPs: number;
  readonly errorPs: number;
  readonly mmPerPs: number;
  readonly photonEnergyEv: number;
  readonly learntAt: string;
}

/**
 * A correction that also knows where the delay is 0.
 * @param before - what was known when the delay was scanned; undefined: nothing
 * @param gapAxes - names of the two gaps
 * @throws BAD_ARGUMENT
 */
export function withZeroDelay(
  before: SplitDelayCorrection | undefined,
  gapAxes: readonly string[],
  zero: ZeroDelay,
): SplitDelayCorrection {
  const { atPs, errorPs, mmPerPs, photonEnergyEv } = resolveOptions("withZeroDelay", zero, {
    atPs: finite(),
    errorPs: finite(0),
    mmPerPs: finite(),
    photonEnergyEv: finite(0),
    learntAt: any,
  });
  const { learntAt } = zero;
  const known = before ?? { kind: "split-delay-correction", learntAt, photonEnergyEv, gapMm: [0, 0], axes: {} };
  const moved = gapAxes.map((axis) => {
    const offset = (before?.gapZeroMm[axis]?.offset ?? 0) + atPs * mmPerPs;
    return [axis, { offset, error: errorPs * mmPerPs }] as const;
  });
  return { ...known, learntAt, gapZeroMm: { ...before?.gapZeroMm, ...Object.fromEntries(moved) } };
}

/**
 * The correction of split-delay optics after axes were moved by so much from where it had them at delay 0.
 * @param changes - by the names of the axes, degrees or mm, with their errors
 * @throws BAD_ARGUMENT when an error is not above 0
 */
export function withAlignment(
  optics: {
    readonly axes: { readonly br1Gap: string; readonly br2Gap: string };
    readonly channelGapMm: number;
    readonly correction: SplitDelayCorrection | undefined;
  },
  changes: Readonly<Record<string, { readonly change: number; readonly error: number }>>,
  learnt: { readonly photonEnergyEv: number; readonly learntAt: string },
): SplitDelayCorrection {
  const { axes, channelGapMm, correction } = optics;
  const gapMm = [channelGapMm, channelGapMm] as const;
  const known = correction ?? { kind: "split-delay-correction", gapMm, axes: {}, gapZeroMm: {}, ...learnt };
  const [angles, gaps] = [{ ...known.axes }, { ...known.gapZeroMm }];
  for (const [axis, { change, error }] of Object.entries(changes)) {
    if (!(error > 0)) throw badArgument(`error of ${axis}`, error, "above 0");
    if (axis === axes.br1Gap || axis === axes.br2Gap) {
      gaps[axis] = { offset: (gaps[axis]?.offset ?? 0) + change, error };
      continue;
    }
    const { coefficients, covariance, reducedChiSquare } = angles[axis] ?? none;
    const [[variance = 0, ...mixed] = [], ...rows] = covariance;
    // What was known of the constant term alone is replaced.
    const all = (mixed.length === 0 ? 0 : variance) + error ** 2;
    const [constant = 0, ...others] = coefficients;
    angles[axis] = {
      coefficients: [constant + change, ...others],
      covariance: [[all, ...mixed], ...rows],
      reducedChiSquare,
    };
  }
  return { ...known, ...learnt, axes: angles, gapZeroMm: gaps };
}

const none: AxisCorrection = { coefficients: [], covariance: [], reducedChiSquare: NaN };

/**
 * How far each axis has to stand from where the geometry says, with the error of that.
 * @param beyond - what to do outside of the gaps that were learnt. @default "refuse"
 * @throws BAD_ARGUMENT outside of them
 */
export function offsetsAt(
  { gapMm, axes, gapZeroMm }: SplitDelayCorrection,
  gap: number,
  beyond: "refuse" | "nearest" = "refuse",
): Readonly<Record<string, { readonly offset: number; readonly error: number }>> {
  const [from, to] = gapMm;
  // Axes of one term hold everywhere.
  const varies = Object.values(axes).some(({ coefficients }) => coefficients.length > 1);
  const slack = 0.02 * (to - from) + 1e-6;
  if (beyond === "refuse" && varies && !(gap >= from - slack && gap <= to + slack))
    throw badArgument(
      "gap",
      `${gap.toFixed(4)} mm`,
      `from ${from.toFixed(4)} to ${to.toFixed(4)} mm, where the correction was learnt; learn it there too, or leave ` +
        "it out",
    );
  const at = Math.min(to, Math.max(from, gap));
  const found: Record<string, { offset: number; error: number }> = { ...gapZeroMm };
  for (const [axis, { coefficients, covariance }] of Object.entries(axes)) {
    const terms = powers(gapMm, at, coefficients.length);
    const variance = dot(
      terms,
      covariance.map((row) => dot(row, terms)),
    );
    const zero = gapZeroMm[axis] ?? { offset: 0, error: 0 };
    found[axis] = {
      offset: zero.offset + dot(terms, coefficients),
      error: Math.hypot(zero.error, Math.sqrt(variance)),
    };
  }
  return found;
}

/**
 * A stored correction, checked.
 * @throws BAD_ARGUMENT when it is none
 */
export function asSplitDelayCorrection(value: unknown): SplitDelayCorrection {
  const isOne =
    isRecord(value) &&
    value["kind"] === "split-delay-correction" &&
    isRecord(value["axes"]) &&
    isRecord(value["gapZeroMm"]) &&
    Array.isArray(value["gapMm"]) &&
    value["gapMm"].every(Number.isFinite) &&
    Object.values(value["axes"]).every(
      (axis) => isRecord(axis) && [axis["coefficients"], axis["covariance"]].every(Array.isArray),
    );
  if (!isOne) throw badArgument("correction", value, "what learnSplitDelayCorrection has made");
  return value as unknown as SplitDelayCorrection;
}

function powers([from, to]: readonly [number, number], at: number, count: number): number[] {
  const half = (to - from) / 2 || 1;
  const u = (at - (from + to) / 2) / half;
  return Array.from({ length: count }, (_, k) => u ** k);
}
