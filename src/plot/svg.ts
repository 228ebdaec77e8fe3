import { type PlotFrame, svgPath } from "./curves.ts";
import { escapeMarkup } from "./escape.ts";
import {
  curveColour,
  type Drawing,
  gridColour,
  inkColour,
  type LegendSign,
  type Lettering,
  layOutPlots,
  type PlacedPlot,
  type PlacedText,
  type Plot,
  SIGN_LENGTH,
  type Stroke,
  softColour,
} from "./plot-layout.ts";

const fontFamily = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif";
const lettering: Lettering = { tick: 12, label: 13, title: 15, smallest: 7, widthOf };

/** A rough width of text: that of a broad font, so that nothing collides in a narrower one. */
function widthOf(text: string, size: number): number {
  let ems = 0;
  for (const c of text)
    ems += /[⁰¹²³⁴-⁹⁻.,:;'il|! ]/.test(c) ? 0.45 : c.charCodeAt(0) > 0x2e7f ? 1.05 : /[A-Z×−mw%@]/.test(c) ? 0.8 : 0.64;
  return ems * size;
}

/** What the outermost element of a picture says: the name space, and that it shrinks with the page. */
const NAME_SPACE = 'xmlns="http://www.w3.org/2000/svg"';
const OUTERMOST = 'role="img" style="max-width:100%;height:auto"';

/** A plot with its axes, title and legend; without axes it says that there is no data. */
export function drawSvg(plot: Plot): string {
  return layOutPlots([plot], lettering)
    .map((placed) => plotElement(placed, "", ` ${OUTERMOST}`))
    .join("");
}

/** Plots below each other with their frames in line, in colours of their own unless their names are the same. */
export function drawSvgs(plots: readonly Plot[]): string {
  const placed = layOutPlots(plots, lettering);
  const width = Math.max(...placed.map(({ layout }) => layout.width));
  let height = 0;
  const parts = placed.map((one) => {
    const y = height;
    height += one.layout.height;
    return plotElement(one, ` y="${y}"`, "");
  });
  return [
    `<svg ${NAME_SPACE} width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${OUTERMOST}>`,
    ...parts,
    "</svg>",
  ].join("\n");
}

/** One plot as an element. @param place, look - attributes of it */
function plotElement(
  { plot: { drawings, axes, text }, layout, colours }: PlacedPlot,
  place: string,
  look: string,
): string {
  const { width, height, left, top, frameWidth, frameHeight } = layout;
  const name = text.title ?? [text.yLabel, text.xLabel].filter((label) => label !== undefined).join(" against ");
  const parts = [
    `<svg${place} ${NAME_SPACE} width="${width}" height="${height}" ` +
      `viewBox="0 0 ${width} ${height}"${look} font-family="${fontFamily}">`,
    `<title>${escapeMarkup(name)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<g transform="translate(${left} ${top})">`,
    ...layout.legend.map(signOf),
  ];
  if (axes !== undefined) {
    parts.push(
      `<path d="${svgPath(layout.grid)}" stroke="${gridColour}" fill="none"/>`,
      `<path d="${svgPath(layout.marks)}" stroke="${softColour}" fill="none"/>`,
      tickLabels("x", layout.xTicks, "middle"),
      tickLabels("y", layout.yTicks, "end"),
      curves(drawings, { ...axes, width: frameWidth, height: frameHeight }, colours),
    );
  }
  parts.push(
    `<rect width="${frameWidth}" height="${frameHeight}" fill="none" stroke="${softColour}"/>`,
    ...layout.texts.map(textLine),
    "</g>",
    "</svg>",
  );
  return parts.join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function textLine({ text, x, y, size, anchor, colour, isBold, isUpwards }: PlacedText): string {
  const place =
    isUpwards === true
      ? `transform="translate(${round(x)} ${round(y)}) rotate(-90)"`
      : `x="${round(x)}" y="${round(y)}"`;
  const weight = isBold === true ? ' font-weight="600"' : "";
  return (
    `<text ${place} font-size="${size}" ` +
    `text-anchor="${anchor}"${weight} fill="${colour}">${escapeMarkup(text)}</text>`
  );
}

function tickLabels(side: "x" | "y", labels: readonly PlacedText[], anchor: string): string {
  const texts = labels.map(({ text, x, y }) => `<text x="${x}" y="${y}">${text}</text>`);
  return (
    `<g class="${side}-ticks" font-size="${lettering.tick}" fill="${inkColour}" ` +
    `text-anchor="${anchor}">${texts.join("")}</g>`
  );
}

/** The inner svg cuts off what lies outside the frame, without an id that could clash with another plot in the page. */
function curves(drawings: readonly Drawing[], frame: PlotFrame, colours: readonly number[]): string {
  const paths = drawings.flatMap(({ strokes }, i) =>
    strokes(frame).map((stroke) => strokePath(stroke, curveColour(colours[i] ?? i))),
  );
  return `<svg width="${frame.width}" height="${frame.height}" overflow="hidden">${paths.join("\n")}</svg>`;
}

function strokePath({ lines, width, opacity, isFilled }: Stroke, colour: string): string {
  if (lines.length === 0) return "";
  const fill = isFilled === true ? `fill="${colour}" fill-opacity="0.15"` : 'fill="none"';
  const through = opacity === undefined ? "" : ` stroke-opacity="${opacity}"`;
  return (
    `<path d="${svgPath(lines)}" stroke="${colour}" stroke-linejoin="round" ` +
    `stroke-linecap="round" ${fill} stroke-width="${width}"${through}/>`
  );
}

function signOf({ x, y, colour, sign }: LegendSign): string {
  const line =
    sign === "dot"
      ? ""
      : `<path d="M${x} ${y}h${SIGN_LENGTH}" stroke="${colour}" stroke-width="2.4" stroke-linecap="round"/>`;
  return sign === "line"
    ? line
    : `${line}<path d="M${x + SIGN_LENGTH / 2} ${y}h0" stroke="${colour}" stroke-width="7" stroke-linecap="round"/>`;
}
