import { describe, expect, it, vi } from "vitest";
import { alignToGrid, Overlaps } from "../../../src/ip/align-to-grid.ts";
import { areaErrors } from "../../../src/ip/area-errors.ts";
import { resolveAssembly } from "../../../src/ip/assembler-options.ts";
import { Assembler, type View } from "../../../src/ip/index.ts";
import { Cells } from "../../../src/ip/overlap.ts";
import { boundsOf } from "../../../src/ip/placement.ts";
import { sensor } from "./octal.ts";

const [rows, columns] = [5, 4];
const size = { ysize: rows, xsize: columns };
const sensors = [
  sensor("A", { ...size, posXUm: -120, posYUm: 90, rotationDeg: 8, absGain: 17 }),
  // Half a pixel over the first, with other pixels and gain.
  sensor("B", { ...size, posXUm: 40, posYUm: 110, rotationDeg: -95, absGain: 20, pixelSizeXUm: 42, pixelSizeYUm: 61 }),
];
const masks = [Uint8Array.from({ length: rows * columns }, (_, i) => (i === 6 ? 0 : 1)), null];
const errors = sensors.map((_, k) => Float64Array.from({ length: rows * columns }, (_e, i) => 1 + ((7 * i + k) % 5)));

/** Weight of every sensor pixel in every pixel of the picture: what a picture of that one pixel holds. */
function weights(assembler: Assembler): Float64Array[] {
  const zeros = sensors.map(() => new Float64Array(rows * columns));
  return zeros.flatMap((image) =>
    Array.from(image, (_, i) => {
      image[i] = 1;
      const picture = Float64Array.from(assembler.assemble(zeros).data);
      image[i] = 0;
      return picture;
    }),
  );
}

describe("errors of an assembled picture", () => {
  for (const method of ["nearest", "area"] as const) {
    for (const view of ["source", "detector"] satisfies View[]) {
      it(`are the root of the summed squares of weight × error: ${method}, ${view} view`, () => {
        const assembler = new Assembler(sensors, { view, method, masks });
        const all = weights(assembler);
        const sigma = errors.flatMap((list) => [...list]);
        const found = assembler.assembleErrors(errors).data;
        const expected = Array.from(found, (_, pixel) =>
          Math.sqrt(all.reduce((sum, weight, i) => sum + ((weight[pixel] ?? 0) * (sigma[i] ?? 0)) ** 2, 0)),
        );
        expect(found.filter(Number.isFinite).length).toBeGreaterThan(30);
        // A gap in the one is a gap in the other.
        expect([...found].map(Number.isNaN)).toEqual(expected.map(Number.isNaN));
        for (const [pixel, value] of found.entries())
          if (!Number.isNaN(value)) expect(value).toBeCloseTo(expected[pixel] ?? NaN, 5);
      });
    }
  }

  it("are missing where a sensor was not read, and NaN where a sensor pixel has none", () => {
    const assembler = new Assembler(sensors, { view: "source", method: "area" });
    const onlyA = assembler.assembleErrors([errors[0], null]).data;
    expect([...onlyA].map(Number.isNaN)).toEqual([...assembler.assemble([errors[0], null]).data].map(Number.isNaN));
    const unknown = Float64Array.from(errors[0] ?? []).fill(NaN, 9, 10);
    const without = assembler.assembleErrors([unknown, null]).data.filter(Number.isFinite).length;
    expect(without).toBeLessThan(onlyA.filter(Number.isFinite).length);
    expect(() => assembler.assembleErrors([errors[0]])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("errors of large sensors that are nearly in line with the picture", () => {
  const turned = [
    sensor("A", { ysize: 190, xsize: 150, posXUm: -9_000, posYUm: 6_000, rotationDeg: -89.9 }),
    sensor("B", { ysize: 120, xsize: 170, posXUm: 1_000, posYUm: 4_013, rotationDeg: 0.2 }),
  ];
  const uses = turned.map(({ xsize, ysize }) => Uint8Array.from({ length: xsize * ysize }, (_, i) => +(i % 97 > 3)));
  const images = turned.map(({ xsize, ysize }) =>
    Float64Array.from({ length: xsize * ysize }, (_, i) => (i % 1013 === 500 ? NaN : 1 + (i % 7))),
  );
  const { canvas, placements } = resolveAssembly(turned, { view: "source" });
  const inputs = images.map((pixels, i) => ({ pixels, offset: 0, dark: false, gain: 1 + i / 10 }));

  it("are those of cut pixels, and only the edges are cut", () => {
    const expected = new Float64Array(canvas.width * canvas.height).fill(-1);
    for (const [i, placement] of placements.entries()) {
      const cells = new Cells(placement, canvas, uses[i] ?? null);
      for (let to = 0; to < expected.length; to++) {
        const n = cells.under(Math.floor(to / canvas.width), to % canvas.width);
        let sum = 0;
        for (let k = 0; k < n; k++)
          sum +=
            ((cells.weights[k] ?? 0) * (1 + i / 10) * (images[i]?.[cells.base + (cells.offsets[k] ?? 0)] ?? 0)) ** 2;
        if (n > 0) expected[to] = Math.max(0, expected[to] ?? 0) + sum;
      }
    }
    const cut = vi.spyOn(Cells.prototype, "under");
    const found = new Float32Array(expected.length);
    areaErrors(canvas, placements, uses, inputs, -7, found);
    const pixels = expected.filter((square) => square !== -1).length;
    expect(pixels).toBeGreaterThan(40_000);
    expect(cut.mock.calls.length).toBeLessThan(0.1 * pixels);
    cut.mockRestore();
    for (const [to, square] of expected.entries()) {
      const [own, other] = [found[to] ?? 0, square === -1 ? -7 : Math.sqrt(square)];
      // Rounded to float32: one last place is allowed where the rounding of the sums decides.
      if (!Object.is(own, Math.fround(other)) && !(Math.abs(own / other - 1) < 1.2e-7))
        expect([to, own]).toEqual([to, other]);
    }
  });

  it("are found by formula to 10⁻¹² of what cutting gives", () => {
    let worst = 0;
    for (const placement of placements) {
      const aligned = alignToGrid(placement, canvas);
      const [overlaps, cells] = [new Overlaps(placement, canvas, aligned), new Cells(placement, canvas, null)];
      const { rows, columns } = boundsOf(placement, canvas);
      for (let row = rows[0]; row < rows[1]; row += 7)
        for (let column = columns[0]; column < columns[1]; ) {
          const from = overlaps.find(row, column);
          const length = from < 0 ? 0 : overlaps.lengthFrom(row, column, from, columns[1]);
          if (length > 0) overlaps.measure();
          for (let k = 0; k < length; k++) {
            const areas = overlaps.areas.map((area, i) => area + k * (overlaps.growths[i] ?? 0));
            const sum = (weights: Float64Array): number => weights.reduce((total, weight) => total + weight ** 2, 0);
            const n = cells.under(row, column + k);
            worst = Math.max(worst, Math.abs(sum(areas) / sum(cells.weights.subarray(0, n)) - 1));
          }
          column += Math.max(1, length);
        }
    }
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(1e-12);
  });
});
