import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import {
  accumulate,
  darkAverage,
  droplets,
  reduce,
  resultsOf,
  speckleContrast,
  speckleDelays,
} from "../../../src/reduce/index.ts";
import { chargeImage } from "../../support/charge-sharing.ts";
import { cases, itInFull, times } from "../../support/full.ts";
import { type ScriptedShot, scriptedShots } from "../../support/scripted-shots.ts";
import { frame, of, shotsOf, type TestImage } from "../../unit/reduce/stack.ts";

const spec = frame(192, 192);
const noiseAdu = 11.236;

function speckle(seed: number, shots: number, photonsPerPixel: number, aduPerPhoton = 138.5, modes = 4): TestImage[] {
  const random = new Random(seed);
  return Array.from({ length: shots }, (_, tag) => ({
    tag,
    pixels: chargeImage(random, { ...spec, photonsPerPixel, aduPerPhoton, cloudPx: 0.14, noiseAdu, modes }).pixels,
  }));
}

describe("speckleContrast", () => {
  const pixels = [
    [77, 0.3, 24],
    [138.5, 0.1, 24],
    [231, 0.05, 60],
  ] as const;
  it.each(cases(pixels, 1))("holds the truth with photons of %f ADU at %f a pixel", async (adu, photons, shots) => {
    const images = speckle(7, shots, photons, adu);
    const { it: found } = await reduce(shotsOf(images, spec), {
      it: speckleContrast({ aduPerPhoton: adu, noiseAdu }),
    });
    const { contrast, contrastError, photonsPerPixel, photonsPerPixelError, undetermined } = of(found);
    expect(undetermined).toBeNull();
    expect(contrastError).toBeLessThan(0.07);
    expect(Math.abs(contrast - 0.25)).toBeLessThan(3 * contrastError);
    expect(Math.abs(photonsPerPixel - photons)).toBeLessThan(3 * photonsPerPixelError);
  });

  itInFull("has errors that are the scatter", async () => {
    const pulls: number[] = [];
    for (let seed = 0; seed < times(24, 10); seed++) {
      const { it: found } = await reduce(shotsOf(speckle(seed, 4, 0.2), spec), {
        it: speckleContrast({ aduPerPhoton: 138.5, noiseAdu }),
      });
      pulls.push((of(found).contrast - 0.25) / of(found).contrastError);
    }
    const mean = pulls.reduce((a, b) => a + b, 0) / pulls.length;
    const rms = Math.sqrt(pulls.reduce((a, b) => a + b * b, 0) / pulls.length);
    expect(Math.abs(mean)).toBeLessThan(3 / Math.sqrt(pulls.length));
    expect(rms).toBeGreaterThan(0.6);
    expect(rms).toBeLessThan(1.45);
  });

  it("is not known where there are too few photons, and says so", async () => {
    const { it: found } = await reduce(shotsOf(speckle(1, 2, 0.001), spec), {
      it: speckleContrast({ aduPerPhoton: 138.5, noiseAdu }),
    });
    expect(of(found).undetermined).toBe("too-few-photons");
    expect(of(found).contrastError).toBeGreaterThan(1);
  });

  it("takes the noise of the dark average, and counts what the dark is wrong by", async () => {
    const random = new Random(3);
    const darks = Array.from({ length: 6 }, (_, tag) => ({
      tag,
      pixels: Float32Array.from({ length: 192 * 192 }, (_p, i) => 100 + (i % 7) + noiseAdu * random.normal()),
    }));
    const dark = await darkAverage(shotsOf(darks, spec));
    const images = speckle(9, 8, 0.2).map(({ tag, pixels }) => ({
      tag,
      pixels: Float32Array.from(pixels, (x, i) => x + 100 + (i % 7)),
    }));
    const { byDark, byNumber } = await reduce(
      shotsOf(images, spec),
      {
        byDark: speckleContrast({ aduPerPhoton: 138.5, noiseAdu: dark }),
        byNumber: speckleContrast({ aduPerPhoton: 138.5, noiseAdu: noiseAdu * Math.sqrt(7 / 6) }),
      },
      { dark },
    );
    // The noise from six darks is known to 0.3 %, that is 1e-5 of a photon²; the square of the mean is 0.04.
    expect(Math.abs(of(byDark).contrast - of(byNumber).contrast)).toBeLessThan(0.005);
    expect(Math.abs(of(byDark).contrast - 0.25)).toBeLessThan(3 * of(byDark).contrastError);
    expect(of(byDark).photonsPerPixelError).toBeGreaterThan(of(byNumber).photonsPerPixelError);
  });

  itInFull("counts what few dark shots leave unknown, which is the same in all shots", async () => {
    const pulls: number[] = [];
    for (let seed = 0; seed < times(16, 5); seed++) {
      const random = new Random(100 + seed);
      const size = frame(96, 96);
      const noise = () => Float32Array.from({ length: 96 * 96 }, () => noiseAdu * random.normal());
      const dark = await darkAverage(
        shotsOf(
          [0, 1, 2].map((tag) => ({ tag, pixels: noise() })),
          size,
        ),
      );
      const one = { ...size, photonsPerPixel: 0.02, aduPerPhoton: 138.5, cloudPx: 0.1, noiseAdu, modes: 2 };
      const images = Array.from({ length: 60 }, (_, tag) => ({ tag, pixels: chargeImage(random, one).pixels }));
      const { it: found } = await reduce(
        shotsOf(images, size),
        { it: speckleContrast({ aduPerPhoton: 138.5, noiseAdu: dark }) },
        { dark },
      );
      pulls.push((of(found).contrast - 0.5) / of(found).contrastError);
    }
    // Without it the rms is above 2.
    const rms = Math.sqrt(pulls.reduce((a, b) => a + b * b, 0) / pulls.length);
    expect(rms).toBeGreaterThan(0.55);
    expect(rms).toBeLessThan(1.5);
  });

  it("does not take the shape of the illumination for contrast, and leaves bad pixels out", async () => {
    const random = new Random(4);
    const light = Float64Array.from({ length: 192 * 192 }, (_, i) => 1 + 0.8 * Math.sin((i % 192) / 30));
    const images = Array.from({ length: 6 }, (_, tag) => {
      // No sharing here: whole photons.
      const pixels = Float32Array.from(light, (g) => noiseAdu * random.normal() + 138.5 * random.poisson(0.2 * g));
      pixels[50 * 192 + 60] = NaN;
      pixels[51 * 192 + 60] = Infinity;
      return { tag, pixels };
    });
    const map = { shape: [192, 192], get: (r: number, c: number) => light[r * 192 + c] ?? NaN };
    const { even, shaped } = await reduce(shotsOf(images, spec), {
      even: speckleContrast({ aduPerPhoton: 138.5, noiseAdu }),
      shaped: speckleContrast({ aduPerPhoton: 138.5, noiseAdu, illumination: { A: map as never } }),
    });
    expect(of(even).contrast).toBeGreaterThan(0.5);
    expect(Math.abs(of(shaped).contrast)).toBeLessThan(3 * of(shaped).contrastError);
  });

  it("refuses without the noise, and unknown sensors", async () => {
    expect(() => speckleContrast({ aduPerPhoton: 100 } as never)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
    const it = speckleContrast({ aduPerPhoton: 100, noiseAdu: { B: 11 } });
    await expect(reduce(shotsOf(speckle(1, 1, 0.1), spec), { it })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("also A"),
    });
    const empty = await accumulate(shotsOf([], spec), { it: speckleContrast({ aduPerPhoton: 100, noiseAdu: 11 }) });
    expect(resultsOf(empty).it).toEqual({});
  });
});

