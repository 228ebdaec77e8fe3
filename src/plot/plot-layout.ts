import type { PlotFrame, Polyline } from "./curves.ts";
import { fitTicks, fraction, type PlotAxis, type Ticks } from "./ticks.ts";

/** Lines of one look. */
export interface Stroke {
  readonly lines: readonly Polyline[];
  readonly width: number;
  /** @default 1 */
  readonly opacity?: number;
  /** Fills the area, lightly; only in SVG. */
  readonly isFilled?: boolean;
}

/** Something drawn in the frame in a colour of its own, what comes later on top. */
export interface Drawing {
  readonly label: string | undefined;
  /** How it is shown in the legend. */
  readonly sign: "dot" | "line" | "both";
  readonly strokes: (frame: PlotFrame) => readonly Stroke[];
}

export interface Axes {
  readonly x: PlotAxis;
  readonly y: PlotAxis;
}

export interface PlotText {
  readonly title?: string | undefined;
  /** Smaller lines below the title. */
  readonly lines?: readonly string[] | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
  readonly width: number;
  readonly height: number;
}

/** One plot; without axes it says that there is no data. */
export interface Plot {
  readonly drawings: readonly Drawing[];
  readonly axes: Axes | undefined;
  readonly text: PlotText;
}

/** Sizes of the letters in pixels, and how wide they get. */
export interface Lettering {
  readonly tick: number;
  readonly label: number;
  readonly title: number;
  /** Text that is still too long at this size is cut. */
  readonly smallest: number;
  readonly widthOf: (text: string, size: number) => number;
}

/** One line of text; `y` is that of its baseline. */
export interface PlacedText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly anchor: "start" | "middle" | "end";
  readonly colour: string;
  readonly isBold?: boolean;
  readonly isUpwards?: boolean;
}

/** What stands before a name in the legend; (x, y) is its left end. */
export interface LegendSign {
  readonly x: number;
  readonly y: number;
  readonly colour: string;
  readonly sign: Drawing["sign"];
}

/** Where everything goes. All but `left` and `top` is in pixels from the upper left corner of the frame. */
interface PlotLayout {
  /** Of the whole picture. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly frameWidth: number;
  readonly frameHeight: number;
  readonly grid: readonly Polyline[];
  readonly marks: readonly Polyline[];
  readonly xTicks: readonly PlacedText[];
  readonly yTicks: readonly PlacedText[];
  /** Title, labels and names in the legend. */
  readonly texts: readonly PlacedText[];
  readonly legend: readonly LegendSign[];
}

// Distinct for colour-blind readers too (after Okabe & Ito 2008, darkened to stand on white).
const palette = ["#0066aa", "#d1540a", "#00805f", "#a8478a", "#b58900", "#5b6770", "#3fa0dc", "#7a4b1e"] as const;
export const inkColour = "#1f2329";
export const softColour = "#5c636e";
export const gridColour = "#e4e7eb";
/** Length of the line before a name in the legend. */
export const SIGN_LENGTH = 22;

/** Numbers of the colours of the curves of several plots: each its own, but plots with the same names the same ones. */
function curveColours(plots: readonly Plot[]): readonly number[][] {
  const byNames = new Map<string, number[]>();
  let next = 0;
  return plots.map(({ drawings }) => {
    const names = drawings.some(({ label }) => label === undefined)
      ? undefined
      : JSON.stringify(drawings.map(({ label }) => label));
    const known = names === undefined ? undefined : byNames.get(names);
    if (known !== undefined) return known;
    const colours = drawings.map(() => next++);
    if (names !== undefined) byNames.set(names, colours);
    return colours;
  });
}

/** Colour of the i-th curve. */
export function curveColour(i: number): string {
  return palette[i % palette.length] ?? inkColour;
}

/** A plot with its layout, and the number of the colour of each of its curves. */
export interface PlacedPlot {
  readonly plot: Plot;
  readonly layout: PlotLayout;
  readonly colours: readonly number[];
}

/** Plots one above the other with their frames in line. */
export function layOutPlots(plots: readonly Plot[], lettering: Lettering): PlacedPlot[] {
  const colours = curveColours(plots);
  const layOut = (leastLeft: number): PlotLayout[] =>
    plots.map((plot, i) => layOutPlot(plot, lettering, colours[i] ?? [], leastLeft));
  const layouts = layOut(Math.max(...layOut(0).map(({ left }) => left)));
  return layouts.map((layout, i) => ({ plot: plots[i] as Plot, layout, colours: colours[i] ?? [] }));
}

