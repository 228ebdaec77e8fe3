import { PNG } from "pngjs";

/** A decoded PNG whose pixels read as `#rrggbb`. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and opacity of each pixel, row by row. */
  readonly data: Uint8Array;
  readonly at: (x: number, y: number) => string;
}

export function decode(png: Uint8Array): Picture {
  const { width, height, data } = PNG.sync.read(Buffer.from(png));
  const hex = (value: number | undefined): string => (value ?? 0).toString(16).padStart(2, "0");
  return {
    width,
    height,
    data,
    at: (x, y) => {
      const i = (y * width + x) * 4;
      return `#${hex(data[i])}${hex(data[i + 1])}${hex(data[i + 2])}`;
    },
  };
}

/** Every place of exactly this colour, row by row. */
export function places({ width, height, data }: Picture, colour: string): [x: number, y: number][] {
  const [red, green, blue] = [1, 3, 5].map((k) => Number.parseInt(colour.slice(k, k + 2), 16));
  const found: [number, number][] = [];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 4)
      if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) found.push([x, y]);
  return found;
}
