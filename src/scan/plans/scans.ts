import { asFinite, asInteger, asText, badArgument } from "../../core/guards.ts";
import { any, finite, flag, integer, optional, resolveOptions } from "../../core/options.ts";
import { type Plan, type PlanSteps, type Positions, plan } from "../messages/messages.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { andReturn, relative } from "./wrappers.ts";

/** Takes shots where everything is, `times` times. @example count({ shots: 60 }) */
export function count(options: PointOptions & { readonly times?: number | undefined }): Plan {
  const { times } = resolveOptions("count", options, { times: optional(integer(1), 1), ...pointChecks });
  return plan("count", { ...options }, function* () {
    for (let i = 0; i < times; i++) yield* measurePoint({}, options, { index: i });
  });
}

export interface ScanOptions extends PointOptions {
  readonly axis: string;
  /** The axis goes back to where it was when all is over. @default true */
  readonly andReturn?: boolean | undefined;
}

/** The checks of {@link ScanOptions}, for `resolveOptions`. */
export const scanChecks = { axis: asText, andReturn: optional(flag), ...pointChecks };

/** Equal steps from one position to another, both included. */
export interface EqualSteps {
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

/** The checks of {@link EqualSteps}, for `resolveOptions`. */
export const stepChecks = { from: finite(), to: finite(), points: integer(1, 1_000_000) };

/** Positions of {@link EqualSteps}; the last one exactly. */
export function equalSteps({ from, to, points }: EqualSteps): number[] {
  asFinite("from", from);
  asFinite("to", to);
  asInteger("points", points, 1, 1_000_000);
  return Array.from({ length: points }, (_, i) =>
    i === 0 ? from : i === points - 1 ? to : from + ((to - from) * i) / (points - 1),
  );
}

/**
 * A step scan of one axis.
 * @example
 * scan({ axis: "delay", from: -1, to: 4, points: 26, shots: { count: 60, signals: [diode] }, shutter: "main" })
 */
export function scan(options: ScanOptions & EqualSteps): Plan {
  resolveOptions("scan", options, { ...scanChecks, ...stepChecks });
  return overList("scan", options, equalSteps(options));
}

/** As {@link scan}, from and to counted from where the axis is; it goes back afterwards. */
export function scanRelative(options: Omit<ScanOptions, "andReturn"> & EqualSteps): Plan {
  const { axis } = resolveOptions("scanRelative", options, { axis: asText, ...pointChecks, ...stepChecks });
  const offsets = equalSteps(options);
  return plan("scan-relative", { ...options }, () =>
    relative([axis], function* (now) {
      for (const offset of offsets) yield* measurePoint({ [axis]: (now[axis] ?? NaN) + offset }, options);
    }),
  );
}

/** Given positions, in the order given. */
export function scanList(options: ScanOptions & { readonly positions: readonly number[] }): Plan {
  resolveOptions("scanList", options, { positions: any, ...scanChecks });
  return overList("scan-list", options, options.positions);
}

/** Steps that grow by a constant factor: from and to have the same sign and are not 0. */
export function scanLog(options: ScanOptions & EqualSteps): Plan {
  const checks = { ...scanChecks, ...stepChecks, points: integer(2, 1_000_000) };
  const { from, to, points } = resolveOptions("scanLog", options, checks);
  if (!(from * to > 0))
    throw badArgument("from and to of a logarithmic scan", [from, to], "both above 0 or both below");
  const factor = to / from;
  return overList(
    "scan-log",
    options,
    Array.from({ length: points }, (_, i) => (i === points - 1 ? to : from * factor ** (i / (points - 1)))),
  );
}

/** A piece of a scan with a step of its own. */
export interface ScanRegion {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

const regionChecks = { from: finite(), to: finite(), step: finite(Number.MIN_VALUE) };

/**
 * Positions of regions one after the other; where one ends as the next begins there is one point.
 * @throws BAD_ARGUMENT
 */
export function regionPositions(regions: readonly ScanRegion[]): number[] {
  const all: number[] = [];
  for (const region of regions) {
    const { from, to, step } = resolveOptions("region", region, regionChecks);
    const steps = Math.round(Math.abs(to - from) / step);
    if (Math.abs(steps * step - Math.abs(to - from)) > 1e-6 * step)
      throw badArgument("step", step, `one that divides ${from} to ${to} into whole steps`);
    for (const position of equalSteps({ from, to, points: steps + 1 })) {
      const last = all.at(-1);
      if (last === undefined || Math.abs(position - last) > 1e-6 * step) all.push(position);
    }
  }
  return all;
}

/** Piecewise steps, as for a delay scan that is fine around t0 or for an absorption edge. */
export function scanRegions(options: ScanOptions & { readonly regions: readonly ScanRegion[] }): Plan {
  resolveOptions("scanRegions", options, { regions: any, ...scanChecks });
  return overList("scan-regions", options, regionPositions(options.regions));
}

/** Points of several axes, such as those of RunControlGUI's custom scan file; see `parseScanFile`. */
export function scanPoints(
  options: PointOptions & { readonly points: readonly Positions[]; readonly andReturn?: boolean | undefined },
): Plan {
  const { points } = resolveOptions("scanPoints", options, { points: any, andReturn: optional(flag), ...pointChecks });
  const axes = Object.keys(points[0] ?? {});
  if (points.length === 0) throw badArgument("points", points, "at least one");
  for (const each of points)
    if (Object.keys(each).join() !== axes.join())
      throw badArgument("a point", each, `one with the axes ${axes.join(", ")}`);
  function* steps(): PlanSteps {
    for (const to of points) yield* measurePoint(to, options);
  }
  return plan("scan-points", { ...options }, () => (options.andReturn === false ? steps() : andReturn(axes, steps())));
}

function overList(name: string, options: ScanOptions, positions: readonly number[]): Plan {
  const { axis } = options;
  if (positions.length === 0) throw badArgument("positions", positions, "at least one");
  for (const position of positions) asFinite(`position of ${axis}`, position);
  function* steps(): PlanSteps {
    for (const position of positions) yield* measurePoint({ [axis]: position }, options);
  }
  return plan(name, { ...options }, () => (options.andReturn === false ? steps() : andReturn([axis], steps())));
}
