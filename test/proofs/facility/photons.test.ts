import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import type { Pattern } from "../../../src/facility/pattern.ts";
import { delayFs, edgePixel, erf, pumpResponse } from "../../../src/facility/response.ts";
import { type Exposure, type Light, sensorCanvas } from "../../../src/facility/sensor-canvas.ts";

const SIZE = 1024 * 512;
// So few ADU that thousands of shots in one image do not saturate.
const plain: Exposure = { aduPerPhoton: 2, intensity: 1, ringFactors: [1], cloudUm: 1.2 };
const canvas = sensorCanvas();
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

let patterns = 0;

/** A pattern on an empty canvas, with random numbers of its own. */
function lightOf(pattern: Pattern, seed: number): Light {
  canvas.image.fill(0);
  canvas.seed(new Random(seed));
  return canvas.light(`test ${patterns++}`, () => pattern);
}

/** Photons per shot, and the ADU left in the image after all shots. */
function shoot(pattern: Pattern, exposure: Exposure, shots: number): { numbers: number[]; image: Uint16Array } {
  const light = lightOf(pattern, 1);
  const numbers = Array.from({ length: shots }, () => canvas.addPhotons(light, exposure));
  return { numbers, image: canvas.image };
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
    const light = lightOf(lone, 3);
    const { image } = canvas;
    let [hits, split] = [0, 0];
    for (let k = 0; k < 20_000; k++) {
      image.fill(0, 512 * 499, 512 * 502);
      if (canvas.addPhotons(light, { ...plain, aduPerPhoton: 100 }) !== 1) continue;
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
    const light = lightOf({ ...patternOf({}), expected }, 5);
    canvas.addDensePhotons(light, plain);
    const { image } = canvas;
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

describe("Poisson numbers", () => {
  /** Chance of each number, by the recursion of its logarithm. */
  const chances = (mean: number): number[] => {
    let logarithm = -mean;
    return Array.from({ length: 400 }, (_, n) => {
      if (n > 0) logarithm += Math.log(mean / n);
      return Math.exp(logarithm);
    });
  };

  // 64 is where tables end and the normal distribution begins.
  it.each([0.03, 0.26, 1, 7.9, 63.9, 64.1, 150])("of mean %f are as often as they should be", (mean) => {
    canvas.addDensePhotons(lightOf({ ...patternOf({}), expected: new Float32Array(SIZE).fill(mean) }, 11), plain);
    const counts = new Float64Array(400);
    for (const adu of canvas.image) counts[adu / 2] = (counts[adu / 2] ?? 0) + 1;
    let [chi2, freedom, wanted, found] = [0, -1, 0, 0];
    for (const [n, chance] of chances(Math.fround(mean)).entries()) {
      wanted += chance * SIZE;
      found += counts[n] ?? 0;
      // Numbers of fewer than 100 are taken together with the next.
      if (wanted < 100) continue;
      chi2 += (found - wanted) ** 2 / wanted;
      freedom++;
      [wanted, found] = [0, 0];
    }
    // 4.5 σ of the χ² distribution.
    expect(chi2).toBeLessThan(freedom + 4.5 * Math.sqrt(2 * freedom));
  });

  it("of neighbours do not know of each other", () => {
    canvas.addDensePhotons(lightOf({ ...patternOf({}), expected: new Float32Array(SIZE).fill(3.3) }, 12), plain);
    for (const step of [1, 2, 512]) {
      let sum = 0;
      for (let i = step; i < SIZE; i++)
        sum += ((canvas.image[i] ?? 0) / 2 - 3.3) * ((canvas.image[i - step] ?? 0) / 2 - 3.3);
      expect(Math.abs(sum / (SIZE - step) / 3.3)).toBeLessThan(5 / Math.sqrt(SIZE));
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
