import ndarray from "ndarray";
import { expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { calibrateEmission, calibrationShots, emissionEnergyErrorAt } from "../../../src/reduce/index.ts";

const [rows, columns, width, perRow] = [32, 128, 3, 120];

/** Maps of six energies; each line lies so many pixels off its place. */
function mapsOf(off: (k: number) => number, seed: number) {
  const random = new Random(seed);
  return Array.from({ length: 6 }, (_, k) => {
    const photons = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++)
      for (let n = random.poisson(perRow); n > 0; n--) {
        const column = Math.round(19 + 18 * k + off(k) + width * random.normal());
        photons[row * columns + column] = (photons[row * columns + column] ?? 0) + 1;
      }
    return { energyEv: 7000 + 10 * k, photons: ndarray(photons, [rows, columns]) };
  });
}

it("errors of the scale hold that lines moved as a whole from energy to energy", () => {
  const still = calibrateEmission(mapsOf(() => 0, 1));
  expect(still.lineScatterPx).toBe(0);
  const errorPx = ({ covariance }: typeof still): number => Math.sqrt(covariance[0]?.[0] ?? NaN);
  expect(errorPx(still)).toBeLessThan(0.05);
  const moved = calibrateEmission(mapsOf((k) => [0.6, -0.6, 0.5, -0.7, 0.8, -0.6][k] ?? 0, 1));
  expect(moved.lineScatterPx).toBeGreaterThan(0.5);
  expect(moved.lineScatterPx).toBeLessThan(1.3);
  // Of the middle of a parabola through six lines.
  expect(errorPx(moved) / moved.lineScatterPx).toBeGreaterThan(0.5);
  expect(errorPx(moved) / moved.lineScatterPx).toBeLessThan(0.8);
  expect(moved.errorScale).toBe(1);
});

it("errors of a straight scale of two energies hold how much it may bend between them", () => {
  const [first, , , , , last] = mapsOf(() => 0, 2);
  if (first === undefined || last === undefined) throw new Error("no maps");
  const curve = calibrateEmission([first, last]);
  expect(curve.coefficients[2]).toBe(0);
  // tan² θ h² / 2E with tan² θ = 10: 10 · 25² / (2 · 7025) eV; nothing at the two energies.
  expect(emissionEnergyErrorAt(curve, 7025)).toBeCloseTo(0.445, 2);
  expect(emissionEnergyErrorAt(curve, 7000)).toBeLessThan(0.1);
});

it("says what energies the run has, where none is in the range of the calibration", () => {
  const column = {
    equipId: "mono/energy",
    unit: "eV",
    tags: Uint32Array.of(1, 2),
    values: Float64Array.of(7000, 7100),
  };
  const range = { fromEv: 8000, toEv: 8100 };
  expect(() => calibrationShots(column, range)).toThrow(
    "No shot has mono/energy from 8000 to 8100 eV: the run has 7000 to 7100 eV.",
  );
  expect(() => calibrationShots({ ...column, values: Float64Array.of(NaN, NaN) }, range)).toThrow("no number at all");
});
