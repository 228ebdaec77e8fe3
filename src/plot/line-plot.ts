import { asInteger, asOneOf, badArgument } from "../core/guards.ts";
import { any, resolveOptions } from "../core/options.ts";
import { brokenLine, dots, edgesAround, errorBars, type PlotFrame, steps, toPlotPixels } from "./curves.ts";
import { checkRange, type Scale } from "./options.ts";
import { extremes, widened } from "./pixels.ts";
import type { Axes, Drawing, PlotText, Stroke } from "./plot-layout.ts";
import { drawRaster } from "./raster.ts";
import { drawSvg, drawSvgs } from "./svg.ts";
import type { PlotAxis } from "./ticks.ts";

/** One curve. NaN and ±Infinity are left out: they break a line. */
export interface PlotSeries {
  /** Named in the legend. */
  readonly label?: string | undefined;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Half the length of the bar through each point, such as its standard error; NaN where there is none. */
  readonly error?: ArrayLike<number> | undefined;
  /** `steps`: each value is flat halfway to its neighbours; x ascends. @default "line" */
  readonly style?: "points" | "line" | "line-and-points" | "steps" | undefined;
}

export interface LinePlotOptions {
  readonly title?: string | undefined;
  /** Smaller lines below the title: how it was made, and when. */
  readonly lines?: readonly string[] | undefined;
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
  /** Values at the left and right edge. Default: all values with a little room. */
  readonly xRange?: readonly [low: number, high: number] | undefined;
  /** Values at the lower and upper edge. Default: all values with a little room. */
  readonly yRange?: readonly [low: number, high: number] | undefined;
}

/** One of several plots that stand one above the other in a picture. */
export type PlotPanel = { readonly series: readonly PlotSeries[] } & Omit<LinePlotOptions, "width" | "height">;

const panelChecks = {
  title: any,
  lines: any,
  xLabel: any,
  yLabel: any,
  xScale: any,
  yScale: any,
  xRange: any,
  yRange: any,
};
const styles = ["points", "line", "line-and-points", "steps"] as const;

/**
 * Curves in one frame as a self-contained SVG on white. It stays small whatever the number of values, as what falls on
 * one pixel is drawn once: tens of kilobytes for lines, at most about half a megabyte for points. On a logarithmic axis
 * values ≤ 0 are left out (of steps: drawn on the lower edge). Without any value it says "no data".
 *
 * @throws BAD_ARGUMENT when x, y and error differ in length or an option is not one of those allowed
 * @example
 * const series = { label: "BM1", x: tags, y: bm1, style: "points" } as const;
 * const svg = linePlot([series], { title: "Run 651251", xLabel: "tag", yLabel: "charge (C)" });
 */
export function linePlot(series: readonly PlotSeries[], options: LinePlotOptions = {}): string {
  resolveOptions("linePlot", options, { ...panelChecks, width: any, height: any });
  return drawSvg({ ...plotOf(series, options), text: { ...options, ...checkSize(options.width, options.height) } });
}

/**
 * The same plot as {@link linePlot} as a PNG, for a logbook.
 *
 * @param options - 800 × 500 pixels unless they say otherwise
 * @throws BAD_ARGUMENT when x, y and error differ in length or an option is not one of those allowed
 * @example
 * const series = { x: delays, y: means, error: standardErrors, style: "line-and-points" } as const;
 * await writeFile("scan.png", renderLinePlot([series], { xLabel: "delay (ps)" }));
 */
export function renderLinePlot(series: readonly PlotSeries[], options: LinePlotOptions = {}): Uint8Array<ArrayBuffer> {
  const { width, height, ...panel } = options;
  return renderLinePlots([{ series, ...panel }], { width, height });
}

/**
 * Plots one above the other as one PNG; their curves have different colours, but plots whose curves have the same
 * labels have the same ones.
 *
 * @param size - of the whole picture in pixels; it becomes higher when the plots need it. Default: 800 × 500, and from
 * the second plot on 300 of height for each
 * @throws BAD_ARGUMENT when there is no plot, x, y and error differ in length or an option is not one of those allowed
 * @example
 * renderLinePlots([{ series: [on, off], title: "Delay scan" }, { series: [difference], xLabel: "delay (ps)" }]);
 */
