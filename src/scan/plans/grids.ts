import { asInteger, asText, badArgument } from "../../core/guards.ts";
import { any, finite, flag, integer, optional, resolveOptions } from "../../core/options.ts";
import { type Plan, type PlanSteps, type Positions, plan } from "../messages/messages.ts";
import { measurePoint, type PointOptions, pointChecks } from "./points.ts";
import { type EqualSteps, equalSteps, stepChecks } from "./scans.ts";
import { andReturn } from "./wrappers.ts";

export interface GridAxis extends EqualSteps {
  readonly axis: string;
}

/** Positions of a grid, the last axis fastest; with `snake` it turns at the end of each row instead of going back. */
export function gridPositions(axes: readonly GridAxis[], snake: boolean): Positions[] {
  asInteger("the number of axes", axes.length, 1, 6);
  const checks = { axis: asText, ...stepChecks };
  const names = axes.map((each) => resolveOptions("axis of a grid", each, checks).axis);
  if (new Set(names).size !== names.length) throw badArgument("axes", names, "each another one");
  let rows: Positions[] = [{}];
  for (const each of axes) {
    const forth = equalSteps(each);
    const back = [...forth].reverse();
    rows = rows.flatMap((row, i) =>
      (snake && i % 2 === 1 ? back : forth).map((position) => ({ ...row, [each.axis]: position })),
    );
  }
  return rows;
}

export interface GridOptions extends PointOptions {
  /** Slowest first. */
  readonly axes: readonly GridAxis[];
  /** @default true */
  readonly snake?: boolean | undefined;
  /** @default true */
  readonly andReturn?: boolean | undefined;
}

/** A grid over two or more axes. */
export function grid(options: GridOptions): Plan {
  const { snake } = resolveOptions("grid", options, {
    axes: any,
    snake: optional(flag, true),
    andReturn: optional(flag),
    ...pointChecks,
  });
  const positions = gridPositions(options.axes, snake);
  function* steps(): PlanSteps {
    for (const to of positions) yield* measurePoint(to, options);
  }
  const axes = options.axes.map(({ axis }) => axis);
  return plan("grid", { ...options }, () => (options.andReturn === false ? steps() : andReturn(axes, steps())));
}

/**
 * A raster over a sample, column by column in a snake: x fast, y slow, at the pitch given, from a corner.
 * @example
 * raster({ x: "sample_x", y: "sample_y", columns: 40, rows: 10, pitch: 0.05, corner: { x: -1, y: 2 }, shots: 1 })
 */
export function raster(options: PointOptions & RasterOptions): Plan {
  const { x, y, columns, rows, pitch, corner, ...point } = resolveOptions("raster", options, {
    x: asText,
    y: asText,
    columns: integer(1),
    rows: integer(1),
    pitch: finite(),
    corner: (name, value) => resolveOptions(name, value as RasterOptions["corner"], { x: finite(), y: finite() }),
    ...pointChecks,
  });
  const along = (axis: string, from: number, points: number): GridAxis => ({
    axis,
    from,
    to: from + pitch * (points - 1),
    points,
  });
  const positions = gridPositions([along(y, corner.y, rows), along(x, corner.x, columns)], true);
  return plan("raster", { ...options }, function* () {
    for (const to of positions) yield* measurePoint(to, point);
  });
}

export interface RasterOptions {
  readonly x: string;
  readonly y: string;
  readonly columns: number;
  readonly rows: number;
  /** Distance of neighbours, in the units of both axes. */
  readonly pitch: number;
  readonly corner: { readonly x: number; readonly y: number };
}
