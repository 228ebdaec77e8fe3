import { asFinite, badArgument } from "../core/guards.ts";
import { any, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import {
  createCanvas,
  drawArrowHead,
  drawCross,
  drawRing,
  drawText,
  fillRect,
  frameRect,
  placeIn,
  type Rgb,
  type RgbCanvas,
  textWidth,
} from "./canvas.ts";
import { COLOURS, colourTable, defaultGapColour, parseColour } from "./colour-map.ts";
import { type ColourMap, colourMaps } from "./colour-map-names.ts";
import { beamPlace, clippedEnds, type PixelPlaces, type PlacedTick, sideTicks } from "./image-sides.ts";
import { checkRange, type Scale } from "./options.ts";
import { blockMeans, type Drawable, type DrawnPixels, drawnPixels, type Gap, robustRange, withGap } from "./pixels.ts";
import { encodeRgb, encodeRgbAside } from "./png.ts";
import { fitTicks, fraction, type PlotAxis, type Tick } from "./ticks.ts";

/** A place to point out, in pixels of the image as given; fractions are allowed. */
export interface Mark {
  readonly column: number;
  readonly row: number;
  readonly label?: string | undefined;
}

export interface ImageOptions {
  /**
   * Values of the lowest and the highest colour. Default: the 1 % and 99.5 % points of the finite pixels that are no
   * gap.
   */
  readonly range?: readonly [low: number, high: number] | undefined;
  /** @default "linear" */
  readonly scale?: Scale | undefined;
  /** `difference` is for images around zero; its default range is symmetric. @default "viridis" */
  readonly colourMap?: ColourMap | undefined;
  /** A line above the picture. */
  readonly title?: string | undefined;
  /** Smaller lines below the title: how the picture was made, and when. */
  readonly lines?: readonly string[] | undefined;
  /** Written along the colour bar. */
  readonly unit?: string | undefined;
  /** Column and row numbers at the sides, or with {@link positions} mm from the beam. @default true */
  readonly axes?: boolean | undefined;
  /**
   * Where the centres of columns and rows are, in µm from the beam, in equal steps (`picture.axes`): the sides are then
   * in mm, and a cross marks the beam.
   */
  readonly positions?: PixelPlaces | undefined;
  /**
   * Most screen pixels the image may be wide: larger images are averaged over whole blocks of pixels. Default: no
   * limit.
   */
  readonly maxWidth?: number | undefined;
  /** Small circles, with a label beside each. */
  readonly marks?: readonly Mark[] | undefined;
  /** Pixels without a value, besides NaN: a number such as the assembler's gap value, or a mask (not 0 = gap). */
  readonly gap?: Gap | undefined;
  /**
   * Colour of pixels without a value, `#rrggbb`. Default: a grey (blue for the grey map) that the map does not contain.
   */
  readonly gapColour?: string | undefined;
}

const optionChecks = {
  range: any,
  scale: optional(oneOf("linear", "log"), "linear"),
  colourMap: optional(oneOf(...colourMaps), "viridis"),
  title: any,
  lines: any,
  unit: any,
  axes: any,
  positions: any,
  maxWidth: optional(integer(1)),
  marks: any,
  gap: any,
  gapColour: any,
};

const paper: Rgb = [255, 255, 255];
const ink: Rgb = [31, 35, 41];
const softInk: Rgb = [92, 99, 110];

/** Images smaller than this are magnified by a whole number, so that axes and colour bar have room. */
const SMALLEST_SIDE = 360;

/**
 * A colour-mapped picture of an image as a PNG, with a colour bar, axes in pixels, a title and marks. Row 0 is at the
 * top. NaN and gaps have the gap colour. Values below and above the range, and ±Infinity, have the lowest and highest
 * colour; on a logarithmic scale so have zero and negative values the lowest.
 *
 * @param image - shape [ysize, xsize]
 * @throws BAD_ARGUMENT when the image is not 2-D or is empty, or an option is not one of those allowed
 * @example
 * const png = renderImage(average, { title: "Run 206178, source view", unit: "ADU", scale: "log" });
 * await writeFile("average.png", png);
 */
export function renderImage(image: Drawable, options: ImageOptions = {}): Uint8Array<ArrayBuffer> {
  return encodeRgb(drawImage(image, options, resolveOptions("renderImage", options, optionChecks)));
}

/** {@link renderImage} that packs the picture in a thread of Node.js: the next one can be drawn beside it. */
export async function renderImageAside(image: Drawable, options: ImageOptions): Promise<Uint8Array<ArrayBuffer>> {
  return await encodeRgbAside(drawImage(image, options, resolveOptions("renderImage", options, optionChecks)));
}

function drawImage(
  image: Drawable,
  options: ImageOptions,
  { scale, colourMap, maxWidth }: { scale: Scale; colourMap: ColourMap; maxWidth?: number | undefined },
): RgbCanvas {
  const gapColour =
    options.gapColour === undefined ? defaultGapColour(colourMap) : parseColour("gapColour", options.gapColour);
  const given = drawnPixels(image);
  const marks = checkMarks(options.marks ?? [], given);
  const block = maxWidth === undefined ? 1 : Math.ceil(given.columns / maxWidth);
  const whole = options.gap === undefined ? given : withGap(given, options.gap);
  const shown = block === 1 ? whole : blockMeans(whole, block);
  const axis = valueAxis(shown, options.range, scale === "log", colourMap);
  const table = colourTable(colourMap);

  const layout = layOut(whole, shown, block, axis, options);
  const canvas = createCanvas(layout.canvasWidth, layout.canvasHeight, paper);
  paint(canvas, layout, shown, axis, table, gapColour);
  if (shown.data.every(Number.isNaN)) {
    drawText(canvas, "no data", layout.x + layout.width / 2, layout.y + (layout.height + layout.cap) / 2, {
      size: layout.cap,
      colour: ink,
      anchor: "middle",
    });
  }
  drawFrameAndTicks(canvas, layout, options);
  drawColourBar(canvas, layout, table, options.unit);
  const beam = options.positions === undefined ? undefined : beamPlace(options.positions, given, layout.zoom);
  if (beam !== undefined) drawCross(canvas, layout.x + beam.x, layout.y + beam.y, layout.cap);
  for (const mark of marks) drawMark(canvas, layout, mark);
  return canvas;
}

function checkMarks(marks: readonly Mark[], { rows, columns }: DrawnPixels): readonly Mark[] {
  for (const [i, mark] of marks.entries()) {
    asFinite(`marks[${i}].column`, mark.column, -0.5, columns - 0.5);
    asFinite(`marks[${i}].row`, mark.row, -0.5, rows - 0.5);
  }
  return marks;
}

function valueAxis(shown: DrawnPixels, range: ImageOptions["range"], log: boolean, colourMap: ColourMap): PlotAxis {
  if (colourMap === "difference" && log)
    throw badArgument("scale", "log", 'linear for the colour map "difference", whose middle is zero');
  if (range !== undefined) {
    const [low, high] = checkRange("range", range, log);
    return { low, high, log };
  }
  const found = robustRange(shown, log);
  if (colourMap !== "difference") return found;
  const reach = Math.max(Math.abs(found.low), Math.abs(found.high));
  return { low: -reach, high: reach, log };
}

/** Where everything goes, in screen pixels. */
interface Layout {
  readonly canvasWidth: number;
  readonly canvasHeight: number;
  /** Upper left corner of the image. */
  readonly x: number;
  readonly y: number;
  /** Size of the image. */
  readonly width: number;
  readonly height: number;
  /** Screen pixels per pixel of the image as given: the zoom, or 1 / block. */
  readonly zoom: number;
  readonly bar: {
    readonly x: number;
    readonly width: number;
    readonly height: number;
    readonly ticks: readonly PlacedTick[];
    readonly labelWidth: number;
    /** Largest and smallest value where the colours do not reach them; written at the arrows at the ends of the bar. */
    readonly above: string | undefined;
    readonly below: string | undefined;
  };
  readonly columnTicks: readonly PlacedTick[];
  readonly rowTicks: readonly PlacedTick[];
  /** Height of a capital. */
  readonly cap: number;
  readonly line: number;
  readonly axes: boolean;
}

function layOut(given: DrawnPixels, shown: DrawnPixels, block: number, axis: PlotAxis, options: ImageOptions): Layout {
  const magnified = Math.max(1, Math.floor(SMALLEST_SIDE / Math.max(shown.rows, shown.columns)));
  const zoom = block > 1 ? 1 / block : magnified;
  const width = shown.columns * (block > 1 ? 1 : magnified);
  const height = shown.rows * (block > 1 ? 1 : magnified);
  const cap = Math.min(40, Math.max(10, Math.round(Math.max(width, height) / 70)));
  const pad = Math.round(cap * 1.2);
  const axes = options.axes ?? true;
  const textRoom = (label: string): number => textWidth(label, cap) + 1.5 * cap;
  const lineRoom = (): number => 2.6 * cap;
  const { positions } = options;
  const columnTicks = axes ? sideTicks(given.columns, positions?.xUm, zoom, width, textRoom) : [];
  const rowTicks = axes ? sideTicks(given.rows, positions?.yUm, zoom, height, lineRoom) : [];
  const rowLabelWidth = Math.max(0, ...rowTicks.map((tick) => textWidth(tick.label, cap)));
  const x = pad + (axes ? Math.round(cap * 2.6) + rowLabelWidth : 0);
  const lines = options.lines ?? [];
  const clipped = clippedEnds(axis, given.data);
  const above = clipped.above === undefined ? 0 : 1.6;
  const y = Math.round(cap * ((options.title === undefined ? 1.2 : 3.2) + 1.8 * lines.length + above));
  const barHeight = Math.max(height, 16 * cap);
  const barTicks = fitTicks(axis, barHeight, 8, lineRoom).major.map((tick) => ({
    label: tick.label,
    at: barPosition(axis, tick, barHeight),
  }));
  const bar = {
    x: x + width + Math.round(1.4 * cap),
    width: Math.round(1.5 * cap),
    height: barHeight,
    ticks: barTicks,
    labelWidth: Math.max(
      ...[0, ...barTicks.map(({ label }) => label), clipped.above ?? "", clipped.below ?? ""].map((label) =>
        textWidth(String(label), cap),
      ),
    ),
    ...clipped,
  };
  const unitWidth =
    options.unit === undefined ? 0 : cap + (isShort(options.unit, cap) ? textWidth(options.unit, cap) : cap);
  const right = bar.x + bar.width + cap + bar.labelWidth + unitWidth + pad;
  const titleEnd = Math.max(
    options.title === undefined ? 0 : x + textWidth(options.title, titleSize(cap)) + pad,
    ...lines.map((text) => x + textWidth(text, cap) + pad),
  );
  const below = axes ? Math.round(cap * 5.4) : pad;
  return {
    canvasWidth: Math.max(right, titleEnd),
    canvasHeight: Math.max(y + height + below, y + barHeight + pad),
    ...{ x, y, width, height, zoom, bar, columnTicks, rowTicks, cap, axes },
    line: Math.max(1, Math.round(cap / 10)),
  };
}

/** Whether a unit such as V or ADU fits beside the colour bar as it is; a longer one is turned to read upwards. */
function isShort(unit: string, cap: number): boolean {
  return textWidth(unit, cap) <= 4 * cap;
}

function titleSize(cap: number): number {
  return Math.round(cap * 1.25);
}

function barPosition(axis: PlotAxis, tick: Tick, height: number): number {
  return Math.round((1 - fraction(axis, tick.value)) * (height - 1));
}

/** Colours every pixel: the one hot loop. */
function paint(
  canvas: RgbCanvas,
  layout: Layout,
  { data, rows, columns }: DrawnPixels,
  axis: PlotAxis,
  table: Uint8Array,
  gapColour: Rgb,
): void {
  const out = canvas.data;
  // The colours, then that of a gap: without a list for each pixel.
  const colours = Uint8Array.from([...table, ...gapColour]);
  const zoom = Math.max(1, Math.round(layout.width / columns));
  const low = axis.log ? Math.log(axis.low) : axis.low;
  const perUnit = COLOURS / ((axis.log ? Math.log(axis.high) : axis.high) - low);
  for (let r = 0; r < rows; r++) {
    const firstRow = layout.y + r * zoom;
    let to = placeIn(canvas, layout.x, firstRow);
    const start = to;
    for (let c = 0; c < columns; c++) {
      const value = data[r * columns + c] ?? NaN;
      let entry = COLOURS;
      if (!Number.isNaN(value)) {
        // The logarithm of a negative value is NaN, for which `level > 0` is false: the lowest colour.
        const level = ((axis.log ? Math.log(value) : value) - low) * perUnit;
        entry = level > 0 ? (level < COLOURS ? Math.floor(level) : COLOURS - 1) : 0;
      }
      const red = colours[3 * entry] ?? 0;
      const green = colours[3 * entry + 1] ?? 0;
      const blue = colours[3 * entry + 2] ?? 0;
      for (let k = 0; k < zoom; k++) {
        out[to++] = red;
        out[to++] = green;
        out[to++] = blue;
      }
    }
    for (let k = 1; k < zoom; k++) out.copy(out, placeIn(canvas, layout.x, firstRow + k), start, to);
  }
}

function drawFrameAndTicks(canvas: RgbCanvas, layout: Layout, { title, lines = [], positions }: ImageOptions): void {
  const { x, y, width, height, cap, line, columnTicks, rowTicks } = layout;
  // The arrow of the colour bar stands above the picture's edge.
  const lowest = y - Math.round(cap * (layout.bar.above === undefined ? 0.95 : 2.55));
  for (const [i, text] of lines.entries()) {
    const at = lowest - Math.round(1.8 * cap * (lines.length - 1 - i));
    drawText(canvas, text, x, at, { size: cap, colour: softInk });
  }
  const titleAt = lowest - Math.round(1.8 * cap * lines.length);
  if (title !== undefined) drawText(canvas, title, x, titleAt, { size: titleSize(cap), colour: ink, bold: true });
  frameRect(canvas, x, y, width, height, line, softInk);
  if (!layout.axes) return;
  const tickLength = Math.round(cap * 0.5);
  const half = Math.floor(line / 2);
  for (const { label, at } of columnTicks) {
    fillRect(canvas, x + at - half, y + height + line, line, tickLength, softInk);
    drawText(canvas, label, x + at, y + height + line + tickLength + Math.round(1.5 * cap), {
      size: cap,
      colour: ink,
      anchor: "middle",
    });
  }
  for (const { label, at } of rowTicks) {
    fillRect(canvas, x - line - tickLength, y + at - half, tickLength, line, softInk);
    drawText(canvas, label, x - line - tickLength - Math.round(cap * 0.4), y + at + cap / 2, {
      size: cap,
      colour: ink,
      anchor: "end",
    });
  }
  const isPlaced = positions !== undefined;
  drawText(canvas, isPlaced ? "x from the beam (mm)" : "column", x + width / 2, y + height + Math.round(4.2 * cap), {
    size: cap,
    colour: softInk,
    anchor: "middle",
  });
  drawText(canvas, isPlaced ? "y from the beam (mm)" : "row", Math.round(2 * cap), y + height / 2, {
    size: cap,
    colour: softInk,
    anchor: "middle",
    upwards: true,
  });
}

function drawColourBar(
  canvas: RgbCanvas,
  { y, bar, cap, line }: Layout,
  table: Uint8Array,
  unit: string | undefined,
): void {
  for (let r = 0; r < bar.height; r++) {
    const entry = Math.min(COLOURS - 1, Math.floor(((bar.height - 1 - r) / (bar.height - 1)) * COLOURS)) * 3;
    fillRect(canvas, bar.x, y + r, bar.width, 1, [table[entry] ?? 0, table[entry + 1] ?? 0, table[entry + 2] ?? 0]);
  }
  frameRect(canvas, bar.x, y, bar.width, bar.height, line, softInk);
  const right = bar.x + bar.width + line;
  const end = (value: string | undefined, at: number, direction: 1 | -1, entry: number): void => {
    if (value === undefined) return;
    const colour: Rgb = [table[entry] ?? 0, table[entry + 1] ?? 0, table[entry + 2] ?? 0];
    drawArrowHead(canvas, bar.x, at, bar.width, direction, colour, softInk);
    const baseline = at + direction * Math.round(0.75 * bar.width) + (direction > 0 ? cap : 0);
    drawText(canvas, value, right + Math.round(cap * 0.4), baseline, { size: cap, colour: softInk });
  };
  end(bar.above, y - 2 * line, -1, (COLOURS - 1) * 3);
  end(bar.below, y + bar.height + 2 * line, 1, 0);
  const tickLength = Math.round(cap * 0.4);
  for (const { label, at } of bar.ticks) {
    fillRect(canvas, right, y + at - Math.floor(line / 2), tickLength, line, softInk);
    drawText(canvas, label, right + tickLength + Math.round(cap * 0.4), y + at + cap / 2, { size: cap, colour: ink });
  }
  if (unit !== undefined) {
    const beside = right + tickLength + Math.round(cap * 0.4) + bar.labelWidth + Math.round(0.8 * cap);
    if (isShort(unit, cap)) drawText(canvas, unit, beside, y + (bar.height + cap) / 2, { size: cap, colour: ink });
    else
      drawText(canvas, unit, beside + cap, y + bar.height / 2, {
        size: cap,
        colour: ink,
        anchor: "middle",
        upwards: true,
      });
  }
}

function drawMark(canvas: RgbCanvas, { x, y, width, zoom, cap }: Layout, { column, row, label }: Mark): void {
  const cx = x + (column + 0.5) * zoom;
  const cy = y + (row + 0.5) * zoom;
  const radius = cap * 0.9;
  const line = Math.max(1.5, cap / 7);
  drawRing(canvas, cx, cy, radius, line + 2, ink);
  drawRing(canvas, cx, cy, radius, line, paper);
  if (label === undefined || label === "") return;
  const room = radius + cap * 0.6;
  const isRoomRight = cx + room + textWidth(label, cap) <= x + width;
  const style = { size: cap, colour: paper, halo: ink };
  drawText(canvas, label, cx + (isRoomRight ? room : -room), cy + cap / 2, {
    ...style,
    anchor: isRoomRight ? "start" : "end",
  });
}
