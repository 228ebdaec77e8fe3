import { prefixedUnit } from "../../core/quantities.ts";
import { type PlotPanel, type PlotSeries, renderLinePlots } from "../../plot/index.ts";
import { difference, pumpedAndUnpumped, summary } from "../beamline/shot-collector.ts";
import type { Row } from "../engine/callback.ts";
import type { ShotsTaken, SignalSummary } from "../messages/messages.ts";

/** By name of axis or signal. */
export type Units = Readonly<Record<string, string>>;

export interface CurveOptions {
  /**
   * Name of the position along x. Default: the only position, or of several the first that is another at every point;
   * where none is, as on a grid, the number of the point.
   */
  readonly axis?: string | undefined;
  /** By name of axis or signal, written beside it. */
  readonly units?: Units | undefined;
}

interface PanelOptions extends CurveOptions {
  readonly pumpedBy: string | undefined;
}

/**
 * The curves of every signal: one plot each, and with pumped and unpumped shots apart another one of their difference.
 */
export function scanPanels(rows: readonly Row[], { axis, units = {}, pumpedBy }: PanelOptions): PlotPanel[] {
  const name = axis ?? curveAxis(rows);
  const placed = rows
    .map((row, i) => ({ x: name === undefined ? i + 1 : (row.data[name] ?? NaN), taken: row.taken }))
    .filter((one) => !Number.isNaN(one.x))
    .sort((a, b) => a.x - b.x);
  const x = placed.map((one) => one.x);
  const curve = (of: (taken: ShotsTaken) => SignalSummary, label?: string): PlotSeries => {
    const all = placed.map(({ taken }) => (taken === null ? undefined : of(taken)));
    return {
      label,
      x,
      y: all.map((one) => one?.mean ?? NaN),
      error: all.map((one) => one?.standardError ?? NaN),
      style: "line-and-points",
    };
  };
  const text = (what: string, unit = units[what] ?? ""): string => (unit === "" ? what : `${what} (${unit})`);
  const xLabel = name === undefined ? "point" : text(name);
  const signals = [...new Set(rows.flatMap(({ taken }) => Object.keys(taken?.values ?? {})))].filter(
    (signal) => signal !== pumpedBy,
  );
  return signals.flatMap((signal): PlotPanel[] => {
    const unit = units[signal] ?? "";
    if (pumpedBy === undefined) {
      const own = prefixed([curve((taken) => summary(taken, signal))], unit);
      return [{ series: own.series, xLabel, yLabel: text(signal, own.unit) }];
    }
    const on = curve((taken) => pumpedAndUnpumped(taken, signal, pumpedBy).pumped, "pumped");
    const off = curve((taken) => pumpedAndUnpumped(taken, signal, pumpedBy).unpumped, "unpumped");
    const both = prefixed([on, off], unit);
    const less = prefixed([curve((taken) => difference(taken, signal, pumpedBy), "pumped − unpumped")], unit);
    return [
      { series: both.series, xLabel, yLabel: text(signal, both.unit) },
      { series: less.series, xLabel, yLabel: text(`${signal} difference`, less.unit) },
    ];
  });
}

/** Curves of one frame with the SI prefix that suits their largest value. */
function prefixed(series: readonly PlotSeries[], unit: string): { series: PlotSeries[]; unit: string } {
  const sizes = series.flatMap(({ y }) => Array.from(y, Math.abs)).filter((size) => size > 0 && size < Infinity);
  const { unit: shown, factor } = prefixedUnit(unit, Math.max(0, ...sizes));
  const scaled = (values: ArrayLike<number>): number[] => Array.from(values, (value) => value * factor);
  return {
    unit: shown,
    series: series.map(({ y, error = [], ...rest }) => ({ ...rest, y: scaled(y), error: scaled(error) })),
  };
}

/** The plots one above the other, the label of x below the last. */
export function scanPng(
  rows: readonly Row[],
  title: string | undefined,
  options: PanelOptions,
  lines: readonly string[] = [],
): Uint8Array<ArrayBuffer> {
  const panels = scanPanels(rows, options);
  if (panels.length === 0) return renderLinePlots([{ series: [], title, lines }]);
  return renderLinePlots(
    panels.map((panel, i) => ({
      ...panel,
      ...(i === 0 ? { title, lines } : {}),
      xLabel: i === panels.length - 1 ? panel.xLabel : undefined,
    })),
  );
}

/** The position that curves are drawn against: see {@link CurveOptions}. */
export function curveAxis(rows: readonly Row[]): string | undefined {
  const names = [...new Set(rows.flatMap(({ data }) => Object.keys(data)))];
  if (names.length < 2) return names[0];
  return names.find((name) => new Set(rows.map(({ data }) => data[name])).size === rows.length);
}
