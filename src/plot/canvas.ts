import { CAP_UNITS, glyphOf } from "./font.ts";

/** Red, green, blue, each 0…255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** A picture being drawn, from the top left, as a PNG has it: a byte of each row's own, then 3 bytes per pixel. */
export interface RgbCanvas {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

/** Where the 3 bytes of a pixel begin. */
export function placeIn({ width }: RgbCanvas, x: number, y: number): number {
  return y * (1 + 3 * width) + 1 + 3 * x;
}

export function createCanvas(width: number, height: number, [red, green, blue]: Rgb): RgbCanvas {
  const canvas = { width, height, data: Buffer.alloc(height * (1 + 3 * width), red) };
  // How the row was filtered: not at all. Neighbouring pixels share whole colours of a map, which deflate alone finds
  // faster and packs smaller.
  for (let row = 0; row < height; row++) canvas.data[placeIn(canvas, 0, row) - 1] = 0;
  if (red !== green || green !== blue) fillRect(canvas, 0, 0, width, height, [red, green, blue]);
  return canvas;
}

/** Fills whole pixels [x, x + width) × [y, y + height). */
export function fillRect(canvas: RgbCanvas, x: number, y: number, width: number, height: number, colour: Rgb): void {
  for (let row = Math.max(0, y); row < Math.min(canvas.height, y + height); row++) {
    for (let column = Math.max(0, x); column < Math.min(canvas.width, x + width); column++)
      canvas.data.set(colour, placeIn(canvas, column, row));
  }
}

/** A frame of `line` pixels just outside [x, x + width) × [y, y + height). */
export function frameRect(
  canvas: RgbCanvas,
  x: number,
  y: number,
  width: number,
  height: number,
  line: number,
  colour: Rgb,
): void {
  fillRect(canvas, x - line, y - line, width + 2 * line, line, colour);
  fillRect(canvas, x - line, y + height, width + 2 * line, line, colour);
  fillRect(canvas, x - line, y, line, height, colour);
  fillRect(canvas, x + width, y, line, height, colour);
}

function blend(canvas: RgbCanvas, x: number, y: number, colour: Rgb, alpha: number): void {
  if (alpha <= 0 || x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return;
  const at = placeIn(canvas, x, y);
  const a = Math.min(1, alpha);
  for (let c = 0; c < 3; c++)
    canvas.data[at + c] = Math.round((canvas.data[at + c] ?? 0) * (1 - a) + (colour[c] ?? 0) * a);
}

/** A circle about the point (x, y), where pixel (i, j) covers [i, i + 1) × [j, j + 1). */
export function drawRing(canvas: RgbCanvas, x: number, y: number, radius: number, line: number, colour: Rgb): void {
  const reach = radius + line;
  for (let row = Math.floor(y - reach); row <= y + reach; row++) {
    for (let column = Math.floor(x - reach); column <= x + reach; column++) {
      const distance = Math.abs(Math.hypot(column + 0.5 - x, row + 0.5 - y) - radius);
      blend(canvas, column, row, colour, line / 2 + 0.5 - distance);
    }
  }
}

/** A triangle that stands on a line [x, x + width) at `y` and points up (−1) or down (1), with an outline. */
export function drawArrowHead(
  canvas: RgbCanvas,
  x: number,
  y: number,
  width: number,
  direction: 1 | -1,
  colour: Rgb,
  outline: Rgb,
): void {
  const height = Math.round(0.75 * width);
  for (let k = 0; k < height; k++) {
    const half = (width / 2) * (1 - k / height);
    const from = Math.round(x + width / 2 - half);
    fillRect(canvas, from, y + direction * k, Math.max(1, Math.round(2 * half)), 1, colour);
  }
  const tip = y + direction * height;
  const corners = [x, y, x + width / 2, tip, x + width / 2, tip, x + width, y, x, y, x + width, y];
  drawLines(canvas, corners, Math.max(1, width / 14), outline);
}

/** A cross about (x, y) that is seen on every colour. */
export function drawCross(canvas: RgbCanvas, x: number, y: number, size: number): void {
  const [inner, outer] = [size * 0.35, size * 1.1];
  const arms = [
    ...[x - outer, y, x - inner, y, x + inner, y, x + outer, y],
    ...[x, y - outer, x, y - inner, x, y + inner, x, y + outer],
  ];
  drawLines(canvas, arms, Math.max(3, size / 3), [31, 35, 41]);
  drawLines(canvas, arms, Math.max(1.2, size / 7), [255, 255, 255]);
}

/** How a line of text is drawn. */
interface TextStyle {
  /** Height of a capital in pixels. */
  readonly size: number;
  readonly colour: Rgb;
  /** Which point of the text lies at x. Default "start". */
  readonly anchor?: "start" | "middle" | "end";
  /** Reads upwards instead of to the right. */
  readonly upwards?: boolean;
  readonly bold?: boolean;
  /** Drawn around the letters, so that they can be read on a picture. */
  readonly halo?: Rgb;
}

/** Width of a line of text in pixels when capitals are `size` pixels high. */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const character of text) units += glyphOf(character).advance;
  return Math.ceil((units * size) / CAP_UNITS);
}

