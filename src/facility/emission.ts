import { exp } from "../core/portable-math.ts";
import { hash, Random } from "../core/random.ts";
import type { Emission, EmissionLineTruth, RunSeries } from "./experiment.ts";
import { emissionParameters, mpccdParameters } from "./parameters.ts";
import type { Pattern } from "./pattern.ts";

const { xsize, ysize } = mpccdParameters;
const { middleEv, evPerPixel, bendPixelPerEv2, curvePixel, tiltPixel, blurEv, background } = emissionParameters;

/** The lines where they really are: each seed has its own chemical shift. */
export function emissionLines({ lines }: Emission, seed: number): EmissionLineTruth[] {
  const random = new Random(hash(seed, "emission lines"));
  return lines.map((line) => ({ ...line, energyEv: line.energyEv + (2 * random.uniform() - 1) }));
}

/** The energy of an image that calibrates, eV; NaN of any other image. */
export function calibrationEvAt({ emission }: RunSeries, exposedIndex: number): number {
  if (emission === undefined || exposedIndex < 0) return NaN;
  return emission.calibrationEv[Math.floor(exposedIndex / emission.imagesPerEnergy)] ?? NaN;
}

/** Expected photons of the sensor, of lines or of the light that calibrates; some of them lie anywhere. */
export function emissionPattern(lines: readonly EmissionLineTruth[]): Pattern {
  const expected = new Float32Array(xsize * ysize);
  const photons = lines.reduce((sum, line) => sum + line.photons, 0);
  const everywhere = (background * photons) / expected.length;
  for (let row = 0; row < ysize; row++) {
    const fromMiddle = row - (ysize - 1) / 2;
    const shift = (xsize - 1) / 2 + tiltPixel * fromMiddle + curvePixel * fromMiddle * fromMiddle;
    for (let column = 0; column < xsize; column++) {
      const [energyEv, perPixelEv] = energyAt(column - shift);
      let density = 0;
      for (const line of lines) density += line.photons * lineDensity(energyEv, line);
      expected[row * xsize + column] = everywhere + ((1 - background) * density * perPixelEv) / ysize;
    }
  }
  const none = { ringShare: new Uint8Array(expected.length), ringOf: new Uint8Array(expected.length), rings: [] };
  return { ...none, expected, total: expected.reduce((sum, value) => sum + value, 0) };
}

/** Energy, and eV a pixel, so many pixels from where the middle energy is: pixels = δ / evPerPixel + bend · δ². */
function energyAt(pixels: number): readonly [energyEv: number, perPixelEv: number] {
  const slope = 1 / evPerPixel;
  const root = Math.sqrt(slope * slope + 4 * bendPixelPerEv2 * pixels);
  return [middleEv + (root - slope) / (2 * bendPixelPerEv2), 1 / root];
}

/** Places and weights of a Gaussian of rms 1 to the sixth moment (Gauss and Hermite). */
const GAUSS = [
  [-Math.sqrt(3), 1 / 6],
  [0, 2 / 3],
  [Math.sqrt(3), 1 / 6],
] as const;

/** Share of a line's photons per eV: a Lorentzian blurred by the crystal; light of the monochromator is the blur. */
function lineDensity(energyEv: number, { energyEv: at, fwhmEv }: EmissionLineTruth): number {
  const off = energyEv - at;
  if (fwhmEv === 0) return exp(-0.5 * (off / blurEv) ** 2) / (Math.sqrt(2 * Math.PI) * blurEv);
  const half = fwhmEv / 2;
  return GAUSS.reduce(
    (sum, [by, weight]) => sum + (weight * half) / Math.PI / ((off - by * blurEv) ** 2 + half * half),
    0,
  );
}
