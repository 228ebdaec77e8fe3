import { linePlot } from "../../plot/index.ts";
import type { DryRun } from "./dry-run.ts";

/** The path of a dry run as SVG: two axes against one another, or one axis against the number of the move. */
export function pathPicture({ plan, path }: Pick<DryRun, "plan" | "path">): string {
  const axes = [...new Set(path.flatMap((at) => Object.keys(at)))];
  const along = (axis: string): number[] => path.map((at) => at[axis] ?? NaN);
  const [first = "", second] = axes;
  // With more than two, those that move most often show the path.
  if (second !== undefined) {
    const [x, y] = axes.length === 2 ? [second, first] : mostMoved(axes, along);
    const series = [along(x), along(y)] as const;
    return linePlot(
      [
        { x: series[0], y: series[1] },
        { x: series[0], y: series[1], style: "points" },
      ],
      { title: plan, xLabel: x, yLabel: y },
    );
  }
  return linePlot([{ x: path.map((_, i) => i), y: along(first), style: "points" }], {
    title: plan,
    xLabel: "move",
    yLabel: first,
  });
}

function mostMoved(axes: readonly string[], along: (axis: string) => readonly number[]): readonly [string, string] {
  const changes = (axis: string): number =>
    along(axis).reduce((n, at, i, all) => n + (i > 0 && at !== all[i - 1] ? 1 : 0), 0);
  const [x = "", y = ""] = [...axes].sort((a, b) => changes(b) - changes(a));
  return [x, y];
}
