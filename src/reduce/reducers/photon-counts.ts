import ndarray, { type NdArray } from "ndarray";
import { photonsPerAdu } from "../../core/detector.ts";
import { asFinite, badArgument } from "../../core/guards.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import type { ImageSpec } from "../../core/shots.ts";
import { addCounts } from "../engine/accumulators.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { haveLimits } from "./lit-counts.ts";
import { PhotonFinder, PhotonTotals } from "./photon-finder.ts";

/** ADU of one photon: one number, or by sensor id where the sensors' gains differ. */
export type AduPerPhoton = number | Readonly<Record<string, number>>;

/**
 * ADU of one photon on an MPCCD: E / (3.65 eV · gain) (cheetah and ostrich, public SFX pipelines at SACLA).
 *
 * @param absGain - e⁻/ADU, `absGain` of the sensor's information
 * @example
 * aduPerPhoton(10_000, 17.8); // 153.9
 */
export function aduPerPhoton(photonEnergyEv: number, absGain: number): number {
  return (
    1 /
    photonsPerAdu(
      asFinite("absGain", absGain, Number.MIN_VALUE),
      asFinite("photonEnergyEv", photonEnergyEv, Number.MIN_VALUE),
    )
  );
}

export interface PhotonCountOptions {
  /** See {@link aduPerPhoton} for how to compute it; 1 when the images are in photons already. */
  readonly aduPerPhoton: AduPerPhoton;
  /**
   * What counts as the first photon, in photons; every further one needs one more.
   * @default 0.5, rounding to the nearest
   */
  readonly threshold?: number | undefined;
}

/** What {@link photonCounts} gives. */
export interface PhotonCounts {
  /** Photons in each pixel over all shots, shape [rows, columns]. */
  readonly photons: NdArray<Uint32Array>;
  /** Photons in each shot, in the order of `tags`. */
  readonly perShot: Float64Array;
  readonly tags: Uint32Array;
  /** What the result must not be used for. */
  readonly warnings: readonly string[];
}

/** Of photons counted with thresholds. */
export const NOT_FOR_CONTRAST =
  "Contrast of speckle from these counts is wrong, because shared photons are put into the wrong pixels: " +
  "use speckleContrast.";

/**
 * Photons by threshold: a pixel of x photons' worth of charge holds ⌊x − threshold⌋ + 1 photons from x = threshold on.
 * Fast, but a photon whose charge spreads over several pixels may be counted not at all or twice: with the 7 μm charge
 * cloud of 300 μm of silicon a threshold of 0.5 loses 5 to 7 % of the photons and 0.8 nearly half (table in
 * docs/reductions.md; see {@link droplets}). The contrast of speckle cannot be had from thresholds: see
 * {@link speckleContrast}.
 * Images must be dark-subtracted. Pixels that are NaN or infinite hold none. Memory: 4 bytes per pixel (2.1 MB for
 * 1024 × 512), 14 more in the kernel, and 12 bytes per shot.
 *
 * @throws BAD_ARGUMENT when `aduPerPhoton` has no entry for a sensor
 * @example
 * const count = photonCounts({ aduPerPhoton: aduPerPhoton(10_000, info.absGain) });
 * const counted = await reduce(shots, { count }, { dark });
 * counted.count[sensor];
 */
export function photonCounts(options: PhotonCountOptions): Reducer<PhotonCounts> {
  const { threshold } = resolveOptions("photonCounts", options, {
    aduPerPhoton: any,
    threshold: optional(finite(Number.MIN_VALUE, 1), 0.5),
  });
  checkAduPerPhoton(options.aduPerPhoton);
  const made = new Map<string, PhotonFinder>();
  const finderFor = ({ detId }: ImageSpec, adu: number, dark: Float64Array | undefined) => {
    const known = made.get(detId);
    if (known?.isFor(dark) === true) return known;
    const finder = new PhotonFinder(adu, threshold, dark);
    made.set(detId, finder);
    return finder;
  };
  const counted = {
    accumulator: ({ detId, rows, columns }: ImageSpec, dark: Float64Array | undefined) =>
      new PhotonTotals(aduOf(options.aduPerPhoton, detId), threshold, dark, rows * columns),
  };
  return defineReducer({
    name: `photonCounts(${aduWords(options.aduPerPhoton)}, threshold ${threshold})`,
    appliesDark: "in-add",
    layout: ({ detId, rows, columns }) => {
      aduOf(options.aduPerPhoton, detId);
      return {
        photons: { type: "uint32", length: rows * columns, merge: "sum" },
        shots: { type: "series", width: 1 },
        work: { type: "scratch", bytes: PhotonFinder.bytes },
      };
    },
    kernel: {
      statistics: [counted],
      type: "uint16",
      fits: ({ detId }, dark) => haveLimits(threshold * aduOf(options.aduPerPhoton, detId), dark),
      flush: ({ photons, shots }, block) => {
        const own = block.own(counted);
        if (own === undefined) return;
        addCounts(photons, own.photons, shots.length === 0);
        for (const [k, number] of own.perImage.entries()) shots.push(block.tags[k] ?? NaN, number);
      },
    },
    add: ({ photons, shots }, pixels, { tag }, frame, dark) => {
      const adu = aduOf(options.aduPerPhoton, frame.detId);
      shots.push(tag, finderFor(frame, adu, dark).add(pixels, photons));
    },
    result: ({ photons, shots }, { rows, columns }, _dark, isLast) => ({
      photons: ndarray(isLast === true ? photons : photons.slice(), [rows, columns]),
      perShot: shots.column(),
      tags: shots.tags,
      warnings: [NOT_FOR_CONTRAST],
    }),
  });
}

/** @throws BAD_ARGUMENT when a number is not positive */
export function checkAduPerPhoton(all: AduPerPhoton): void {
  for (const [id, adu] of typeof all === "number" ? [["", all] as const] : Object.entries(all)) {
    asFinite(id === "" ? "aduPerPhoton" : `aduPerPhoton of ${id}`, adu, Number.MIN_VALUE);
  }
}

/** @throws BAD_ARGUMENT when there is no entry for the sensor */
export function aduOf(all: AduPerPhoton, detId: string): number {
  const adu = typeof all === "number" ? all : all[detId];
  if (adu === undefined) throw badArgument("aduPerPhoton", all, `a number, or one for each sensor, also ${detId}`);
  return adu;
}

/** In words that are compared. */
export function aduWords(all: AduPerPhoton): string {
  if (typeof all === "number") return `${all} ADU`;
  return Object.entries(all)
    .map(([id, adu]) => `${id} ${adu} ADU`)
    .join(", ");
}