export function renderLinePlots(
  panels: readonly PlotPanel[],
  size: Pick<LinePlotOptions, "width" | "height"> = {},
): Uint8Array<ArrayBuffer> {
  resolveOptions("size of the picture", size, { width: any, height: any });
  if (panels.length === 0) throw badArgument("panels", panels, "at least one plot");
  const { width, height } = checkSize(
    size.width ?? 800,
    size.height ?? Math.min(10_000, Math.max(500, 300 * panels.length)),
  );
  const plots = panels.map((panel) => {
    const { series, ...text } = resolveOptions("renderLinePlot", panel, { series: any, ...panelChecks });
    return {
      ...plotOf(series, text),
      text: { ...text, width, height: Math.floor(height / panels.length) } satisfies PlotText,
    };
  });
  return drawRaster(plots);
}

/**
 * The same plots one above the other as one SVG: signals of unlike units each have a frame and an axis of their own.
 *
 * @param size - of each plot in pixels. Default: 760 × 400, and 300 high from the second plot on
 * @throws BAD_ARGUMENT when there is no plot, x, y and error differ in length or an option is not one of those allowed
 */
export function linePlots(panels: readonly PlotPanel[], size: Pick<LinePlotOptions, "width" | "height"> = {}): string {
  resolveOptions("size of the picture", size, { width: any, height: any });
  if (panels.length === 0) throw badArgument("panels", panels, "at least one plot");
  const each = checkSize(size.width, size.height ?? (panels.length === 1 ? 400 : 300));
  const plots = panels.map((panel) => {
    const { series, ...text } = resolveOptions("linePlots", panel, { series: any, ...panelChecks });
    return { ...plotOf(series, text), text: { ...text, ...each } satisfies PlotText };
  });
  return drawSvgs(plots);
}