/**
 * Places frame, ticks, labels and legend.
 * @param colours - of each curve, as {@link curveColours} counts them
 * @param leastLeft - place of the frame, so that frames stand below each other
 */
function layOutPlot(
  { drawings, axes, text }: Plot,
  lettering: Lettering,
  colours: readonly number[],
  leastLeft: number,
): PlotLayout {
  const { width, height, xLabel, yLabel } = text;
  const { tick, label, widthOf } = lettering;
  const legendLine = tick + 8;
  const legend = legendLines(drawings, width - 32, lettering, colours);
  const heads = headLines(text, width - 32, lettering);
  const headHeight = heads.reduce((sum, { size }) => sum + size + HEAD_GAP, 0);
  const top = 14 + (heads.length === 0 ? 0 : headHeight + 11 - HEAD_GAP) + legend.length * legendLine;
  const bottom = tick + 18 + (xLabel === undefined ? 0 : label + 9);
  const frameHeight = Math.max(80, height - top - bottom);
  const yTicks =
    axes === undefined
      ? noTicks
      : fitTicks(axes.y, frameHeight, Math.max(2, Math.round(frameHeight / 45)), () => 2 * tick);
  const yLabelRoom = Math.max(24, ...yTicks.major.map((one) => widthOf(one.label, tick)));
  const left = Math.max(leastLeft, Math.round(18 + (yLabel === undefined ? 0 : label + 11) + yLabelRoom));
  const fullHeight = top + frameHeight + bottom;
  const { frameWidth, xTicks } = fitAcross(axes?.x, width - left, lettering);
  const ink = { colour: inkColour, anchor: "middle" } as const;
  const texts: PlacedText[] = [];
  const write = (line: PlacedText, room: number): void => {
    texts.push(fitted(line, room, lettering));
  };
  let headAt = 12 - top;
  for (const { text: head, size, isBold } of heads) {
    headAt += size;
    const look = isBold ? { colour: inkColour, isBold } : { colour: softColour };
    texts.push({ text: head, x: 16 - left, y: headAt, size, anchor: "start", ...look });
    headAt += HEAD_GAP;
  }
  for (const [row, entries] of legend.entries()) {
    const y = -14 - (legend.length - 1 - row) * legendLine;
    for (const { x, name } of entries)
      write({ text: name, x: x + SIGN_LENGTH + 6, y, size: tick, anchor: "start", colour: inkColour }, Infinity);
  }
  if (axes === undefined)
    write(
      { text: "no data", x: frameWidth / 2, y: frameHeight / 2 + 5, size: lettering.title, ...ink, colour: softColour },
      frameWidth,
    );
  if (xLabel !== undefined)
    write({ text: xLabel, x: frameWidth / 2, y: frameHeight + bottom - 10, size: label, ...ink }, width - 20);
  if (yLabel !== undefined) {
    write(
      { text: yLabel, x: label + 9 - left, y: frameHeight / 2, size: label, ...ink, isUpwards: true },
      // Longer than the frame it would run into the lines above.
      frameHeight + 16,
    );
  }
  return {
    ...{ width, height: fullHeight, left, top, frameWidth, frameHeight, texts },
    ...(axes === undefined
      ? nothingInFrame
      : inFrame({ ...axes, width: frameWidth, height: frameHeight }, xTicks, yTicks, tick)),
    legend: legend.flatMap((entries, row) =>
      entries.map(({ x, colour, sign }) => ({
        x,
        y: -14 - (legend.length - 1 - row) * legendLine - Math.round(tick / 3),
        colour,
        sign,
      })),
    ),
  };
}

/** The ticks of x, and the room that the frame leaves for the label of the last one. */
function fitAcross(
  x: PlotAxis | undefined,
  room: number,
  { tick, widthOf }: Lettering,
): { readonly frameWidth: number; readonly xTicks: Ticks } {
  const frameWidth = Math.max(40, room - 22);
  if (x === undefined) return { frameWidth, xTicks: noTicks };
  const ticksIn = (across: number): Ticks => fitTicks(x, across, 10, (one) => widthOf(one, tick) + 1.5 * tick);
  const xTicks = ticksIn(frameWidth);
  const last = xTicks.major.at(-1);
  if (last === undefined) return { frameWidth, xTicks };
  const over = Math.ceil(frameWidth * fraction(x, last.value) + widthOf(last.label, tick) / 2 + 4 - room);
  if (over <= 0) return { frameWidth, xTicks };
  const narrower = Math.max(40, frameWidth - over);
  return { frameWidth: narrower, xTicks: ticksIn(narrower) };
}

