import { createCanvas, drawLines, drawText, frameRect, type Rgb, type RgbCanvas, textWidth } from "./canvas.ts";
import { parseColour } from "./colour-map.ts";
import type { Polyline } from "./curves.ts";
import {
  curveColour,
  gridColour,
  type LegendSign,
  type Lettering,
  layOutPlots,
  type PlacedPlot,
  type PlacedText,
  type Plot,
  SIGN_LENGTH,
  softColour,
} from "./plot-layout.ts";
import { encodeRgb } from "./png.ts";

/** Height of a capital as a part of the size of the letters. */
const CAP = 0.72;
const lettering: Lettering = {
  tick: 14,
  label: 15,
  title: 17,
  smallest: 8,
  widthOf: (text, size) => textWidth(text, CAP * size),
};

/** Plots as a PNG, one above the other with their frames in line; one without axes says that there is no data. */
export function drawRaster(plots: readonly Plot[]): Uint8Array<ArrayBuffer> {
  const placed = layOutPlots(plots, lettering);
  const canvas = createCanvas(
    Math.max(...placed.map(({ layout }) => layout.width)),
    placed.reduce((sum, { layout }) => sum + layout.height, 0),
    [255, 255, 255],
  );
  let y = 0;
  for (const one of placed) {
    drawPlot(canvas, one, y);
    y += one.layout.height;
  }
  return encodeRgb(canvas);
}

function drawPlot(canvas: RgbCanvas, { plot: { drawings, axes }, layout, colours }: PlacedPlot, above: number): void {
  const { left, frameWidth, frameHeight } = layout;
  const top = above + layout.top;
  const clip = { x: left, y: top, width: frameWidth, height: frameHeight };
  drawLines(canvas, sharp(layout.grid, left, top), 1, rgb(gridColour), 1, clip);
  if (axes !== undefined) {
    const frame = { ...axes, width: frameWidth, height: frameHeight };
    for (const [i, { strokes }] of drawings.entries()) {
      const colour = rgb(curveColour(colours[i] ?? i));
      for (const { lines, width, opacity } of strokes(frame))
        drawLines(canvas, segments(lines, left, top), width, colour, opacity, clip);
    }
  }
  frameRect(canvas, left, top, frameWidth, frameHeight, 1, rgb(softColour));
  drawLines(canvas, sharp(layout.marks, left, top), 1, rgb(softColour));
  for (const sign of layout.legend) drawSign(canvas, sign, left, top);
  for (const line of [...layout.xTicks, ...layout.yTicks, ...layout.texts]) write(canvas, line, left, top);
}

function rgb(colour: string): Rgb {
  return parseColour("colour", colour);
}

/** Each piece between two corners by its ends; a dot begins and ends in the same place. */
function segments(lines: readonly Polyline[], left: number, top: number): number[] {
  const out: number[] = [];
  for (const line of lines) {
    for (let i = 0; i < Math.max(2, line.length - 2); i += 2) {
      const [x, y] = [left + (line[i] ?? 0), top + (line[i + 1] ?? 0)];
      out.push(x, y, left + (line[i + 2] ?? x - left), top + (line[i + 3] ?? y - top));
    }
  }
  return out;
}

/** Lines along the axes, moved to the middle of pixels, so that they are one pixel wide and not two pale ones. */
function sharp(lines: readonly Polyline[], left: number, top: number): number[] {
  return segments(lines, left, top).map((value) => Math.floor(value) + 0.5);
}

function drawSign(canvas: RgbCanvas, { x, y, colour, sign }: LegendSign, left: number, top: number): void {
  const middle = x + SIGN_LENGTH / 2;
  if (sign !== "dot") drawLines(canvas, segments([[x, y, x + SIGN_LENGTH, y]], left, top), 2.4, rgb(colour));
  if (sign !== "line") drawLines(canvas, segments([[middle, y]], left, top), 7, rgb(colour));
}

function write(
  canvas: RgbCanvas,
  { text, x, y, size, anchor, colour, isBold, isUpwards }: PlacedText,
  left: number,
  top: number,
): void {
  drawText(canvas, text, left + x, top + y, {
    size: CAP * size,
    colour: rgb(colour),
    anchor,
    bold: isBold === true,
    upwards: isUpwards === true,
  });
}
