import { useLayoutEffect, useMemo, useState } from "react";
import type { CallResult } from "../../src/transport/methods.ts";
import { NO_DATA, TOP_LEVEL } from "../live/limits.ts";
import type { ColourMap, Scale } from "../live/look.ts";
import { interpolators } from "./interpolators.ts";
import { scaled } from "./scales.ts";

type Picture = CallResult<"page.picture">["picture"];

const COLOURS = 256;
/** What is shown where there are no data: #1b232d. */
const NO_DATA_COLOUR = rgba([0x1b, 0x23, 0x2d]);

/**
 * A canvas with the levels of a picture in colours. Not as HeatmapMesh of @h5web/lib: without a graphics card WebGL takes
 * several times as long.
 */
export function useLevels(
  picture: Picture,
  domain: readonly [number, number],
  scale: Scale,
  colourMap: ColourMap,
): HTMLCanvasElement {
  const [rows, columns] = picture.shape;
  const [canvas] = useState(() => document.createElement("canvas"));
  const colours = useMemo(() => coloursOf(colourMap), [colourMap]);
  const pixels = useMemo(() => {
    canvas.className = "levels";
    canvas.width = columns;
    canvas.height = rows;
    return new ImageData(columns, rows);
  }, [canvas, rows, columns]);
  useLayoutEffect(() => {
    const table = coloursOfLevels(picture, domain, scale, colours);
    const out = new Uint32Array(pixels.data.buffer);
    const { levels } = picture;
    for (let i = 0; i < out.length; i++) out[i] = table[levels[i] ?? NO_DATA] ?? 0;
    canvas.getContext("2d", { alpha: false })?.putImageData(pixels, 0, 0);
  }, [canvas, pixels, picture, domain, scale, colours]);
  return canvas;
}

/** Where a part that is shown lies in the whole picture, in its pixels. */
export interface PartPlace {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

export function placeOf({ shown, shape, step }: Picture): PartPlace {
  const [row, column] = [shown.rows[0], shown.columns[0]];
  // The last block may stand for fewer pixels than it has room for.
  return { rows: [row, row + shape[0] * step], columns: [column, column + shape[1] * step] };
}

/** The colour of each level: those of one colour lie between two values. */
function coloursOfLevels(
  { low, high }: Picture,
  domain: readonly [number, number],
  scale: Scale,
  colours: Uint32Array,
): Uint32Array {
  const table = new Uint32Array(NO_DATA + 1);
  const perLevel = (high - low) / TOP_LEVEL;
  const { to, from, least } = scaled[scale];
  /** The first level of a value or more. */
  const levelFrom = (value: number): number =>
    perLevel > 0 ? Math.min(NO_DATA, Math.max(0, Math.ceil((value - low) / perLevel))) : value > low ? NO_DATA : 0;
  const [first, last] = [to(domain[0]), to(domain[1])];
  let at = 0;
  for (let i = 0; i < COLOURS; i++) {
    const end = i === COLOURS - 1 ? NO_DATA : levelFrom(from(first + ((i + 1) / COLOURS) * (last - first)));
    table.fill(colours[i] ?? 0, at, Math.max(at, end));
    at = Math.max(at, end);
  }
  // What a scale does not have is no data.
  if (least !== null) table.fill(NO_DATA_COLOUR, 0, levelFrom(least));
  table[NO_DATA] = NO_DATA_COLOUR;
  return table;
}

function coloursOf(colourMap: ColourMap): Uint32Array {
  return Uint32Array.from({ length: COLOURS }, (_, i) => rgba(partsOf(interpolators[colourMap](i / (COLOURS - 1)))));
}

/** As ImageData has it in memory, on little-endian computers, as all with browsers are. */
function rgba([red = 0, green = 0, blue = 0]: readonly number[]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Of `rgb(1, 2, 3)` or `#010203`. */
function partsOf(colour: string): number[] {
  if (colour.startsWith("#")) return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return (colour.match(/[\d.]+/g) ?? []).map(Number);
}