/** What is drawn, and the axes around it; undefined without any value. */
function plotOf(
  series: readonly PlotSeries[],
  options: Omit<LinePlotOptions, "width" | "height">,
): { drawings: readonly Drawing[]; axes: Axes | undefined } {
  const xLog = asOneOf("xScale", options.xScale ?? "linear", ["linear", "log"]) === "log";
  const yLog = asOneOf("yScale", options.yScale ?? "linear", ["linear", "log"]) === "log";
  const within = options.xRange === undefined ? undefined : checkRange("xRange", options.xRange, xLog);
  const range = options.yRange === undefined ? undefined : checkRange("yRange", options.yRange, yLog);
  for (const [i, { x, y, error, style }] of series.entries()) {
    asOneOf(`series[${i}].style`, style ?? "line", styles);
    if (x.length !== y.length) throw badArgument(`length of series[${i}].y`, y.length, `that of x: ${x.length}`);
    if (error !== undefined && x.length !== error.length)
      throw badArgument(`length of series[${i}].error`, error.length, `that of x: ${x.length}`);
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
  const drawings = series.map((one, i) => drawingOf(one, shown[i]?.points ?? 0));
  if (x === undefined || y === undefined) return { drawings, axes: undefined };
  const between = (found: PlotAxis, asked: typeof range, log: boolean): PlotAxis =>
    asked === undefined ? found : { low: asked[0], high: asked[1], log };
  return { drawings, axes: { x: between(x, within, xLog), y: between(y, range, yLog) } };
}

const LINE_WIDTH = 1.6;
const BAR_WIDTH = 1.2;

function drawingOf(series: PlotSeries, points: number): Drawing {
  const { label, x, y, error } = series;
  // A line through a single point would be a speck.
  const style = points === 1 && series.style !== "steps" ? "points" : (series.style ?? "line");
  const sign = style === "points" ? "dot" : style === "line-and-points" ? "both" : "line";
  const strokes = (frame: PlotFrame): Stroke[] => {
    const bars = error === undefined ? [] : [{ lines: errorBars(frame, x, y, error), width: BAR_WIDTH }];
    if (style === "steps") return [...bars, { lines: steps(frame, edgesAround(x), y, false), width: LINE_WIDTH }];
    const placed = toPlotPixels(frame, x, y);
    const line = style === "points" ? [] : [{ lines: brokenLine(placed), width: LINE_WIDTH }];
    if (style === "line") return [...bars, ...line];
    const width = points > 1000 ? 3.4 : points > 200 ? 4.5 : 6;
    // Where many dots lie on each other it should be seen; on a line or a bar it would shine through.
    const opacity = style === "points" && error === undefined ? { opacity: 0.7 } : {};
    return [...bars, ...line, { lines: dots(placed), width, ...opacity }];
  };
  return { label, sign, strokes };
}

// The span between two such numbers is still a number.
const LARGEST = Number.MAX_VALUE / 4;

/** The x and y of the points that can be drawn, and the ends of their error bars, on which the axes are chosen. */
function onlyVisible(
  { x, y, error, style }: PlotSeries,
  xLog: boolean,
  yLog: boolean,
): { x: number[]; y: number[]; points: number } {
  const out: { x: number[]; y: number[]; points: number } = { x: [], y: [], points: 0 };
  const isShown = (value: number, log: boolean): boolean => Math.abs(value) < LARGEST && (!log || value > 0);
  const edges = style === "steps" ? edgesAround(x) : undefined;
  for (let i = 0; i < x.length; i++) {
    const [px, py, half] = [x[i] ?? NaN, y[i] ?? NaN, error?.[i] ?? NaN];
    if (!isShown(px, xLog) || !isShown(py, yLog)) continue;
    out.x.push(px);
    out.y.push(py);
    for (const end of [py - half, py + half]) if (isShown(end, yLog)) out.y.push(end);
    out.points++;
    if (edges !== undefined) out.x.push(edges[i] ?? px, edges[i + 1] ?? px);
  }
  return out;
}

/** An axis over all values with room at both ends; undefined without values. */
function axisOver(values: readonly (readonly number[])[], log: boolean, room: number): PlotAxis | undefined {
  const spans = values.map((list) => extremes(list, log)).filter((span) => span !== undefined);
  const all = extremes(spans.flat(), log);
  if (all === undefined) return undefined;
  if (all[0] === all[1]) return widened(all[0], all[1], log);
  const [low, high] = all;
  if (!log) return { low: low - room * (high - low), high: high + room * (high - low), log };
  const factor = (high / low) ** room;
  return { low: low / factor, high: high * factor, log };
}

function checkSize(width = 760, height = 400): { width: number; height: number } {
  return { width: asInteger("width", width, 200, 10_000), height: asInteger("height", height, 150, 10_000) };
}

export interface HistogramPlotOptions {
  /** Centre of the first bin. */
  readonly from: number;
  /** @default 1 */
  readonly binWidth?: number | undefined;
  readonly title?: string | undefined;
  /** Smaller lines below the title. */
  readonly lines?: readonly string[] | undefined;
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
  resolveOptions("histogramPlot", options, {
    from: any,
    binWidth: any,
    title: any,
    lines: any,
    xLabel: any,
    yLabel: any,
    log: any,
  });
  const { from, binWidth = 1, log = true } = options;
  if (!Number.isFinite(from)) throw badArgument("from", from, "a finite number: the centre of the first bin");
  if (!Number.isFinite(binWidth) || binWidth <= 0) throw badArgument("binWidth", binWidth, "a finite number above 0");
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? NaN;
    if (!Number.isFinite(count) || count < 0) throw badArgument(`counts[${i}]`, count, "a finite number, 0 or more");
  }
  const edges = Float64Array.from({ length: counts.length + 1 }, (_, i) => from + (i - 0.5) * binWidth);
  const span = extremes(counts, true);
  const axes = span && {
    x: { low: from - binWidth / 2, high: edges.at(-1) ?? from, log: false },
    y: countAxis(span, log),
  };
  const strokes = (frame: PlotFrame): Stroke[] => [
    { lines: steps(frame, edges, counts, true), width: 1.3, isFilled: true },
  ];
  const outline: Drawing = { label: undefined, sign: "line", strokes };
  return drawSvg({ drawings: [outline], axes, text: { ...options, ...checkSize() } });
}

/** Half of the smallest count lies on the lower edge of a log axis, so that bins with one entry are seen. */
function countAxis([smallest, largest]: readonly [number, number], log: boolean): PlotAxis {
  return log ? { low: smallest / 2, high: largest * 1.8, log } : { low: 0, high: largest * 1.06, log };
}
