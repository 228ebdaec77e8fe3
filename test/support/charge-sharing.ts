import type { Random } from "../../src/core/random.ts";
import { normalCdf } from "../../src/core/special-functions.ts";

export interface ChargeImage {
  readonly rows: number;
  readonly columns: number;
  /** Mean photons per pixel, everywhere or at each place. */
  readonly photonsPerPixel: number | ((row: number, column: number) => number);
  readonly aduPerPhoton: number;
  /** Rms of the Gaussian charge cloud, in pixels. */
  readonly cloudPx: number;
  readonly noiseAdu: number;
  /** Modes of speckle that is one pixel large: the contrast is 1 / modes. @default Infinity, no speckle */
  readonly modes?: number;
}

/**
 * An image of photons at random places of their pixels, each a Gaussian cloud of charge, with read noise; and how many
 * photons there are. Written for tests, apart from the simulated facility.
 */
export function chargeImage(random: Random, image: ChargeImage): { pixels: Float32Array; photons: number } {
  const { rows, columns, photonsPerPixel, aduPerPhoton, cloudPx, noiseAdu, modes = Infinity } = image;
  const pixels = Float32Array.from({ length: rows * columns }, () => noiseAdu * random.normal());
  let photons = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const mean = typeof photonsPerPixel === "number" ? photonsPerPixel : photonsPerPixel(r, c);
      const light = Number.isFinite(modes) ? mean * random.gamma(modes) : mean;
      const number = random.poisson(light);
      photons += number;
      for (let k = 0; k < number; k++) {
        const [down, across] = [shares(random.uniform(), cloudPx), shares(random.uniform(), cloudPx)];
        for (const [dr, y] of down.entries()) {
          const row = r + dr - 1;
          if (row < 0 || row >= rows) continue;
          for (const [dc, x] of across.entries()) {
            const column = c + dc - 1;
            if (column < 0 || column >= columns) continue;
            const i = row * columns + column;
            pixels[i] = (pixels[i] ?? 0) + aduPerPhoton * y * x;
          }
        }
      }
    }
  }
  return { pixels, photons };
}

/** Shares of the charge in the pixel before, its own and the one after, along one side. */
function shares(place: number, cloudPx: number): [before: number, own: number, after: number] {
  const before = normalCdf(-place / cloudPx);
  const after = normalCdf((place - 1) / cloudPx);
  return [before, 1 - before - after, after];
}
