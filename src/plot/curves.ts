import { fraction, type PlotAxis } from "./ticks.ts";

/** A rectangle of the picture and the axes that span it. */
export interface PlotFrame {
  readonly width: number;
  readonly height: number;
  readonly x: PlotAxis;
  readonly y: PlotAxis;
}

/** Points of a curve in pixels from the upper left corner of the frame; NaN where there is no point. */
interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

// Far enough that what is cut off is never seen, near enough that the numbers stay short.
const FAR = 20;

/** x and y on the screen. A value that a logarithmic axis cannot show (≤ 0) and ±Infinity become NaN. */
export function toPlotPixels(frame: PlotFrame, x: ArrayLike<number>, y: ArrayLike<number>): Points {
  const out = { x: new Float64Array(x.length), y: new Float64Array(x.length) };
  for (let i = 0; i < x.length; i++) {
    out.x[i] = bounded(fraction(frame.x, x[i] ?? NaN)) * frame.width;
    out.y[i] = (1 - bounded(fraction(frame.y, y[i] ?? NaN))) * frame.height;
  }
  return out;
}

function bounded(part: number): number {
  return Number.isFinite(part) ? Math.min(FAR, Math.max(-FAR, part)) : NaN;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Corners [x0, y0, x1, y1, …] in pixels from the upper left corner of the frame; a single one is a dot. */
export type Polyline = readonly number[];

/** As the `d` of an SVG path. */
export function svgPath(lines: readonly Polyline[]): string {
  let path = "";
  for (const line of lines) {
    path += `M${line[0]} ${line[1]}`;
    for (let i = 2; i < line.length; i += 2) path += `L${line[i]} ${line[i + 1]}`;
    if (line.length === 2) path += "h0";
  }
  return path;
}

/** Dots, each place once. Many dots are set on a grid finer than a dot, so that their number is bounded. */
export function dots({ x, y }: Points): Polyline[] {
  const step = x.length > 50_000 ? 2 : x.length > 5000 ? 1 : 0.1;
  const grid = (value: number): number => round(Math.round(value / step) * step);
  const places = new Map<string, Polyline>();
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i] ?? NaN, y[i] ?? NaN];
    if (Number.isNaN(px + py)) continue;
    const place = [grid(px), grid(py)];
    places.set(place.join(" "), place);
  }
  return [...places.values()];
}

/** A line that is broken where a point is missing; a point alone between two gaps is a dot. */
export function brokenLine({ x, y }: Points): Polyline[] {
  const lines: Polyline[] = [];
  let start = 0;
  for (let i = 0; i <= x.length; i++) {
    if (i < x.length && !Number.isNaN((x[i] ?? NaN) + (y[i] ?? NaN))) continue;
    if (i > start) lines.push(piece(x, y, start, i));
    start = i + 1;
  }
  return lines;
}

/**
 * One unbroken piece. Of neighbours in the same pixel column only the first, lowest, highest and last are kept, which
 * draws the same picture.
 */
function piece(x: Float64Array, y: Float64Array, start: number, end: number): number[] {
  const line: number[] = [];
  const add = (i: number): void => {
    const [px, py] = [round(x[i] ?? 0), round(y[i] ?? 0)];
    if (px !== line.at(-2) || py !== line.at(-1)) line.push(px, py);
  };
  for (let i = start; i < end; ) {
    let [last, lowest, highest] = [i, i, i];
    while (last + 1 < end && Math.floor(x[last + 1] ?? 0) === Math.floor(x[i] ?? 0)) {
      last++;
      if ((y[last] ?? 0) > (y[lowest] ?? 0)) lowest = last;
      if ((y[last] ?? 0) < (y[highest] ?? 0)) highest = last;
    }
    for (const k of [...new Set([i, lowest, highest, last])].sort((a, b) => a - b)) add(k);
    i = last + 1;
  }
  return line;
}

/** Half of the cross-line at the end of an error bar. */
const CAP = 3;
/** More bars than this are drawn without cross-lines, which would run into each other. */
const MOST_CAPS = 100;

/**
 * Bars from value − error to value + error. Where the error is no positive number there is none. On a logarithmic axis
 * one that reaches 0 goes down to the edge.
 */
export function errorBars(
  frame: PlotFrame,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  error: ArrayLike<number>,
): Polyline[] {
  const ends = (sign: number): Points =>
    toPlotPixels(
      frame,
      x,
      Float64Array.from(y, (value, i) => value + sign * (error[i] ?? NaN)),
    );
  const [up, down] = [ends(1), ends(-1)];
  const cap = x.length > MOST_CAPS ? 0 : CAP;
  const lines: Polyline[] = [];
  for (let i = 0; i < x.length; i++) {
    const [px, top] = [round(up.x[i] ?? NaN), round(up.y[i] ?? NaN)];
    const below = down.y[i] ?? NaN;
    const bottom = frame.y.log && Number.isNaN(below) ? frame.height * 2 : round(below);
    if (!((error[i] ?? NaN) > 0) || Number.isNaN(px + top + bottom)) continue;
    lines.push([px, top, px, bottom]);
    if (cap > 0) for (const end of [top, bottom]) lines.push([px - cap, end, px + cap, end]);
  }
  return lines;
}

/**
 * Flat steps: value i from edges[i] to edges[i + 1]. Values a logarithmic axis cannot show lie on the lower edge; NaN
 * breaks the line.
 *
 * @param close - ends go down to the lower edge, so that the area can be filled
 */
export function steps(
  frame: PlotFrame,
  edges: ArrayLike<number>,
  values: ArrayLike<number>,
  close: boolean,
): Polyline[] {
  const xs: number[] = [];
  const ys: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    const y = frame.y.log && value <= 0 ? frame.y.low : value;
    xs.push(edges[i] ?? NaN, edges[i + 1] ?? NaN);
    ys.push(y, y);
  }
  if (close && values.length > 0) {
    xs.unshift(edges[0] ?? NaN);
    xs.push(edges[values.length] ?? NaN);
    ys.unshift(frame.y.low);
    ys.push(frame.y.low);
  }
  return brokenLine(toPlotPixels(frame, xs, ys));
}

/** Edges halfway between centres; the outer steps are as wide as their neighbour's half tells. */
export function edgesAround(centres: ArrayLike<number>): Float64Array {
  const n = centres.length;
  const edges = new Float64Array(n + 1);
  const at = (i: number): number => centres[i] ?? NaN;
  for (let i = 1; i < n; i++) edges[i] = (at(i - 1) + at(i)) / 2;
  edges[0] = n > 1 ? 2 * at(0) - (edges[1] ?? 0) : at(0) - 0.5;
  edges[n] = n > 1 ? 2 * at(n - 1) - (edges[n - 1] ?? 0) : at(0) + 0.5;
  return edges;
}
