import { asInteger, asOneOf, badArgument, checkOptions } from "../core/guards.ts";
import { dotsPath, edgesAround, type Frame, linePath, place, stepsPath } from "./curves.ts";
import { checkRange, type Scale } from "./options.ts";
import { extremes, widened } from "./pixels.ts";
import { type Drawing, drawPlot, plotWidth } from "./svg.ts";
import type { Axis } from "./ticks.ts";

/** One curve. NaN and ±Infinity are left out: they break a line. */
export interface Series {
  /** Named in the legend. */
  readonly label?: string | undefined;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** `steps`: each value is flat halfway to its neighbours; x ascends. @default "line" */
  readonly style?: "points" | "line" | "steps" | undefined;
}

export interface LinePlotOptions {
  readonly title?: string | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
  /** @default "linear" */
  readonly xScale?: Scale | undefined;
  /** @default "linear" */
  readonly yScale?: Scale | undefined;
  /** In pixels. @default 760 */
  readonly width?: number | undefined;
  /** In pixels. @default 400 */
  readonly height?: number | undefined;
  /** Values at the lower and upper edge. Default: all values with a little room. */
  readonly yRange?: readonly [low: number, high: number] | undefined;
}

const lineOptionNames = ["title", "xLabel", "yLabel", "xScale", "yScale", "width", "height", "yRange"] as const;

/**
 * Curves in one frame as a self-contained SVG on white. It stays small whatever the number of values, as what falls on one
 * pixel is drawn once: tens of kilobytes for lines, at most about half a megabyte for points. On a logarithmic axis values ≤ 0 are left out (of steps: drawn on the lower
 * edge). Without any value it says "no data".
 *
 * @throws BAD_ARGUMENT when x and y differ in length or an option is not one of those allowed
 * @example
 * linePlot([{ label: "BM1", x: tags, y: bm1, style: "points" }], { title: "Run 651251", xLabel: "tag", yLabel: "charge (C)" });
 */
export function linePlot(series: readonly Series[], options: LinePlotOptions = {}): string {
  checkOptions("linePlot", options, lineOptionNames);
  const xLog = asOneOf("xScale", options.xScale ?? "linear", ["linear", "log"]) === "log";
  const yLog = asOneOf("yScale", options.yScale ?? "linear", ["linear", "log"]) === "log";
  const range = options.yRange === undefined ? undefined : checkRange("yRange", options.yRange, yLog);
  const size = checkSize(options.width, options.height);
  for (const [i, { x, y, style }] of series.entries()) {
    asOneOf(`series[${i}].style`, style ?? "line", ["points", "line", "steps"]);
    if (x.length !== y.length) throw badArgument(`length of series[${i}].y`, y.length, `that of x: ${x.length}`);
  }
  const shown = series.map((one) => onlyVisible(one, xLog, yLog));
  const x = axisOver(
    shown.map(({ x }) => x),
    xLog,
    0.02,
  );
  const y = axisOver(
    shown.map(({ y }) => y),
    yLog,
    0.06,
  );
  const yAxis = range === undefined ? y : { low: range[0], high: range[1], log: yLog };
  const drawings = series.map((one, i): Drawing => {
    const points = shown[i]?.points ?? 0;
    // A line through a single point would be a speck.
    const style = points === 1 && one.style !== "steps" ? "points" : (one.style ?? "line");
    return { label: one.label, style, points, path: (frame) => pathOf(frame, one, style) };
  });
  return drawPlot(drawings, x === undefined || yAxis === undefined || y === undefined ? undefined : { x, y: yAxis }, { ...options, ...size });
}

function pathOf(frame: Frame, { x, y }: Series, style: Drawing["style"]): string {
  if (style === "steps") return stepsPath(frame, edgesAround(x), y, false);
  const points = place(frame, x, y);
  return style === "points" ? dotsPath(points) : linePath(points);
}

/** The x and y of the points that can be drawn, on which the axes are chosen. */
function onlyVisible({ x, y, style }: Series, xLog: boolean, yLog: boolean): { x: number[]; y: number[]; points: number } {
  const out: { x: number[]; y: number[]; points: number } = { x: [], y: [], points: 0 };
  const edges = style === "steps" ? edgesAround(x) : undefined;
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i] ?? NaN, y[i] ?? NaN];
    if (!Number.isFinite(px) || !Number.isFinite(py) || (xLog && px <= 0) || (yLog && py <= 0)) continue;
    out.x.push(px);
    out.y.push(py);
    out.points++;
    if (edges !== undefined) out.x.push(edges[i] ?? px, edges[i + 1] ?? px);
  }
  return out;
}

/** An axis over all values with room at both ends; undefined without values. */
function axisOver(values: readonly (readonly number[])[], log: boolean, room: number): Axis | undefined {
  const spans = values.map((list) => extremes(list, log)).filter((span) => span !== undefined);
  const all = extremes(spans.flat(), log);
  if (all === undefined) return undefined;
  if (all[0] === all[1]) return widened(all[0], all[1], log);
  const [low, high] = all;
  if (!log) return { low: low - room * (high - low), high: high + room * (high - low), log };
  const factor = (high / low) ** room;
  return { low: low / factor, high: high * factor, log };
}

function checkSize(width = plotWidth, height = 400): { width: number; height: number } {
  return { width: asInteger("width", width, 200, 10_000), height: asInteger("height", height, 150, 10_000) };
}

export interface HistogramPlotOptions {
  /** Centre of the first bin. */
  readonly from: number;
  /** @default 1 */
  readonly binWidth?: number | undefined;
  readonly title?: string | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
  /** Logarithmic counts; empty bins lie on the lower edge. @default true */
  readonly log?: boolean | undefined;
}

/**
 * Counts per bin as a self-contained SVG; bin i is centred on from + i · binWidth.
 *
 * @throws BAD_ARGUMENT when a count is negative or not finite, or an option is not one of those allowed
 * @example
 * histogramPlot(counts, { from: -100, title: "Run 1360991", xLabel: "ADU", yLabel: "pixels" });
 */
export function histogramPlot(counts: ArrayLike<number>, options: HistogramPlotOptions): string {
  checkOptions("histogramPlot", options, ["from", "binWidth", "title", "xLabel", "yLabel", "log"]);
  const { from, binWidth = 1, log = true } = options;
  if (!Number.isFinite(from)) throw badArgument("from", from, "a finite number: the centre of the first bin");
  if (!Number.isFinite(binWidth) || binWidth <= 0) throw badArgument("binWidth", binWidth, "a finite number above 0");
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? NaN;
    if (!Number.isFinite(count) || count < 0) throw badArgument(`counts[${i}]`, count, "a finite number, 0 or more");
  }
  const edges = Float64Array.from({ length: counts.length + 1 }, (_, i) => from + (i - 0.5) * binWidth);
  const span = extremes(counts, true);
  const axes = span && { x: { low: from - binWidth / 2, high: edges.at(-1) ?? from, log: false }, y: countAxis(span, log) };
  const outline: Drawing = { label: undefined, style: "area", points: counts.length, path: (frame) => stepsPath(frame, edges, counts, true) };
  return drawPlot([outline], axes, { ...options, ...checkSize() });
}

/** Half of the smallest count lies on the lower edge of a log axis, so that bins with one entry are seen. */
function countAxis([smallest, largest]: readonly [number, number], log: boolean): Axis {
  return log ? { low: smallest / 2, high: largest * 1.8, log } : { low: 0, high: largest * 1.06, log };
}
