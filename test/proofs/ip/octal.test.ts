import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { Assembler } from "../../../src/ip/index.ts";
import { octal } from "../../unit/ip/octal.ts";

const sum = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isNaN(value)) total += value;
  }
  return total;
};

/** First and last column and row of each sensor: each is drawn in its number, all in one picture. */
function occupiedByEach(assembler: Assembler): { columns: [number, number]; rows: [number, number] }[] {
  const { data } = assembler.assemble(assembler.sensors.map((_, i) => new Float32Array(512 * 1024).fill(i)));
  const found = assembler.sensors.map(() => ({
    columns: [Infinity, -1] as [number, number],
    rows: [Infinity, -1] as [number, number],
  }));
  for (let r = 0; r < assembler.height; r++) {
    for (let c = 0; c < assembler.width; c++) {
      const { columns, rows } = found[data[r * assembler.width + c] ?? NaN] ?? {};
      if (columns === undefined || rows === undefined) continue;
      if (c < columns[0]) columns[0] = c;
      if (c > columns[1]) columns[1] = c;
      if (r < rows[0]) rows[0] = r;
      if (r > rows[1]) rows[1] = r;
    }
  }
  return found;
}

describe("area, of a whole octal", () => {
  const assembler = new Assembler(octal, { view: "source", method: "area", relativeGain: false });
  const images = octal.map((_, i) => {
    const image = new Float32Array(512 * 1024);
    for (let k = 0; k < image.length; k++) image[k] = (k * (i + 3)) % 251;
    return image;
  });

  it("keeps the intensity, its coverage inside a sensor is 1, and the same memory gives the same picture again", () => {
    const first = assembler.assemble(images);
    expect(Math.abs(sum(first.data) / sum(images.map(sum)) - 1)).toBeLessThan(1e-8);
    expect(assembler.coverage().get(400, 600)).toBeCloseTo(1, 6);
    const bytes = assembler.mapBytes;
    const second = assembler.assemble(images, { out: ndarray(new Float32Array(2399 * 2399).fill(7), [2399, 2399]) });
    expect(Buffer.from(second.data.buffer).equals(Buffer.from(first.data.buffer))).toBe(true);
    expect(assembler.mapBytes).toBe(bytes);
    expect(bytes).toBeLessThan(80e6);
  });
});

describe("published places of the octal's sensors", () => {
  // Computed by hand from the published positions: columns, rows of MPCCD-8-2-001 in the source view.
  const source = [
    [141, 1165, 165, 678],
    [142, 1166, 701, 1213],
    [193, 1216, 1236, 1747],
    [193, 1216, 1769, 2281],
    [1184, 2207, 118, 629],
    [1184, 2208, 652, 1165],
    [1232, 2256, 1186, 1698],
    [1232, 2256, 1720, 2232],
  ];
  // cctbx xfel/cxi/cspad_ana/cspad_tbx.py, tiles of 22 Sep 2015: slow0, fast0, slow1, fast1 of sensors 5, 6, 7, 8, 1,
  // 2, 3, 4.
  const mirrored = [
    [5, 112, 189, 622, 1212],
    [6, 647, 188, 1156, 1212],
    [7, 1180, 140, 1691, 1163],
    [8, 1714, 140, 2226, 1163],
    [1, 159, 1231, 671, 2254],
    [2, 694, 1230, 1206, 2253],
    [3, 1229, 1180, 1740, 2203],
    [4, 1762, 1180, 2274, 2202],
  ];

  it("has DataConvert's size", () => {
    const { width, height, pixelSizeUm } = new Assembler(octal, { view: "source" });
    expect([width, height, pixelSizeUm]).toEqual([2399, 2399, 50]);
  });

  it("agrees with the source view within a pixel", () => {
    const places = occupiedByEach(new Assembler(octal, { view: "source", relativeGain: false }));
    for (const [i, { columns, rows }] of places.entries()) {
      const expected = source[i] ?? [];
      for (const [k, edge] of [...columns, ...rows].entries())
        expect(Math.abs(edge - (expected[k] ?? NaN))).toBeLessThanOrEqual(1);
    }
  });

  it("agrees with cctbx's tiles in the detector view: middles within 7 pixels", () => {
    const places = occupiedByEach(new Assembler(octal, { view: "detector", relativeGain: false }));
    expect(places).toHaveLength(mirrored.length);
    for (const [number = 0, slow0 = NaN, fast0 = NaN, slow1 = NaN, fast1 = NaN] of mirrored) {
      // Middles, because the tiles are unturned rectangles, and ours overhang by up to 2 pixels as they are turned.
      const { columns, rows } = places[number - 1] ?? { columns: [NaN, NaN], rows: [NaN, NaN] };
      expect(Math.abs(columns[0] + columns[1] - fast0 - fast1) / 2).toBeLessThanOrEqual(7);
      expect(Math.abs(rows[0] + rows[1] - slow0 - slow1) / 2).toBeLessThanOrEqual(7);
    }
  });
});
