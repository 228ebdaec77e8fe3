import { interpolateInferno, interpolateMagma, interpolateRdBu, interpolateViridis } from "d3-scale-chromatic";
import { badArgument } from "../core/guards.ts";
import type { Rgb } from "./canvas.ts";
import type { ColourMap } from "./colour-map-names.ts";

/** Colours in a map. */
export const COLOURS = 256;

const colourAt: Readonly<Record<ColourMap, (t: number) => string>> = {
  viridis: interpolateViridis,
  magma: interpolateMagma,
  inferno: interpolateInferno,
  gray: (t) => {
    const level = Math.round(t * 255);
    return `rgb(${level}, ${level}, ${level})`;
  },
  difference: (t) => interpolateRdBu(1 - t),
};

/** The map as 256 × 3 bytes, lowest value first. */
export function colourTable(map: ColourMap): Uint8Array {
  const table = new Uint8Array(COLOURS * 3);
  for (let i = 0; i < COLOURS; i++) table.set(parseColour("colour", colourAt[map](i / (COLOURS - 1))), i * 3);
  return table;
}

/** A colour that the map does not contain, for pixels without a value. */
export function defaultGapColour(map: ColourMap): Rgb {
  if (map === "gray") return [58, 90, 145];
  return map === "difference" ? [150, 156, 164] : [214, 218, 224];
}

/** `#rrggbb` or `rgb(r, g, b)` as numbers. @throws BAD_ARGUMENT when it is neither */
export function parseColour(name: string, text: string): Rgb {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  if (hex !== null) return [parseInt(hex[1] ?? "", 16), parseInt(hex[2] ?? "", 16), parseInt(hex[3] ?? "", 16)];
  const rgb = /^rgb\((\d{1,3}), *(\d{1,3}), *(\d{1,3})\)$/.exec(text);
  if (rgb !== null) return [Number(rgb[1]), Number(rgb[2]), Number(rgb[3])];
  throw badArgument(name, text, "a colour such as #d6dae0");
}
