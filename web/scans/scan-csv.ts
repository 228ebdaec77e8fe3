import { formatCsv } from "../../src/core/csv.ts";
import type { PageScan } from "../../src/transport/scan-methods.ts";

type Points = PageScan["points"];

/** The points of a scan as a table, under the names that `sacla scan --csv` gives the same columns. */
export function scanCsv({ points, units }: Pick<PageScan, "points" | "units">): string {
  const axes = namesIn(points, ({ at }) => at);
  const signals = namesIn(points, ({ values }) => values);
  const named = (name: string, of = name): string => (units[of] ? `${name} (${units[of]})` : name);
  const head = [
    ...axes.map((axis) => named(axis)),
    ...["shots used", "shots asked"],
    ...signals.flatMap((signal) => [named(`${signal} mean`, signal), named(`${signal} error`, signal)]),
  ];
  const rows = points.map(({ at, used, asked, values }) => [
    ...axes.map((axis) => at[axis] ?? ""),
    ...[used, asked],
    ...signals.flatMap((signal) => [values[signal]?.mean ?? "", values[signal]?.error ?? ""]),
  ]);
  return formatCsv([head, ...rows]);
}

/** In order of first appearance. */
export function namesIn(
  points: Points,
  of: (point: Points[number]) => Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...new Set(points.flatMap((point) => Object.keys(of(point))))];
}
