import type { Random } from "../../src/core/random.ts";
import { createStack, reduce, shotsFrom, speckleContrast } from "../../src/reduce/index.ts";
import { chargeImage } from "../../test/support/charge-sharing.ts";
import type { CoverageCase, Estimate } from "./cover.ts";

const [rows, columns, modes] = [128, 128, 4];
const noiseAdu = 11.236;

/** Speckle of contrast 1/4 on small images with a charge cloud of 7 μm, at 5, 9 and 15 keV. */
function speckleCase(shots: number, signal: "weak" | "strong", photonsPerPixel: number, adu: number): CoverageCase {
  return {
    what: `speckleContrast, ${photonsPerPixel} photons a pixel of ${adu} ADU`,
    shots,
    signal,
    run: async (random) => {
      const found = await estimate(random, shots, photonsPerPixel, adu);
      return found;
    },
  };
}

async function estimate(
  random: Random,
  shots: number,
  photonsPerPixel: number,
  aduPerPhoton: number,
): Promise<Record<string, Estimate>> {
  const stack = createStack([shots, rows, columns], "float32");
  for (let k = 0; k < shots; k++) {
    const one = { rows, columns, photonsPerPixel, aduPerPhoton, cloudPx: 0.14, noiseAdu, modes };
    stack.data.set(chargeImage(random, one).pixels, k * rows * columns);
  }
  const { speckle } = await reduce(shotsFrom({ A: stack }), { speckle: speckleContrast({ aduPerPhoton, noiseAdu }) });
  const result = speckle["A"];
  if (result === undefined) throw new Error("no result");
  return {
    "contrast of a shot": {
      value: result.perShot.contrast[0] ?? NaN,
      error: result.perShot.contrastError[0] ?? NaN,
      truth: 1 / modes,
      // From 16 blocks of the image.
      freedom: 15,
    },
    contrast: { value: result.contrast, error: result.contrastError, truth: 1 / modes },
    "photons per pixel": {
      value: result.photonsPerPixel,
      error: result.photonsPerPixelError,
      truth: photonsPerPixel,
    },
  };
}

export const cases: readonly CoverageCase[] = [3, 10].flatMap((shots) => [
  speckleCase(shots, "weak", 0.03, 138.5),
  speckleCase(shots, "strong", 0.1, 77),
  speckleCase(shots, "strong", 0.2, 138.5),
  speckleCase(shots, "strong", 0.3, 231),
]);
