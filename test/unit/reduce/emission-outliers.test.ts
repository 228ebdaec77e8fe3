import ndarray from "ndarray";
import { expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import {
  createStack,
  darkAverage,
  emissionMaps,
  emissionPixelAt,
  emissionSpectrum,
  reduce,
  shotsFrom,
} from "../../../src/reduce/index.ts";

const [rows, columns] = [64, 256];
const curve = {
  axis: "columns",
  rows,
  columns,
  middleEv: 7050,
  halfEv: 20,
  middlePx: 31.5,
  halfPx: 31.5,
  coefficients: [128, 120, 4, 5, 6, 0],
  covariance: Array.from({ length: 6 }, () => [0, 0, 0, 0, 0, 0]),
} as const;

/** A line at 7055 eV, brighter in the middle rows, on a background; so many photons in a row. */
function lineOf(perRow: number): Uint32Array {
  const random = new Random(5);
  const photons = new Uint32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const bright = perRow * Math.exp(-0.5 * ((row - 32) / 14) ** 2);
    for (let k = random.poisson(bright); k > 0; k--) {
      const place = Math.round(emissionPixelAt(curve, 7055 + 1.2 * random.normal(), row));
      photons[row * columns + place] = (photons[row * columns + place] ?? 0) + 1;
    }
    for (let k = random.poisson(perRow / 10); k > 0; k--) {
      const i = row * columns + Math.floor(columns * random.uniform());
      photons[i] = (photons[i] ?? 0) + 1;
    }
  }
  return photons;
}

it("a spectrum is without the tracks of cosmic particles, and keeps a line however bright", () => {
  for (const perRow of [15, 100, 1000]) {
    const photons = lineOf(perRow);
    const clean = emissionSpectrum(ndarray(photons.slice(), [rows, columns]), curve);
    expect(clean.outliers).toBe(0);
    // A track over 12 pixels, far from the line.
    for (let k = 0; k < 12; k++) {
      const i = (20 + k) * columns + 40 + k;
      photons[i] = (photons[i] ?? 0) + 8 + perRow / 4;
    }
    const { outliers, perEv, error } = emissionSpectrum(ndarray(photons, [rows, columns]), curve);
    expect(outliers).toBeGreaterThan(80);
    expect(outliers).toBeLessThan(160);
    for (const [k, value] of perEv.entries())
      expect(Math.abs(value - (clean.perEv[k] ?? NaN))).toBeLessThan(2 * (error[k] ?? NaN));
  }
});

it("outliers are counted among the pixels that would have been used", () => {
  const photons = lineOf(100);
  photons[25 * columns + 40] = 100;
  const image = ndarray(photons, [rows, columns]);
  // The hot pixel is left out with two pixels around it on each side.
  expect(emissionSpectrum(image, curve).outliers).toBe(25);
  const use = new Uint8Array(rows * columns).fill(1);
  for (let row = 0; row < rows; row++) use[row * columns + 38] = 0;
  expect(emissionSpectrum(image, curve, { mask: ndarray(use, [rows, columns]) }).outliers).toBe(20);
  expect(emissionSpectrum(image, curve, { across: [24, 64] }).outliers).toBe(20);
  expect(emissionSpectrum(image, curve, { across: [40, 64] }).outliers).toBe(0);
});

it("maps and spectrum leave out dead pixels: they do not count as pixels without photons", async () => {
  const random = new Random(6);
  const shots = (photons: number) => {
    const stack = createStack([3, rows, columns], "float32");
    for (let i = 0; i < stack.data.length; i++)
      stack.data[i] = i % columns === 150 ? NaN : 100 + 5 * random.normal() + (i % 97 < photons ? 150 : 0);
    return shotsFrom({ sensor: stack });
  };
  const dark = await darkAverage(shots(0));
  const { maps } = await reduce(shots(1), { maps: emissionMaps({ aduPerPhoton: 150, noiseAdu: dark }) }, { dark });
  const photons = maps["sensor"]?.sample.photons;
  if (photons === undefined) throw new Error("no map");
  expect(photons.data.filter(Number.isNaN)).toHaveLength(rows);
  const all = emissionSpectrum(ndarray(new Float64Array(rows * columns), [rows, columns]), curve);
  const pixels = (spectrum: typeof all): number => spectrum.pixels.reduce((sum, n) => sum + n, 0);
  expect(pixels(all) - pixels(emissionSpectrum(photons, curve))).toBe(rows);
});
