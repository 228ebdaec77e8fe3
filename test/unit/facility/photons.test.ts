import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import type { Pattern } from "../../../src/facility/pattern.ts";
import { addDensePhotons, addPhotons, type Exposure, makeLotteries } from "../../../src/facility/photons.ts";
import { delayFs, edgePixel, erf, pumpResponse } from "../../../src/facility/response.ts";

const SIZE = 1024 * 512;
// So few ADU that thousands of shots in one image do not saturate.
const plain: Exposure = { aduPerPhoton: 2, intensity: 1, ringFactors: [1], cloudUm: 1.2 };
const ring = { dSpacingAngstrom: 2, photons: 1, sigmaUm: 100 };

/** Expected photons in a few pixels of one row, half of them rings. */
function patternOf(entries: Readonly<Record<number, number>>): Pattern {
  const expected = new Float32Array(SIZE);
  const ringShare = new Uint8Array(SIZE);
  for (const [i, photons] of Object.entries(entries)) {
    expected[Number(i)] = photons;
    ringShare[Number(i)] = photons > 2 ? 255 : 0;
  }
  return {
    expected,
    ringShare,
    ringOf: new Uint8Array(SIZE),
    rings: [ring],
    total: Object.values(entries).reduce((a, b) => a + b, 0),
  };
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1) };
}

/** Photons per shot, and the ADU left in the image after all shots. */
function shoot(pattern: Pattern, exposure: Exposure, shots: number): { numbers: number[]; image: Float32Array } {
  const lotteries = makeLotteries(pattern);
  const random = new Random(1);
  const image = new Float32Array(SIZE);
  const numbers = Array.from({ length: shots }, () => addPhotons(pattern, lotteries, exposure, random, image));
  return { numbers, image };
}

describe("photons drawn one by one", () => {
  const pattern = patternOf({ [512 * 500 + 100]: 4, [512 * 500 + 300]: 1.5, [512 * 501 + 200]: 0.5 });

  it("are Poisson distributed in number: variance equals mean", () => {
    const { numbers } = shoot(pattern, plain, 4000);
    const { mean, variance } = moments(numbers);
    expect(mean).toBeCloseTo(6, 0);
    expect(Math.abs(mean - 6)).toBeLessThan(4 * Math.sqrt(6 / 4000));
    // Standard error of a Poisson variance ratio: √((2 + 1/6) / 4000) = 2.3 %.
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.1);
  });

  it("fall on pixels in proportion to what is expected, and keep their charge", () => {
    const { numbers, image } = shoot(pattern, plain, 4000);
    const photons = numbers.reduce((a, b) => a + b, 0);
    // Nothing is near an edge or saturation, so all charge is there but for rounding.
    expect(image.reduce((a, b) => a + b, 0) / 2 / photons).toBeCloseTo(1, 2);
    const around = (pixel: number): number => {
      let sum = 0;
      for (let dr = -1; dr <= 1; dr++) for (let dc = -1; dc <= 1; dc++) sum += image[pixel + dr * 512 + dc] ?? 0;
      return sum / 2 / 4000;
    };
    expect(Math.abs(around(512 * 500 + 100) - 4)).toBeLessThan(5 * Math.sqrt(4 / 4000));
    expect(Math.abs(around(512 * 500 + 300) - 1.5)).toBeLessThan(5 * Math.sqrt(1.5 / 4000));
  });

  it("share charge with neighbours in some 5 to 15 % of hits", () => {
    const lone = patternOf({ [512 * 500 + 100]: 0.2 });
    const lotteries = makeLotteries(lone);
    const random = new Random(3);
    let [hits, split] = [0, 0];
    const image = new Float32Array(SIZE);
    for (let k = 0; k < 20_000; k++) {
      image.fill(0, 512 * 499, 512 * 502);
      if (addPhotons(lone, lotteries, { ...plain, aduPerPhoton: 100 }, random, image) !== 1) continue;
      hits++;
      if ((image[512 * 500 + 100] ?? 0) < 90) split++;
    }
    expect(split / hits).toBeGreaterThan(0.05);
    expect(split / hits).toBeLessThan(0.15);
  });

  it.each([0.9, 1.1])("change on rings only when the laser gives a factor of %f", (ringFactor) => {
    const { image } = shoot(pattern, { ...plain, ringFactors: [ringFactor] }, 6000);
    const lit = (image[512 * 500 + 100] ?? 0) / 12_000;
    const rest = (image[512 * 500 + 300] ?? 0) / 12_000;
    const unshared = lit / (4 * ringFactor);
    expect(unshared).toBeGreaterThan(0.9);
    expect(Math.abs(rest / 1.5 / unshared - 1)).toBeLessThan(0.06);
  });

  it("lose charge over the edge of the sensor and stop at saturation", () => {
    const corner = patternOf({ 0: 2, [SIZE - 1]: 2 });
    const { image, numbers } = shoot(corner, { ...plain, aduPerPhoton: 5000 }, 200);
    expect(Math.max(image[0] ?? 0, image[SIZE - 1] ?? 0)).toBe(65535);
    expect(numbers.reduce((a, b) => a + b, 0)).toBeGreaterThan(600);
    // Nothing wraps round to the other side of the sensor.
    expect(image[511]).toBe(0);
    expect(image[SIZE - 512]).toBe(0);
  });
});

