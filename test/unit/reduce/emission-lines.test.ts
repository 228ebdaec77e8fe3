import ndarray from "ndarray";
import { expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { emissionSpectrum, fitEmissionLines } from "../../../src/reduce/index.ts";

const [rows, columns] = [16, 400];
const curve = {
  axis: "columns",
  rows,
  columns,
  middleEv: 7050,
  halfEv: 40,
  middlePx: 7.5,
  halfPx: 7.5,
  coefficients: [199.5, 200, 0, 0, 0, 0],
  covariance: Array.from({ length: 6 }, () => [0, 0, 0, 0, 0, 0]),
  blurRmsEv: 0.8,
} as const;

/** A line of 4000 photons at 7058 eV, 3.4 eV wide, on a background of 6000 that grows with the energy or does not. */
function spectrumOf(seed: number, isSloped: boolean) {
  const random = new Random(seed);
  const photons = new Float64Array(rows * columns);
  const add = (energyEv: number): void => {
    const column = Math.round(199.5 + 5 * (energyEv - 7050));
    const i = Math.floor(rows * random.uniform()) * columns + column;
    if (column >= 0 && column < columns) photons[i] = (photons[i] ?? 0) + 1;
  };
  for (let k = 0; k < 4000; k++) add(7058 + 1.7 * Math.tan(Math.PI * (random.uniform() - 0.5)) + 0.6 * random.normal());
  for (let k = 0; k < 6000; k++) add(7010 + 80 * (isSloped ? Math.sqrt(random.uniform()) : random.uniform()));
  return emissionSpectrum(ndarray(photons, [rows, columns]), curve);
}

it("a background that grows with the energy is no line, and moves none", () => {
  const { lines, backgroundSlope } = fitEmissionLines(spectrumOf(1, true), curve);
  expect(lines).toHaveLength(1);
  const [line] = lines;
  expect(Math.abs((line?.energyEv ?? NaN) - 7058)).toBeLessThan(3 * (line?.energyErrorEv ?? 0));
  expect(Math.abs((line?.photons ?? NaN) - 4000)).toBeLessThan(3.5 * (line?.photonsError ?? 0));
  expect(Math.abs(backgroundSlope - 1)).toBeLessThan(0.15);
  const even = fitEmissionLines(spectrumOf(1, false), curve);
  expect([even.lines.length, even.backgroundSlope]).toEqual([1, 0]);
});
