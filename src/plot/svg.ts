import type { Frame } from "./curves.ts";
import { escapeMarkup } from "./escape.ts";
import { type Axis, fitTicks, fraction, type Ticks } from "./ticks.ts";

/** Something drawn in the frame: `area` is filled lightly, `points` are round dots. */
export interface Drawing {
  readonly label: string | undefined;
  readonly style: "points" | "line" | "steps" | "area";
  /** How many there are: few dots are drawn larger. */
  readonly points: number;
  readonly path: (frame: Frame) => string;
}

export interface PlotText {
  readonly title?: string | undefined;
  readonly xLabel?: string | undefined;
  readonly yLabel?: string | undefined;
  readonly width: number;
  readonly height: number;
}

export const plotWidth = 760;

// Distinct for colour-blind readers too (after Okabe & Ito 2008, darkened to stand on white).
const palette = ["#0066aa", "#d1540a", "#00805f", "#a8478a", "#b58900", "#5b6770", "#3fa0dc", "#7a4b1e"] as const;
const ink = "#1f2329";
const softInk = "#5c636e";
const grid = "#e4e7eb";
const fontFamily = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif";
const TICK_FONT = 12;
const LABEL_FONT = 13;
const TITLE_FONT = 15;

/** A rough width of text: that of a broad font, so that nothing collides in a narrower one. */
function widthOf(text: string, size: number): number {
  let ems = 0;
  for (const c of text) ems += /[⁰¹²³⁴-⁹⁻.,:;'il|! ]/.test(c) ? 0.45 : c.charCodeAt(0) > 0x2e7f ? 1.05 : /[A-Z×−mw%@]/.test(c) ? 0.8 : 0.64;
  return ems * size;
}

/** A plot with its axes, title and legend; without axes it says that there is no data. */
export function drawPlot(drawings: readonly Drawing[], axes: { readonly x: Axis; readonly y: Axis } | undefined, text: PlotText): string {
  const { width, height, title, xLabel, yLabel } = text;
  const legend = legendLines(drawings, width - 32);
  const top = 14 + (title === undefined ? 0 : 26) + legend.length * 20;
  const bottom = 30 + (xLabel === undefined ? 0 : 22);
  const plotHeight = Math.max(80, height - top - bottom);
  const yTicks = axes === undefined ? noTicks : fitTicks(axes.y, plotHeight, Math.max(2, Math.round(plotHeight / 45)), () => 2 * TICK_FONT);
  const yLabelRoom = Math.max(24, ...yTicks.major.map(({ label }) => widthOf(label, TICK_FONT)));
  const left = Math.round(18 + (yLabel === undefined ? 0 : 24) + yLabelRoom);
  const fullHeight = top + plotHeight + bottom;
  const plotSpan = Math.max(40, width - left - 22);
  const xTicks = axes === undefined ? noTicks : fitTicks(axes.x, plotSpan, 10, (label) => widthOf(label, TICK_FONT) + 18);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${fullHeight}" viewBox="0 0 ${width} ${fullHeight}" role="img" style="max-width:100%;height:auto" font-family="${fontFamily}">`,
    `<title>${escapeMarkup(title ?? [yLabel, xLabel].filter((label) => label !== undefined).join(" against "))}</title>`,
    `<rect width="${width}" height="${fullHeight}" fill="#fff"/>`,
  ];
  if (title !== undefined) parts.push(textLine(title, left, 27, TITLE_FONT, width - left - 16, `font-weight="600" fill="${ink}"`));
  parts.push(...legend.map((line, i) => drawLegendLine(line, left, top - 14 - (legend.length - 1 - i) * 20)));
  parts.push(`<g transform="translate(${left} ${top})">`);
  if (axes !== undefined) {
    const frame = { ...axes, width: plotSpan, height: plotHeight };
    parts.push(gridAndTicks(frame, xTicks, yTicks), curves(drawings, frame));
  }
  parts.push(`<rect width="${plotSpan}" height="${plotHeight}" fill="none" stroke="${softInk}"/>`);
  if (axes === undefined) parts.push(textLine("no data", plotSpan / 2, plotHeight / 2 + 5, TITLE_FONT, plotSpan, `text-anchor="middle" fill="${softInk}"`));
  if (xLabel !== undefined) parts.push(textLine(xLabel, plotSpan / 2, plotHeight + 42, LABEL_FONT, width - 20, `text-anchor="middle" fill="${ink}"`));
  if (yLabel !== undefined) {
    const turned = `text-anchor="middle" fill="${ink}" transform="translate(${Math.round(-yLabelRoom - 22)} ${round(plotHeight / 2)}) rotate(-90)"`;
    parts.push(textLine(yLabel, 0, 0, LABEL_FONT, fullHeight - 16, turned));
  }
  parts.push("</g>", "</svg>");
  return parts.join("\n");
}

