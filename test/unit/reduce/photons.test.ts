import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { erf } from "../../../src/facility/response.ts";
import { aduPerPhoton, droplets, photonCounts, reduce } from "../../../src/reduce/index.ts";
import { rounds } from "../../support/full.ts";
import { frame, of, shotsOf, type TestImage } from "./stack.ts";

const adu = 100;
const rows = 12;
const columns = 10;
const spec = frame(rows, columns);

/** One image of zeros with some pixels set, in photons. */
function imageOf(pixels: Readonly<Record<string, number>>, tag = 1): TestImage {
  const image = new Float32Array(rows * columns);
  for (const [place, photons] of Object.entries(pixels)) {
    const [r = 0, c = 0] = place.split(",").map(Number);
    image[r * columns + c] = photons * adu;
  }
  return { tag, pixels: image };
}

const countsIn = (photons: { get(r: number, c: number): number }): Record<string, number> => {
  const found: Record<string, number> = {};
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) if (photons.get(r, c) > 0) found[`${r},${c}`] = photons.get(r, c);
  return found;
};

describe("photonCounts", () => {
  it("counts a further photon for every further charge beyond the threshold", async () => {
    const image = imageOf({
      "0,0": 0.49,
      "0,1": 0.5,
      "0,2": 1.49,
      "0,3": 1.5,
      "0,4": 7.6,
      "0,5": -3,
      "0,6": NaN,
      "0,7": Infinity,
      "11,9": 655.35,
    });
    const { half, high } = await reduce(shotsOf([image], spec), {
      half: photonCounts({ aduPerPhoton: adu }),
      high: photonCounts({ aduPerPhoton: { A: adu }, threshold: 0.8 }),
    });
    expect(countsIn(of(half).photons)).toEqual({ "0,1": 1, "0,2": 1, "0,3": 2, "0,4": 8, "11,9": 655 });
    expect(countsIn(of(high).photons)).toEqual({ "0,2": 1, "0,3": 1, "0,4": 7, "11,9": 655 });
    expect([...of(half).perShot]).toEqual([1 + 1 + 2 + 8 + 655]);
    expect([...of(half).tags]).toEqual([1]);
  });

  it("gives 153.9 ADU for 10 keV at 17.8 electrons per ADU", () => {
    expect(aduPerPhoton(10_000, 17.8)).toBeCloseTo(10_000 / 3.65 / 17.8, 9);
  });

  it("refuses a sensor it has no charge for, and charges that cannot be", async () => {
    const one = photonCounts({ aduPerPhoton: { B: 100 } });
    await expect(reduce(shotsOf([imageOf({})], spec), { one })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("also A"),
    });
    for (const bad of [0, -1, NaN, { A: 0 }])
      expect(() => photonCounts({ aduPerPhoton: bad })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => aduPerPhoton(10_000, 0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => droplets({ aduPerPhoton: 1, seed: 0.2, low: 0.3 })).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});

/** The definition, word for word: recursive growth, then photons one by one to the pixel with most left. */
function naiveDroplets(image: ArrayLike<number>, seed: number, low: number): { photons: number[]; sums: number[] } {
  const photons: number[] = Array(rows * columns).fill(0);
  const seen = new Set<number>();
  const sums: number[] = [];
  const share = (i: number): number => (image[i] ?? NaN) / adu;
  const grow = (r: number, c: number, into: number[]): void => {
    const i = r * columns + c;
    if (r < 0 || c < 0 || r >= rows || c >= columns || seen.has(i) || !(share(i) >= low) || share(i) === Infinity)
      return;
    seen.add(i);
    into.push(i);
    for (const [dr, dc] of [
      [0, 1],
      [1, 0],
      [0, -1],
      [-1, 0],
    ] as const)
      grow(r + dr, c + dc, into);
  };
  for (let i = 0; i < rows * columns; i++) {
    if (!(share(i) >= seed) || share(i) === Infinity) continue;
    const members: number[] = [];
    grow(Math.floor(i / columns), i % columns, members);
    if (members.length === 0) continue;
    members.sort((a, b) => a - b);
    const left = new Map(members.map((member) => [member, share(member)]));
    const sum = [...left.values()].reduce((a, b) => a + b, 0);
    sums.push(sum);
    for (let n = Math.round(sum); n > 0; n--) {
      const [brightest = 0] = [...left].reduce((best, one) => (one[1] > best[1] ? one : best));
      photons[brightest] = (photons[brightest] ?? 0) + 1;
      left.set(brightest, (left.get(brightest) ?? 0) - 1);
    }
  }
  return { photons, sums };
}

/**
 * Photons of 154 ADU at random places of a detector with read noise, their charge a Gaussian cloud; the truth beside
 * it.
 */
function exposure(cloudUm: number, shots: number): { images: TestImage[]; placed: number[] } {
  const size = 240;
  const random = new Random(5);
  const shareOf = (edge: number, centre: number): number =>
    (1 + erf(((edge - centre) * 50) / (Math.SQRT2 * cloudUm))) / 2;
  const placed: number[] = [];
  const images = Array.from({ length: shots }, (_, tag) => {
    const pixels = Float32Array.from({ length: size * size }, () => 11.2 * random.normal());
    const n = random.poisson(0.03 * (size - 20) ** 2);
    for (let k = 0; k < n; k++) {
      const [x, y] = [10 + (size - 20) * random.uniform(), 10 + (size - 20) * random.uniform()];
      for (let r = Math.floor(y) - 1; r <= y + 1; r++) {
        for (let c = Math.floor(x) - 1; c <= x + 1; c++) {
          const charge = 154 * (shareOf(r + 1, y) - shareOf(r, y)) * (shareOf(c + 1, x) - shareOf(c, x));
          pixels[r * size + c] = (pixels[r * size + c] ?? 0) + charge;
        }
      }
    }
    placed.push(n);
    return { tag, pixels };
  });
  return { images, placed };
}

const total = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

describe("droplets", () => {
  it("put charge shared over two, three and four pixels together, and give the photon to the brightest", async () => {
    const image = imageOf({
      "1,1": 0.55,
      "1,2": 0.45,
      "4,4": 0.4,
      "4,5": 0.3,
      "5,4": 0.3,
      "8,1": 0.9,
      "8,2": 0.7,
      "8,3": 0.4,
      "10,8": 0.2,
      "11,9": 0.25,
    });
    const { found } = await reduce(shotsOf([image], spec), { found: droplets({ aduPerPhoton: adu }) });
    const { photons, perShot, dropletsPerShot, spectrum } = of(found);
    expect(countsIn(photons)).toEqual({ "1,1": 1, "4,4": 1, "8,1": 1, "8,2": 1 });
    expect([...perShot, ...dropletsPerShot]).toEqual([4, 3]);
    // Two droplets of one photon and one of two; what stays below the seed is none.
    expect([spectrum.counts[50], spectrum.counts[100], total(spectrum.counts)]).toEqual([2, 1, 3]);
  });

  it("keep droplets apart that touch at a corner only, and do not run round the edge of the image", async () => {
    const image = imageOf({ "2,2": 0.6, "3,3": 0.6, "5,9": 0.3, "6,0": 0.3 });
    const { found } = await reduce(shotsOf([image], spec), { found: droplets({ aduPerPhoton: adu }) });
    expect(countsIn(of(found).photons)).toEqual({ "2,2": 1, "3,3": 1 });
  });

  it("agree with the definition, also for full and saturated images", async () => {
    // Quarters and eighths of a photon have exact sums, so that rounding cannot hide a difference; they also make ties.
    const pixel = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0, 12.5, -12.5, 25) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }).map((eighths) => 12.5 * eighths) },
      { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, 65_525) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(pixel, { minLength: rows * columns, maxLength: rows * columns }), async (pixels) => {
        const { found } = await reduce(shotsOf([{ tag: 1, pixels }], spec), {
          found: droplets({ aduPerPhoton: adu, seed: 0.375, low: 0.25 }),
        });
        const naive = naiveDroplets(pixels, 0.375, 0.25);
        expect([...of(found).photons.data]).toEqual(naive.photons);
        expect(total(of(found).spectrum.counts) + of(found).spectrum.over).toBe(naive.sums.length);
        expect(of(found).perShot[0]).toBe(total(naive.photons));
      }),
      { numRuns: rounds(60) },
    );
  });

  it("count more photons in one droplet than 30 bits hold, and go on", async () => {
    const spec = frame(2, 4);
    const images = [
      { tag: 1, pixels: [3e9, 0, 0, 0, 0, 0, 1, Infinity] },
      { tag: 2, pixels: [1, 0, 1, 0, 0, 0, 0, 1] },
    ];
    const { found } = await reduce(shotsOf(images, spec), { found: droplets({ aduPerPhoton: 1 }) });
    expect([...of(found).perShot, ...of(found).dropletsPerShot]).toEqual([3_000_000_001, 3, 2, 3]);
    expect([...of(found).photons.data]).toEqual([Math.fround(3e9) + 1, 0, 1, 0, 0, 0, 1, 1]);
  });

  it("take a saturated sensor in bounded time", async () => {
    const { found } = await reduce(
      shotsOf([{ tag: 1, pixels: new Uint16Array(1024 * 512).fill(65_535) }], frame(1024, 512, "A", "uint16")),
      {
        found: droplets({ aduPerPhoton: 154 }),
      },
    );
    expect(of(found).perShot[0]).toBe(Math.round((1024 * 512 * 65_535) / 154));
  });

  it("find all photons of a wide charge cloud where a threshold loses a sixth", async () => {
    const { images, placed } = exposure(12, 10);
    const size = frame(240, 240);
    const { greedy, simple } = await reduce(shotsOf(images, size), {
      greedy: droplets({ aduPerPhoton: 154 }),
      simple: photonCounts({ aduPerPhoton: 154 }),
    });
    expect(total(of(simple).perShot) / total(placed)).toBeLessThan(0.85);
    expect(Math.abs(total(of(greedy).perShot) / total(placed) - 1)).toBeLessThan(0.015);
    // Shot by shot, against the number placed: no Poisson error in this comparison.
    for (const [k, n] of placed.entries()) expect(Math.abs((of(greedy).perShot[k] ?? NaN) / n - 1)).toBeLessThan(0.04);
  });
});
