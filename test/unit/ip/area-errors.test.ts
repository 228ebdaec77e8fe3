import { describe, expect, it } from "vitest";
import { Assembler, type View } from "../../../src/ip/index.ts";
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
