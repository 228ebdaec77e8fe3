import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { renderImageAside } from "../../../src/plot/image.ts";
import { type ImageOptions, renderImage } from "../../../src/plot/index.ts";
import { robustRange } from "../../../src/plot/pixels.ts";
import { decode, type Picture, places } from "./picture.ts";

const SIDE = 400;
const corner = "#ff00ff";

/** An image at one screen pixel per pixel whose first pixel is a gap, so that its place in the picture can be found. */
function draw(
  fill: (row: number, column: number) => number,
  options: ImageOptions = {},
): (row: number, column: number) => string {
  const data = new Float32Array(SIDE * SIDE);
  for (let i = 0; i < data.length; i++) data[i] = fill(Math.floor(i / SIDE), i % SIDE);
  data[0] = NaN;
  return reader(decode(renderImage(asImage(data, SIDE, SIDE), { gapColour: corner, ...options })));
}

function reader(picture: Picture): (row: number, column: number) => string {
  const [[x0, y0] = [NaN, NaN]] = places(picture, corner);
  return (row, column) => picture.at(x0 + column, y0 + row);
}

// Ends and middle as matplotlib prints them: matplotlib.colors.to_hex(cm.viridis(0 | 128 | 255)).
const viridis = { low: "#440154", middle: "#21918c", high: "#fde725" };

describe("renderImageAside", () => {
  it("gives the bytes of renderImage, for images that follow each other too", async () => {
    const images = [1, 2, 3].map((scale) =>
      asImage(
        Float32Array.from({ length: 4096 }, (_, i) => scale * i),
        64,
        64,
      ),
    );
    const aside = await Promise.all(images.map(async (image) => await renderImageAside(image, { title: "one" })));
    expect(aside).toEqual(images.map((image) => renderImage(image, { title: "one" })));
  });
});

