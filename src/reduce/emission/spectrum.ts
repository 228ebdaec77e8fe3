import { badArgument } from "../../core/guards.ts";
import { type NdArray, shapeOf } from "../../core/ndarray.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { dispersionAt, type EmissionCurve, emissionEnergyAt, extentOf } from "./curve.ts";
import { lineMap } from "./line-map.ts";
import { outlierPixels } from "./outlier-pixels.ts";

export interface EmissionSpectrumOptions {
  /** Width of the bins. @default the dispersion in the middle of the sensor: one pixel */
  readonly binEv?: number | undefined;
  /** Pixels across the dispersive axis to use, [first, end). @default all */
  readonly across?: readonly [first: number, end: number] | undefined;
  /** Pixels to use: 1, to leave out: 0, shape [rows, columns]. @default all */
  readonly mask?: NdArray | undefined;
}

/** Photons against their energy; arrays have one entry per bin. */
export interface EmissionSpectrum {
  /** Mean energy of the pixels of a bin, eV, ascending. */
  readonly energyEv: Float64Array;
  /** Photons counted: whole numbers. */
  readonly photons: Float64Array;
  /** Photons per eV, as if all of the sensor's rows had the bin. */
  readonly perEv: Float64Array;
  /** Standard error of `perEv` from the number of photons; that of one photon where there was none. */
  readonly error: Float64Array;
  /** What the number of photons was divided by, eV. */
  readonly exposureEv: Float64Array;
  /** How many pixels belong to the bin. */
  readonly pixels: Float64Array;
  readonly binEv: number;
  /** Photons outside the bins, and on pixels that were left out. */
  readonly outside: number;
  /**
   * Pixels left out because they, or one next to them, had many more photons than others of their energy: tracks of
   * cosmic particles, hot pixels. Those outside `across`, and those that `mask` leaves out, do not count.
   */
  readonly outliers: number;
}

/** Bins to which less of the sensor belongs than this are left out: where its ends are oblique. */
const LEAST_SHARE = 0.5;

/**
 * A straightened spectrum: each pixel's photons go to the bin of its energy, whole, so that the numbers stay those of
 * counted photons and their errors independent. What differs in size and number of the pixels of a bin is divided out.
 * Pixels with many more photons than others of their energy, and those around them, are left out (`outliers`).
 * @throws BAD_ARGUMENT when the photons have another shape than the curve was calibrated with
 */
export function emissionSpectrum(
  photons: NdArray,
  curve: EmissionCurve,
  options: EmissionSpectrumOptions = {},
): EmissionSpectrum {
  const { binEv, across, mask } = resolveOptions("emissionSpectrum", options, {
    binEv: optional(finite(Number.MIN_VALUE)),
    across: any,
    mask: any,
  });
  const shape = shapeOf("photons", photons);
  if (shape[0] !== curve.rows || shape[1] !== curve.columns)
    throw badArgument("photons", shape, `of shape [${curve.rows}, ${curve.columns}], as the calibration`);
  const extent = extentOf(curve);
  const [first, end] = options.across ?? [0, extent.across];
  if (!(Number.isInteger(first) && Number.isInteger(end) && first >= 0 && first < end && end <= extent.across))
    throw badArgument("across", across, `[first, end) within 0 to ${extent.across}`);
  const width = binEv ?? 1 / Math.abs(dispersionAt(curve, curve.middleEv, curve.middlePx));
  const map = lineMap(photons, curve.axis, mask);
  const out = outlierPixels(map, curve, width);
  const use = map.use.map((used, i) => (out[i] === 1 ? 0 : used));
  let outliers = 0;
  for (let i = first * map.along; i < end * map.along; i++) if (out[i] === 1 && map.use[i] === 1) outliers++;
  return { ...binned({ ...map, use }, curve, [first, end], width), outliers };
}

function binned(
  { along, photons, use }: ReturnType<typeof lineMap>,
  curve: EmissionCurve,
  [first, end]: readonly [number, number],
  binEv: number,
): Omit<EmissionSpectrum, "outliers"> {
  const bins = new Map<number, { photons: number; exposure: number; moment: number; size: number; pixels: number }>();
  let all = 0;
  for (let b = first; b < end; b++) {
    for (let a = 0; a < along; a++) {
      const i = b * along + a;
      all += photons[i] ?? 0;
      const energy = emissionEnergyAt(curve, a, b);
      if (use[i] !== 1 || !Number.isFinite(energy)) continue;
      const size = Math.abs(emissionEnergyAt(curve, a + 0.5, b) - emissionEnergyAt(curve, a - 0.5, b));
      if (!Number.isFinite(size)) continue;
      const number = Math.floor(energy / binEv);
      const bin = bins.get(number) ?? { photons: 0, exposure: 0, moment: 0, size: 0, pixels: 0 };
      bin.photons += photons[i] ?? 0;
      bin.exposure += size / (end - first);
      bin.moment += energy * size;
      bin.size += size;
      bin.pixels++;
      bins.set(number, bin);
    }
  }
  const full = [...bins.values()].map(({ exposure }) => exposure).sort((a, b) => a - b)[bins.size >> 1] ?? NaN;
  const kept = [...bins]
    .filter(([, { exposure }]) => exposure >= LEAST_SHARE * full)
    .sort(([a], [b]) => a - b)
    .map(([, bin]) => bin);
  const column = (of: (bin: (typeof kept)[number]) => number): Float64Array => Float64Array.from(kept, of);
  return {
    energyEv: column(({ moment, size }) => moment / size),
    photons: column((bin) => bin.photons),
    perEv: column((bin) => bin.photons / bin.exposure),
    error: column((bin) => Math.sqrt(Math.max(1, bin.photons)) / bin.exposure),
    exposureEv: column(({ exposure }) => exposure),
    pixels: column(({ pixels }) => pixels),
    binEv,
    outside: all - kept.reduce((sum, bin) => sum + bin.photons, 0),
  };
}
