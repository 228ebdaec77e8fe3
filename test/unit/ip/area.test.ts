import fc from "fast-check";
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import type { DetectorInfo } from "../../../src/core/detector.ts";
import { Assembler } from "../../../src/ip/index.ts";
import { rounds } from "../../support/full.ts";
import { sensor } from "./octal.ts";

const sum = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isNaN(value)) total += value;
  }
  return total;
};

const inside = fc.record({
  // Anywhere that keeps the corners of 12 × 12 pixels of 90 µm within 60 × 60 of 50 µm.
  posXUm: fc.double({ min: -20, max: 20, noNaN: true }),
  posYUm: fc.double({ min: -20, max: 20, noNaN: true }),
  rotationDeg: fc.oneof(
    fc.double({ min: -360, max: 360, noNaN: true }),
    fc.constantFrom(-90, 0, 45, 89.9631, 90, 180, 269.925, 270),
  ),
  pixelSizeXUm: fc.double({ min: 10, max: 90, noNaN: true }),
  pixelSizeYUm: fc.double({ min: 10, max: 90, noNaN: true }),
  xsize: fc.integer({ min: 1, max: 12 }),
  ysize: fc.integer({ min: 1, max: 12 }),
});

describe("area", () => {
  it("shares a pixel out by hand calculation", () => {
    // One 50 µm pixel whose corner is a quarter pixel left of a border and half a pixel above one.
    const assembler = new Assembler([sensor("a", { xsize: 1, ysize: 1, posXUm: -12.5, posYUm: 25 })], {
      view: "source",
      method: "area",
      width: 4,
      height: 4,
      gapValue: 0,
    });
    const expected = [0, 0, 0, 0, 0, 1, 3, 0, 0, 1, 3, 0, 0, 0, 0, 0];
    expect([...assembler.assemble([Float32Array.of(8)]).data]).toEqual(expected);
    expect([...assembler.coverage().data]).toEqual(expected.map((v) => v / 8));
  });

  it("shares a pixel turned by 45° out into equal quarters around its centre", () => {
    // At 45° the centre of the pixel lies half its diagonal to the right of its corner (0, 0): here on the beam, where
    // four output pixels meet.
    const half = 50 / Math.SQRT2;
    const assembler = new Assembler([sensor("a", { xsize: 1, ysize: 1, posXUm: -half, posYUm: 0, rotationDeg: 45 })], {
      view: "source",
      method: "area",
      width: 4,
      height: 4,
    });
    expect([5, 6, 9, 10].map((i) => assembler.assemble([Float32Array.of(4)]).data[i]?.toFixed(6))).toEqual(
      Array(4).fill("1.000000"),
    );
  });

  it("halves and doubles with the output pixel: 2 × 2 sensor pixels fall into one of twice the size", () => {
    const info = sensor("a", { xsize: 4, ysize: 4, posXUm: -100, posYUm: 100 });
    const values = Float32Array.from({ length: 16 }, (_, i) => i);
    const coarse = new Assembler([info], { view: "source", method: "area", pixelSizeUm: 100 });
    expect([...coarse.assemble([values]).data]).toEqual([10, 18, 42, 50]);
    expect([...coarse.coverage().data]).toEqual([1, 1, 1, 1]);
    const fine = new Assembler([info], { view: "source", method: "area", pixelSizeUm: 25 });
    expect(fine.assemble([values]).get(3, 5)).toBe(6 / 4);
  });

  it("conserves the intensity of any sensors that lie inside, each unmasked pixel exactly", () => {
    fc.assert(
      fc.property(
        fc.array(inside, { minLength: 1, maxLength: 3 }),
        fc.constantFrom("source", "detector"),
        fc.nat(),
        (fields, view, seed) => {
          const sensors = fields.map((f, i) => sensor(`s${i}`, f));
          const masks = sensors.map(({ xsize, ysize }) =>
            Uint8Array.from({ length: xsize * ysize }, (_, k) => ((k + seed) % 7 === 0 ? 0 : 1)),
          );
          const images = sensors.map(({ xsize, ysize }) =>
            Float32Array.from({ length: xsize * ysize }, (_, k) => ((k * 37 + seed) % 1000) - 100),
          );
          const assembler = new Assembler(sensors, {
            view,
            method: "area",
            width: 70,
            height: 70,
            pixelSizeUm: 50,
            masks,
          });
          const expected = sum(images.flatMap((image, i) => [...image].map((v, k) => v * (masks[i]?.[k] ?? 0))));
          const scale = sum(images.flatMap((image) => [...image].map(Math.abs)));
          expect(Math.abs(sum(assembler.assemble(images).data) - expected)).toBeLessThanOrEqual(1e-6 * scale + 1e-9);
          // The covered area is the sensors' unmasked area.
          const area = sum(
            sensors.map(
              ({ geometry: g }, i) =>
                (sum(masks[i] ?? []) * (g?.pixelSizeXUm ?? NaN) * (g?.pixelSizeYUm ?? NaN)) / 2500,
            ),
          );
          expect(sum(assembler.coverage().data)).toBeCloseTo(area, 3);
        },
      ),
      { numRuns: rounds(150) },
    );
  });

  it("agrees with scattering 60 × 60 points of every sensor pixel", () => {
    fc.assert(
      fc.property(
        inside,
        fc.double({ min: 30, max: 90, noNaN: true }),
        fc.double({ min: 30, max: 90, noNaN: true }),
        (fields, pixelSizeXUm, pixelSizeYUm) => {
          const info = sensor("a", {
            ...fields,
            pixelSizeXUm,
            pixelSizeYUm,
            xsize: Math.min(fields.xsize, 5),
            ysize: Math.min(fields.ysize, 4),
          });
          const values = Float32Array.from({ length: info.xsize * info.ysize }, (_, k) => 1 + (k % 3));
          const assembler = new Assembler([info], {
            view: "source",
            method: "area",
            width: 40,
            height: 40,
            pixelSizeUm: 50,
            gapValue: 0,
          });
          const expected = scatter(assembler, info, values, 60);
          const errors = assembler.assemble([values]).data.map((value, i) => value - (expected[i] ?? NaN));
          // A border along a row of points misplaces at most that row, a sixtieth, of each of the few pixels it cuts.
          expect(Math.max(...errors.map(Math.abs))).toBeLessThan(0.2);
          const covered = assembler.coverage().data.filter((fraction) => fraction > 0).length;
          expect(Math.sqrt(sum(errors.map((e) => e * e)) / covered)).toBeLessThan(0.06);
        },
      ),
      { numRuns: rounds(40) },
    );
  });

  function scatter(assembler: Assembler, info: DetectorInfo, values: Float32Array, n: number): Float64Array {
    const out = new Float64Array(assembler.width * assembler.height);
    for (const [k, value] of values.entries()) {
      for (let i = 0; i < n * n; i++) {
        const row = Math.floor(k / info.xsize) + (Math.floor(i / n) + 0.5) / n;
        const column = (k % info.xsize) + ((i % n) + 0.5) / n;
        const place = assembler.toImage(0, row, column);
        const to = Math.floor(place.row) * assembler.width + Math.floor(place.column);
        out[to] = (out[to] ?? 0) + value / (n * n);
      }
    }
    return out;
  }

  it("adds where sensors overlap, also when the first of them was not read", () => {
    const both = [
      sensor("a", { xsize: 2, ysize: 2, posXUm: -50, posYUm: 50 }),
      sensor("b", { xsize: 2, ysize: 2, posXUm: -50, posYUm: 50 }),
      sensor("c", { xsize: 2, ysize: 2, posXUm: 0, posYUm: 50 }),
    ];
    const assembler = new Assembler(both, { view: "source", method: "area", width: 4, height: 2 });
    const ones = new Float32Array(4).fill(1);
    const twos = new Float32Array(4).fill(2);
    const fours = new Float32Array(4).fill(4);
    const row = (images: (Float32Array | null)[]): number[] => [...assembler.assemble(images).data.subarray(0, 4)];
    expect(row([ones, twos, fours])).toEqual([NaN, 3, 7, 4]);
    expect(row([null, twos, fours])).toEqual([NaN, 2, 6, 4]);
    expect(row([null, null, fours])).toEqual([NaN, NaN, 4, 4]);
    expect(row([ones, null, null])).toEqual([NaN, 1, 1, NaN]);
    expect([...assembler.coverage().data.subarray(0, 4)]).toEqual([0, 2, 3, 1]);
  });

  it("mirrors the source view in the detector view", () => {
    const info = sensor("a", { xsize: 9, ysize: 7, posXUm: -130, posYUm: 210, rotationDeg: 17 });
    const values = Float32Array.from({ length: 63 }, (_, i) => i);
    const draw = (view: "source" | "detector"): ReturnType<Assembler["assemble"]> =>
      new Assembler([info], { view, method: "area", gapValue: -1, width: 25, height: 24 }).assemble([values]);
    const source = draw("source");
    const mirrored = draw("detector").step(1, -1);
    for (let r = 0; r < 24; r++)
      for (let c = 0; c < 25; c++) expect(mirrored.get(r, c)).toBeCloseTo(source.get(r, c), 4);
  });

  it("loses what falls outside, and only that", () => {
    const info = sensor("a", { xsize: 4, ysize: 1, posXUm: -100, posYUm: 25 });
    const assembler = new Assembler([info], { view: "source", method: "area", width: 3, height: 3 });
    expect(sum(assembler.assemble([ndarray(Float32Array.of(8, 1, 1, 8), [1, 4])]).data)).toBe(10);
  });
});