describe("photons drawn pixel by pixel", () => {
  it("have the mean and variance of Poisson counts, few or many", () => {
    const expected = new Float32Array(SIZE).fill(0.5, 0, SIZE / 2).fill(50, SIZE / 2);
    const image = new Float32Array(SIZE);
    addDensePhotons({ ...patternOf({}), expected }, plain, new Random(5), image);
    for (const [from, mean] of [
      [0, 0.5],
      [SIZE / 2, 50],
    ] as const) {
      const counts = moments([...image.subarray(from, from + SIZE / 2)].map((v) => v / 2));
      expect(Math.abs(counts.mean / mean - 1)).toBeLessThan(0.01);
      expect(Math.abs(counts.variance / mean - 1)).toBeLessThan(0.02);
    }
  });
});

describe("responses", () => {
  // NIST Handbook table 7.2 values of erf.
  it.each([
    [0, 0],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [-2, -0.995322265],
    [6, 1],
  ])("erf(%f) is %f", (x, value) => {
    expect(erf(x)).toBeCloseTo(value, 6);
  });

  const pump = { t0Pulse: 1000, riseFs: 100, recoveryFs: 5000 };

  it("is nothing long before t0, half at t0, whole after, and recovers", () => {
    expect(pumpResponse(pump, -1e6)).toBe(0);
    expect(pumpResponse(pump, -500)).toBeCloseTo(0, 6);
    expect(pumpResponse(pump, 0)).toBeCloseTo(0.5, 1);
    expect(pumpResponse(pump, 400)).toBeCloseTo(Math.exp(-400 / 5000), 2);
    expect(pumpResponse(pump, 5000)).toBeCloseTo(Math.exp(-1), 3);
  });

  it("is the step convolved with the pulse, by numerical integration", () => {
    for (const tau of [-150, -20, 60, 250, 3000]) {
      let sum = 0;
      for (let t = 0; t < 60_000; t += 1) sum += Math.exp(-t / 5000) * Math.exp(-0.5 * ((tau - t - 0.5) / 100) ** 2);
      expect(pumpResponse(pump, tau)).toBeCloseTo(sum / (100 * Math.sqrt(2 * Math.PI)), 3);
    }
  });

  it("agree on the sign: the users' formula gives back the delay", () => {
    const tau = delayFs(pump, 1100, 55);
    expect(tau).toBeCloseTo(667.1 + 55, 9);
    expect(6.671 * 100 + 2.6 * (1000 - edgePixel(55, 30_000))).toBeCloseTo(tau, 9);
    expect(edgePixel(0, 30_039)).toBeCloseTo(1000 - (39 * 6.671) / 2.6, 9);
  });
});