/** Draws one line of text with its baseline through (x, y). */
export function drawText(canvas: RgbCanvas, text: string, x: number, y: number, style: TextStyle): void {
  const scale = style.size / CAP_UNITS;
  const shift = { start: 0, middle: 0.5, end: 1 }[style.anchor ?? "start"] * textWidth(text, style.size);
  const lines: number[] = [];
  let pen = -shift;
  for (const character of text) {
    const glyph = glyphOf(character);
    for (let i = 0; i + 1 < glyph.lines.length; i += 2) {
      const along = pen + (glyph.lines[i] ?? 0) * scale;
      const down = (glyph.lines[i + 1] ?? 0) * scale;
      if (style.upwards === true) lines.push(x + down, y - along);
      else lines.push(x + along, y + down);
    }
    pen += glyph.advance * scale;
  }
  const line = Math.max(1.1, (style.bold === true ? 1.9 : 1.4) * scale);
  if (style.halo !== undefined) drawLines(canvas, lines, line + Math.max(3, 3 * scale), style.halo);
  drawLines(canvas, lines, line, style.colour);
}

/** A part of a canvas: [x, x + width) × [y, y + height). */
interface ClipRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Round-ended lines [x0, y0, x1, y1, …]; each pixel takes the strongest cover, so that joints are not drawn twice.
 * @param clip - nothing is drawn outside; whole pixels within the canvas
 */
export function drawLines(
  canvas: RgbCanvas,
  lines: readonly number[],
  width: number,
  colour: Rgb,
  opacity = 1,
  clip: ClipRegion = { x: 0, y: 0, width: canvas.width, height: canvas.height },
): void {
  const half = width / 2 + 0.5;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < lines.length; i += 2) {
    left = Math.min(left, lines[i] ?? left);
    right = Math.max(right, lines[i] ?? right);
    top = Math.min(top, lines[i + 1] ?? top);
    bottom = Math.max(bottom, lines[i + 1] ?? bottom);
  }
  const x0 = Math.max(clip.x, Math.floor(left - half));
  const y0 = Math.max(clip.y, Math.floor(top - half));
  const columns = Math.min(clip.x + clip.width - 1, Math.ceil(right + half)) - x0 + 1;
  const rows = Math.min(clip.y + clip.height - 1, Math.ceil(bottom + half)) - y0 + 1;
  if (lines.length === 0 || columns <= 0 || rows <= 0) return;
  const cover = new Float32Array(columns * rows);
  for (let i = 0; i + 3 < lines.length; i += 4) {
    coverLine(
      cover,
      columns,
      rows,
      half,
      (lines[i] ?? 0) - x0,
      (lines[i + 1] ?? 0) - y0,
      (lines[i + 2] ?? 0) - x0,
      (lines[i + 3] ?? 0) - y0,
    );
  }
  cover.forEach((alpha, i) => {
    blend(canvas, x0 + (i % columns), y0 + Math.floor(i / columns), colour, alpha * opacity);
  });
}

function coverLine(
  cover: Float32Array,
  columns: number,
  rows: number,
  half: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length2 = dx * dx + dy * dy;
  const lastRow = Math.min(rows - 1, Math.max(y0, y1) + half);
  const lastColumn = Math.min(columns - 1, Math.max(x0, x1) + half);
  for (let row = Math.max(0, Math.floor(Math.min(y0, y1) - half)); row <= lastRow; row++) {
    for (let column = Math.max(0, Math.floor(Math.min(x0, x1) - half)); column <= lastColumn; column++) {
      const px = column + 0.5 - x0;
      const py = row + 0.5 - y0;
      const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const ox = px - t * dx;
      const oy = py - t * dy;
      const alpha = Math.min(1, half - Math.sqrt(ox * ox + oy * oy));
      const at = row * columns + column;
      if (alpha > (cover[at] ?? 1)) cover[at] = alpha;
    }
  }
}