describe("speckleDelays", () => {
  const id = "delay";
  const [rows, columns] = [96, 96];
  const edges = [0, 10, 20, 30];

  /** Two pulses of equal energy: the same pattern before 10, half of the light changed from 10 on, all from 20 on. */
  function splitShots(count: number): ScriptedShot[] {
    const random = new Random(21);
    return Array.from({ length: count }, (_, k) => {
      const delay = (k % 4) * 10 + 5;
      const changed = [0, 0.5, 1, 1][k % 4] ?? 0;
      const pixels = Float32Array.from({ length: rows * columns }, () => noiseAdu * random.normal());
      for (let i = 0; i < pixels.length; i++) {
        const [first, other] = [random.gamma(2), random.gamma(2)];
        // The second pattern is the first in a share of the pixels: g2 is linear in that.
        const second = random.uniform() < changed ? other : first;
        pixels[i] = (pixels[i] ?? 0) + 138.5 * random.poisson(0.15 * (first + second));
      }
      return { tag: 100 + 2 * k, pixels, signals: { [id]: k === 7 ? "missing" : delay } };
    });
  }

  const make = () =>
    speckleDelays({
      aduPerPhoton: 138.5,
      noiseAdu,
      equipId: id,
      edges,
      oneBranch: { contrast: 0.5, contrastError: 0.002 },
    });

  it("has g2 against delay within its errors, and an account of all shots", async () => {
    const { it: found } = await reduce(scriptedShots(splitShots(120), rows, columns, "float32"), { it: make() });
    const { bins, outside, withoutDelay } = of(found);
    expect([outside, withoutDelay, ...bins.map(({ shots }) => shots)]).toEqual([29, 1, 30, 30, 30]);
    for (const [k, g2] of [1.5, 1.25, 1].entries()) {
      const bin = bins[k];
      if (bin === undefined) throw new Error("no bin");
      expect(bin.delay).toBe(10 * k + 5);
      expect(bin.undetermined).toBeNull();
      expect(bin.g2Error).toBeLessThan(0.1);
      expect(Math.abs(bin.g2 - g2)).toBeLessThan(3 * bin.g2Error);
      expect(Math.abs(bin.contrast - (0.25 + (g2 - 1) / 2))).toBeLessThan(3 * bin.contrastError);
      expect(Math.abs(bin.photonsPerPixel - 0.3)).toBeLessThan(4 * bin.photonsPerPixelError);
    }
  });

  it("merges to the same bits", async () => {
    const shots = splitShots(12);
    const part = (of: readonly ScriptedShot[]) =>
      accumulate(scriptedShots(of, rows, columns, "float32"), { it: make() });
    const [whole, first, second] = [await part(shots), await part(shots.slice(5)), await part(shots.slice(0, 5))];
    first.merge(second);
    expect(resultsOf(first)).toEqual(resultsOf(whole));
  });

  it("refuses bins that are none, and branches without light", () => {
    const good = { aduPerPhoton: 138.5, noiseAdu, equipId: id, edges };
    for (const bad of [{ edges: [1] }, { edges: [1, 1] }, { edges: [0, NaN] }, { equipId: "" }, { branchShare: 1 }])
      expect(() => speckleDelays({ ...good, ...bad })).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("droplets with the read noise", () => {
  it.each(cases([77, 109, 123], 0))("state the false photons of photons of %f ADU, which are rare", async (adu) => {
    const random = new Random(2);
    const dark = Array.from({ length: 30 }, (_, tag) => ({
      tag,
      pixels: Float32Array.from({ length: 192 * 192 }, () => noiseAdu * random.normal()),
    }));
    const { now, loose } = await reduce(shotsOf(dark, spec), {
      now: droplets({ aduPerPhoton: adu, noiseAdu }),
      loose: droplets({ aduPerPhoton: adu, noiseAdu, seed: 0.32, low: 0.25 }),
    });
    for (const { falsePerShot, perShot } of [of(now), of(loose)]) {
      const counted = perShot.reduce((a, b) => a + b, 0);
      const expected = 30 * falsePerShot;
      expect(Math.abs(counted - expected)).toBeLessThan(4 * Math.sqrt(expected) + 0.03 * expected + 1);
    }
    // 1.3 of 192 × 192 pixels are 17 of 1024 × 512.
    expect(of(now).falsePerShot).toBeLessThan(1.3);
    const { unknown } = await reduce(shotsOf(dark.slice(0, 1), spec), { unknown: droplets({ aduPerPhoton: adu }) });
    expect(of(unknown).falsePerShot).toBeNaN();
  });

  it("count 0.001 photons a pixel at 7 keV", async () => {
    const random = new Random(8);
    let placed = 0;
    const images = Array.from({ length: 24 }, (_, tag) => {
      const one = { ...spec, photonsPerPixel: 0.001, aduPerPhoton: 107.7, cloudPx: 0.14, noiseAdu };
      const { pixels, photons } = chargeImage(random, one);
      placed += photons;
      return { tag, pixels };
    });
    const { found } = await reduce(shotsOf(images, spec), { found: droplets({ aduPerPhoton: 107.7, noiseAdu }) });
    const counted = of(found).perShot.reduce((a, b) => a + b, 0) - 24 * of(found).falsePerShot;
    expect(Math.abs(counted / placed - 1)).toBeLessThan(0.04);
  });

  const photons = [
    [77, 0.001, 24],
    [77, 0.03, 6],
    [77, 0.3, 3],
    [107.7, 0.03, 6],
    [154, 0.3, 3],
    [231, 0.3, 3],
  ] as const;
  it.each(cases(photons, 1, 4))(
    "correct what thresholds lose of photons of %f ADU at %f a pixel",
    async (adu, photonsPerPixel, shots) => {
      const random = new Random(12);
      let placed = 0;
      const images = Array.from({ length: shots }, (_, tag) => {
        const one = { ...spec, photonsPerPixel, aduPerPhoton: adu, cloudPx: 0.14, noiseAdu };
        const { pixels, photons } = chargeImage(random, one);
        placed += photons;
        return { tag, pixels };
      });
      const { found } = await reduce(shotsOf(images, spec), { found: droplets({ aduPerPhoton: adu, noiseAdu }) });
      const { corrected, perShot, warnings } = of(found);
      if (corrected === null) throw new Error("no correction");
      // At 5 keV 12 % are lost.
      expect(perShot.reduce((a, b) => a + b, 0)).toBeLessThan(placed);
      expect(Math.abs(corrected.photons - placed)).toBeLessThan(0.004 * placed + 2.5 * corrected.photonsError);
      expect(corrected.photonsError).toBeLessThan(0.02 * placed + 3 * Math.sqrt(0.15 * placed));
      expect(Math.abs(corrected.cloudPx - 0.14)).toBeLessThan(photonsPerPixel < 0.01 ? 0.04 : 0.015);
      expect(warnings[0]).toContain("use speckleContrast");
    },
  );

  it("are not corrected without the noise, or with few photons", async () => {
    const images = speckle(3, 1, 0.001);
    const { few } = await reduce(shotsOf(images, spec), { few: droplets({ aduPerPhoton: 138.5, noiseAdu }) });
    expect(of(few).corrected).toBeNull();
    const { unknown } = await reduce(shotsOf(speckle(3, 1, 0.1), spec), { unknown: droplets({ aduPerPhoton: 138.5 }) });
    expect(of(unknown).corrected).toBeNull();
  });
});
