import { prefixedUnit } from "../core/quantities.ts";
import type { SignalColumn, SignalTable } from "../db/index.ts";
import { linePlots, type PlotPanel, renderLinePlots } from "../plot/index.ts";

/** What a plot says of itself. */
interface PlotHead {
  readonly title: string;
  readonly lines: readonly string[];
}

/** A column as it is drawn: numbers with an SI prefix, and what stands at the axis. */
export function drawnColumn({ name, unit, values }: SignalColumn): {
  readonly values: Float64Array;
  readonly label: string;
} {
  const largest = values.reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 0);
  const { unit: shown, factor } = prefixedUnit(unit, largest);
  return {
    values: factor === 1 ? values : values.map((value) => value * factor),
    label: shown === "" ? name : `${name} (${shown})`,
  };
}

/** Signals against tag, each in a frame and a unit of its own. */
export function signalPanels({ tags, columns }: SignalTable, { title, lines }: PlotHead): PlotPanel[] {
  const x = Array.from(tags);
  // The same tags in each frame, also where a signal has no numbers.
  const [first = 0, last = 0] = [x[0], x.at(-1)];
  const room = 0.02 * (last - first) + 0.5;
  return columns.map((column, i) => {
    const { values, label } = drawnColumn(column);
    return {
      series: [{ x, y: values, style: "points" as const }],
      yLabel: label,
      xRange: [first - room, last + room] as const,
      ...(i === 0 ? { title, lines } : {}),
      ...(i === columns.length - 1 ? { xLabel: "tag" } : {}),
    };
  });
}

/** Plots in the form that the name of their file ends with: PNG, else SVG. */
export function drawnFor(path: string, panels: readonly PlotPanel[]): string | Uint8Array {
  return /\.png$/i.test(path) ? renderLinePlots(panels) : linePlots(panels);
}