const noTicks: Ticks = { major: [], minor: [] };
const nothingInFrame = { grid: [], marks: [], xTicks: [], yTicks: [] } as const;

function inFrame(
  { x, y, width, height }: PlotFrame,
  xTicks: Ticks,
  yTicks: Ticks,
  size: number,
): Pick<PlotLayout, "grid" | "marks" | "xTicks" | "yTicks"> {
  const across = (value: number): number => round(fraction(x, value) * width);
  const down = (value: number): number => round((1 - fraction(y, value)) * height);
  const below = (value: number, length: number): Polyline => [across(value), height, across(value), height + length];
  const beside = (value: number, length: number): Polyline => [0, down(value), -length, down(value)];
  return {
    grid: [
      ...xTicks.major.map(({ value }) => [across(value), 0, across(value), height]),
      ...yTicks.major.map(({ value }) => [0, down(value), width, down(value)]),
    ],
    marks: [
      ...xTicks.major.map(({ value }) => below(value, 5)),
      ...xTicks.minor.map((value) => below(value, 3)),
      ...yTicks.major.map(({ value }) => beside(value, 5)),
      ...yTicks.minor.map((value) => beside(value, 3)),
    ],
    xTicks: xTicks.major.map(({ value, label }) => ({
      text: label,
      x: across(value),
      y: height + size + 7,
      size,
      anchor: "middle",
      colour: inkColour,
    })),
    yTicks: yTicks.major.map(({ value, label }) => ({
      text: label,
      x: -9,
      y: round(down(value) + size / 3),
      size,
      anchor: "end",
      colour: inkColour,
    })),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Made smaller and then cut so that it stays within `room`. */
function fitted(line: PlacedText, room: number, { smallest, widthOf }: Lettering): PlacedText {
  const size = Math.max(
    smallest,
    // Down to a tenth: a size that was rounded up would not fit.
    Math.min(line.size, Math.floor((10 * line.size * room) / Math.max(1, widthOf(line.text, line.size))) / 10),
  );
  if (widthOf(line.text, size) <= room) return { ...line, size };
  const letters = [...line.text];
  while (letters.length > 1 && widthOf(`${letters.join("")}…`, size) > room) letters.pop();
  return { ...line, size, text: `${letters.join("")}…` };
}

interface LegendEntry {
  readonly x: number;
  readonly name: string;
  readonly colour: string;
  readonly sign: Drawing["sign"];
}

/** Between the lines above a plot. */
const HEAD_GAP = 5;

/** Title and lines, broken at spaces where they are too long. */
function headLines(
  { title, lines = [] }: PlotText,
  room: number,
  lettering: Lettering,
): { readonly text: string; readonly size: number; readonly isBold: boolean }[] {
  const small = lettering.tick;
  const heads = title === undefined ? [] : [{ text: title, size: lettering.title, isBold: true }];
  const all = [...heads, ...lines.map((text) => ({ text, size: small, isBold: false }))];
  return all.flatMap(({ text, size, isBold }) =>
    // Bold letters are a little wider.
    wrapped(text, room / (isBold ? 1.06 : 1), size, lettering).map((line) => ({ text: line, size, isBold })),
  );
}

function wrapped(text: string, room: number, size: number, { widthOf }: Lettering): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer, size) > room) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** The labelled drawings in lines that fit into `room`. */
function legendLines(
  drawings: readonly Drawing[],
  room: number,
  { tick, widthOf }: Lettering,
  colours: readonly number[],
): LegendEntry[][] {
  const lines: LegendEntry[][] = [];
  let used = Infinity;
  for (const [i, { label, sign }] of drawings.entries()) {
    if (label === undefined || label === "") continue;
    const width = Math.round(widthOf(label, tick) + 46);
    if (used + width > room) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)?.push({ x: used, name: label, colour: curveColour(colours[i] ?? i), sign });
    used += width;
  }
  return lines;
}