const noTicks: Ticks = { major: [], minor: [] };

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** One line of text, made smaller and then cut so that it stays within `room`. */
function textLine(text: string, x: number, y: number, size: number, room: number, attributes: string): string {
  const fitted = Math.max(10, Math.min(size, round((size * room) / Math.max(1, widthOf(text, size)))));
  return `<text x="${round(x)}" y="${round(y)}" font-size="${fitted}" ${attributes}>${escapeMarkup(cut(text, fitted, room))}</text>`;
}

function cut(text: string, size: number, room: number): string {
  if (widthOf(text, size) <= room) return text;
  const letters = [...text];
  while (letters.length > 1 && widthOf(`${letters.join("")}…`, size) > room) letters.pop();
  return `${letters.join("")}…`;
}

function gridAndTicks({ x, y, width, height }: Frame, xTicks: Ticks, yTicks: Ticks): string {
  const across = (value: number): number => round(fraction(x, value) * width);
  const down = (value: number): number => round((1 - fraction(y, value)) * height);
  const gridLines = [...xTicks.major.map(({ value }) => `M${across(value)} 0v${height}`), ...yTicks.major.map(({ value }) => `M0 ${down(value)}h${width}`)];
  const marks = [
    ...xTicks.major.map(({ value }) => `M${across(value)} ${height}v5`),
    ...xTicks.minor.map((value) => `M${across(value)} ${height}v3`),
    ...yTicks.major.map(({ value }) => `M0 ${down(value)}h-5`),
    ...yTicks.minor.map((value) => `M0 ${down(value)}h-3`),
  ];
  const xLabels = xTicks.major.map(({ value, label }) => `<text x="${across(value)}" y="${height + 19}">${label}</text>`);
  const yLabels = yTicks.major.map(({ value, label }) => `<text x="-9" y="${round(down(value) + 4)}">${label}</text>`);
  return [
    `<path d="${gridLines.join("")}" stroke="${grid}" fill="none"/>`,
    `<path d="${marks.join("")}" stroke="${softInk}" fill="none"/>`,
    `<g class="x-ticks" font-size="${TICK_FONT}" fill="${ink}" text-anchor="middle">${xLabels.join("")}</g>`,
    `<g class="y-ticks" font-size="${TICK_FONT}" fill="${ink}" text-anchor="end">${yLabels.join("")}</g>`,
  ].join("\n");
}

/** The inner svg cuts off what lies outside the frame, without an id that could clash with another plot in the page. */
function curves(drawings: readonly Drawing[], frame: Frame): string {
  const paths = drawings.map(({ style, points, path }, i) => {
    const d = path(frame);
    return d === "" ? "" : `<path d="${d}" ${strokeOf(style, points, colourOf(i))}/>`;
  });
  return `<svg width="${frame.width}" height="${frame.height}" overflow="hidden">${paths.join("\n")}</svg>`;
}

function colourOf(i: number): string {
  return palette[i % palette.length] ?? ink;
}

function strokeOf(style: Drawing["style"], points: number, colour: string): string {
  const base = `stroke="${colour}" stroke-linejoin="round"`;
  if (style === "points")
    return `${base} fill="none" stroke-width="${points > 1000 ? 3.4 : points > 200 ? 4.5 : 6}" stroke-linecap="round" stroke-opacity="0.7"`;
  if (style === "area") return `${base} fill="${colour}" fill-opacity="0.15" stroke-width="1.3"`;
  return `${base} fill="none" stroke-width="1.6" stroke-linecap="round"`;
}

interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly style: Drawing["style"];
}

/** The labelled drawings in lines that fit into `room`. */
function legendLines(drawings: readonly Drawing[], room: number): LegendEntry[][] {
  const lines: LegendEntry[][] = [];
  let used = Infinity;
  for (const [i, { label, style }] of drawings.entries()) {
    if (label === undefined || label === "") continue;
    const width = entryWidth(label);
    if (used + width > room - 60) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)?.push({ label, colour: colourOf(i), style });
    used += width;
  }
  return lines;
}

const LONGEST_LEGEND_TEXT = 400;

function entryWidth(label: string): number {
  return Math.min(LONGEST_LEGEND_TEXT, widthOf(label, TICK_FONT)) + 46;
}

function drawLegendLine(entries: readonly LegendEntry[], left: number, y: number): string {
  let x = left;
  const parts: string[] = [];
  for (const { label, colour, style } of entries) {
    const sign = style === "points" ? `M${x + 11} ${y - 4}h0` : `M${x} ${y - 4}h22`;
    const weight = style === "points" ? 7 : 2.4;
    parts.push(`<path d="${sign}" stroke="${colour}" stroke-width="${weight}" stroke-linecap="round"/>`);
    parts.push(textLine(label, x + 28, y, TICK_FONT, LONGEST_LEGEND_TEXT, `fill="${ink}"`));
    x = Math.round(x + entryWidth(label));
  }
  return parts.join("");
}