describe("renderImage", () => {
  it("tells at the colour bar the extremes of all pixels, also where blocks of them are averaged", () => {
    const picture = (hot: number): Picture => {
      const data = new Float32Array(800 * 800).fill(0.5);
      [data[0], data[1]] = [hot, 1 - hot];
      return decode(renderImage(asImage(data, 800, 800), { maxWidth: 400, range: [0, 1] }));
    };
    // The mean of the block is 0.5 in both; above the bar there is room for an arrow and a number only where one is.
    expect(picture(3).height).toBeGreaterThan(picture(0.5).height);
  });

  it("gives each value the map's colour, row 0 at the top, column 0 at the left", () => {
    const at = draw((row, column) => (row === 7 && column === 300 ? 255 : row === 300 && column === 7 ? 128.5 : 0), {
      range: [0, 256],
    });
    expect(at(7, 300)).toBe(viridis.high);
    expect(at(300, 7)).toBe(viridis.middle);
    expect(at(300, 300)).toBe(viridis.low);
  });

  it("clips values outside the range and infinities to the ends", () => {
    const special = [-5, 500, Infinity, -Infinity];
    const at = draw((row, column) => (row === 5 ? (special[column] ?? 50) : 50), { range: [0, 100] });
    expect([at(5, 0), at(5, 1), at(5, 2), at(5, 3)]).toEqual([viridis.low, viridis.high, viridis.high, viridis.low]);
  });

  it("shows the middle of a log range at its geometric mean, zero and negative values lowest", () => {
    const special = [100.5, 0, -3, Infinity, -Infinity, 1e4];
    const at = draw((row, column) => (row === 5 ? (special[column] ?? 1) : 1), { range: [1, 10_000], scale: "log" });
    expect([0, 1, 2, 3, 4, 5].map((column) => at(5, column))).toEqual([
      viridis.middle,
      viridis.low,
      viridis.low,
      viridis.high,
      viridis.low,
      viridis.high,
    ]);
  });

  it("draws NaN, a gap value and a gap mask in the gap colour, and keeps them out of the default range", () => {
    const byValue = draw((row, column) => (row < 200 ? -1e6 : column), { gap: -1e6 });
    expect(byValue(100, 100)).toBe(corner);
    expect(byValue(300, 0)).toBe(viridis.low);
    expect(byValue(300, 399)).toBe(viridis.high);
    expect(byValue(300, 201)).toBe(viridis.middle);

    const mask = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i < 200 * SIDE ? 1 : 0));
    const byMask = draw((row, column) => (row < 200 ? -1e6 : column), { gap: asImage(mask, SIDE, SIDE) });
    expect(byMask(199, 399)).toBe(corner);
    expect(byMask(200, 201)).toBe(viridis.middle);
  });

  it("has a colour for gaps that is not in the map", () => {
    const picture = decode(renderImage(asImage(new Float32Array(SIDE * SIDE).fill(NaN), SIDE, SIDE)));
    expect(places(picture, "#d6dae0").length).toBeGreaterThan(0.95 * SIDE * SIDE);
  });

  it("draws a colour bar as high as the image, from the highest colour to the lowest", () => {
    const picture = decode(
      renderImage(asImage(new Float32Array(SIDE * SIDE).fill(50), SIDE, SIDE), { range: [0, 100], unit: "ADU" }),
    );
    const top = places(picture, viridis.high);
    const bottom = places(picture, viridis.low);
    const middle = places(picture, viridis.middle);
    const [x, yTop] = top[0] ?? [NaN, NaN];
    const [xLow, yBottom] = bottom.at(-1) ?? [NaN, NaN];
    expect(xLow - x).toBeGreaterThan(5);
    expect(yBottom - yTop + 1).toBe(SIDE);
    // The constant image has the middle colour, and lies left of the bar.
    expect(middle.filter(([column]) => column < x).length).toBe(SIDE * SIDE);
    expect(middle.filter(([column]) => column === x).map(([, y]) => y - yTop)).toContain(SIDE / 2 - 1);
  });

  it("puts tick labels to the right of the bar where their values are", () => {
    const plain = decode(renderImage(asImage(new Float32Array(SIDE * SIDE).fill(50), SIDE, SIDE), { range: [0, 110] }));
    const [x = NaN] = places(plain, viridis.high).at(-1) ?? [];
    const yTop = places(plain, viridis.high)[0]?.[1] ?? NaN;
    const tickRows = Array.from({ length: plain.height }, (_, y) => y).filter((y) => plain.at(x + 3, y) === "#5c636e");
    // Ticks at 100, 80, … 0 of 0 … 110 on 400 rows.
    expect(tickRows.map((y) => y - yTop)).toEqual([36, 109, 181, 254, 326, 399]);
  });

  it("averages whole blocks for the screen, without NaN, and says gap where a block has none", () => {
    const data = new Float64Array(800 * 800).fill(10);
    data[0] = data[1] = data[800] = data[801] = NaN;
    // One block of 6, 2 and two NaN: mean 4 of the range 0 … 8, the middle.
    data[2] = 6;
    data[3] = 2;
    data[802] = data[803] = NaN;
    const at = reader(
      decode(renderImage(asImage(data, 800, 800), { maxWidth: 400, range: [0, 8], gapColour: corner })),
    );
    expect([at(0, 0), at(0, 1), at(0, 2)]).toEqual([corner, viridis.middle, viridis.high]);
    expect(decode(renderImage(asImage(data, 800, 800), { maxWidth: 400 })).width).toBeLessThan(600);
  });

  it("keeps a block at the edge that is not whole", () => {
    const data = new Float32Array(401 * 401);
    data[401 * 401 - 1] = 8;
    const picture = decode(renderImage(asImage(data, 401, 401), { maxWidth: 201, range: [0, 8], axes: false }));
    // The last block is one pixel, which keeps its value; the rest of that colour is the bar's.
    const high = places(picture, viridis.high);
    const [barX = NaN] = high[0] ?? [];
    expect(high.filter(([x]) => x < barX)).toHaveLength(1);
  });

  it("magnifies small images by a whole number", () => {
    const at = decode(renderImage(asImage(Float32Array.from([NaN, 0, 0, 0]), 2, 2), { gapColour: corner }));
    const found = places(at, corner);
    expect(found).toHaveLength(180 * 180);
  });

  it("rings a mark at the centre of its pixel and labels it", () => {
    const data = new Float32Array(SIDE * SIDE);
    data[0] = NaN;
    const options: ImageOptions = { range: [0, 1], gapColour: corner, marks: [{ column: 200, row: 100 }] };
    const at = reader(decode(renderImage(asImage(data, SIDE, SIDE), options)));
    expect(at(100, 200)).toBe(viridis.low);
    for (const [row, column] of [
      [100, 209],
      [100, 191],
      [109, 200],
      [91, 200],
    ] as const) {
      expect(at(row, column)).toBe("#ffffff");
    }
    const labelled = reader(
      decode(renderImage(asImage(data, SIDE, SIDE), { ...options, marks: [{ column: 200, row: 100, label: "H" }] })),
    );
    const beside = Array.from({ length: 10 }, (_, k) => labelled(100, 213 + k));
    expect(beside).toContain("#ffffff");
    expect(Array.from({ length: 10 }, (_, k) => at(100, 213 + k))).not.toContain("#ffffff");
  });

  it("shows differences symmetrically: zero near white, negative blue, positive red", () => {
    const at = draw((row) => (row < 100 ? -4 : row < 200 ? 1 : 0), { colourMap: "difference" });
    const parts = (colour: string): number[] => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    const [lowRed = 0, , lowBlue = 0] = parts(at(50, 50));
    const [highRed = 0, , highBlue = 0] = parts(at(150, 50));
    expect(lowBlue).toBeGreaterThan(lowRed + 50);
    expect(highRed).toBeGreaterThan(highBlue + 20);
    expect(Math.min(...parts(at(300, 50)))).toBeGreaterThan(235);
  });

  it("draws a strided view as it draws a copy, in both precisions", () => {
    const whole = asImage(
      Float32Array.from({ length: 900 }, (_, i) => i),
      30,
      30,
    );
    const view = whole.lo(5, 10).hi(20, 10);
    const copy = Float64Array.from({ length: 200 }, (_, i) => (Math.floor(i / 10) + 5) * 30 + (i % 10) + 10);
    expect(renderImage(view)).toEqual(renderImage(asImage(copy, 20, 10)));
    const turned = Float32Array.from({ length: 200 }, (_, i) => copy[(i % 20) * 10 + Math.floor(i / 20)] ?? NaN);
    expect(renderImage(view.transpose(1, 0))).toEqual(renderImage(asImage(turned, 10, 20)));
  });

  it.each([
    ["all NaN", new Float32Array(12).fill(NaN)],
    ["constant", new Float32Array(12).fill(-7)],
    ["all zero", new Float32Array(12)],
    ["only infinities", Float32Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? Infinity : -Infinity))],
    ["tiny", Float32Array.from({ length: 12 }, (_, i) => i * 1e-40)],
    ["huge", Float64Array.from({ length: 12 }, (_, i) => i * 1e300)],
  ])("draws an image that is %s, linear and log", (_, data) => {
    for (const scale of ["linear", "log"] as const) {
      const picture = decode(renderImage(asImage(data, 3, 4), { scale }));
      expect(picture.width).toBeGreaterThan(picture.height);
    }
  });

  it("draws one pixel, and one row", () => {
    expect(decode(renderImage(asImage(new Float32Array([3]), 1, 1))).width).toBeGreaterThan(360);
    expect(decode(renderImage(asImage(new Float32Array(2000), 1, 2000))).width).toBeGreaterThan(2000);
  });

  it("widens the picture for a long title instead of cutting it", () => {
    const image = asImage(new Float32Array(64), 8, 8);
    expect(decode(renderImage(image, { title: "x".repeat(200) })).width).toBeGreaterThan(
      decode(renderImage(image)).width + 500,
    );
  });

  const image = asImage(new Float32Array(6), 2, 3);
  it.each<[string, () => unknown, string]>([
    ["an unknown colour map", () => renderImage(image, { colourMap: "jet" as "magma" }), "viridis"],
    ["a reversed range", () => renderImage(image, { range: [2, 1] }), "low < high"],
    ["a NaN range", () => renderImage(image, { range: [NaN, 1] }), "low < high"],
    ["a log range from 0", () => renderImage(image, { range: [0, 1], scale: "log" }), "0 < low"],
    ["a difference on a log scale", () => renderImage(image, { colourMap: "difference", scale: "log" }), "linear"],
    ["a mark outside", () => renderImage(image, { marks: [{ column: 3, row: 0 }] }), "marks[0].column is 3"],
    ["a maxWidth of 0", () => renderImage(image, { maxWidth: 0 }), "maxWidth is 0"],
    ["a colour by name", () => renderImage(image, { gapColour: "red" }), "#d6dae0"],
    ["a mask of another shape", () => renderImage(image, { gap: asImage(new Uint8Array(6), 3, 2) }), "[2, 3]"],
    ["an empty image", () => renderImage(asImage(new Float32Array(0), 0, 4)), "at least one row"],
    ["a misspelt option", () => renderImage(image, { colorMap: "gray" } as ImageOptions), "colorMap"],
  ])("refuses %s", (_, call, words) => {
    expect(call).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(words) }));
  });
});

describe("robustRange", () => {
  it("ignores hot pixels, and agrees with the whole image where it looks at a part of it", () => {
    const columns = 1024;
    const data = new Float32Array(512 * columns);
    for (let i = 0; i < data.length; i++) data[i] = i % 1000 === 3 ? 1e6 : (i * 7919) % 10_007;
    const range = robustRange({ data, rows: 512, columns }, false);
    const sorted = data.slice().sort();
    expect(Math.abs(range.low - (sorted[Math.round(0.01 * sorted.length)] ?? NaN))).toBeLessThan(20);
    expect(Math.abs(range.high - (sorted[Math.round(0.995 * sorted.length)] ?? NaN))).toBeLessThan(20);
  });

  it("takes the whole range of an image that is nearly all zero", () => {
    const data = new Float32Array(10_000);
    data[77] = 40;
    expect(robustRange({ data, rows: 100, columns: 100 }, false)).toEqual({ low: 0, high: 40, log: false });
  });

  it("looks at positive values only on a log scale", () => {
    const data = Float32Array.from({ length: 1000 }, (_, i) => i - 900);
    const { low, high } = robustRange({ data, rows: 10, columns: 100 }, true);
    expect([low, high]).toEqual([2, 99]);
  });
});
