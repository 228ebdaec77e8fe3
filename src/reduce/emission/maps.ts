import ndarray, { type NdArray } from "ndarray";
import { SaclaError } from "../../core/errors.ts";
import { asFinite, asText, badArgument } from "../../core/guards.ts";
import { any, finite, optional, resolveOptions } from "../../core/options.ts";
import { defineReducer, type Reducer } from "../reducer.ts";
import { byClass } from "../reducers/by-class.ts";
import { type DropletOptions, type Droplets, droplets } from "../reducers/droplets.ts";
import { type NoiseVariance, noiseOf } from "../reducers/read-noise.ts";

/** Shots with light of one known photon energy: from the monochromator, scattered elastically by the sample. */
export interface CalibrationShots {
  readonly energyEv: number;
  readonly tags: Iterable<number>;
}

export interface EmissionMapsOptions extends DropletOptions {
  /** @default none: all shots are of the sample */
  readonly calibration?: readonly CalibrationShots[] | undefined;
}

/** Photons found in shots of one kind. */
export interface EmissionMap {
  /** Photons in each pixel over all shots, shape [rows, columns]; NaN where `noiseAdu` is. */
  readonly photons: NdArray<Float64Array>;
  /** Photons in each shot. */
  readonly perShot: Float64Array;
  readonly tags: Uint32Array;
  /**
   * Charge of single photons less what `aduPerPhoton` says, relative; null with fewer than 100 of them. Beyond a few
   * per cent `aduPerPhoton` is wrong, and so are numbers of photons where they lie close.
   */
  readonly gainDeviation: number | null;
}

/** What {@link emissionMaps} gives. */
export interface EmissionMaps {
  /** In ascending order of energy. */
  readonly calibration: readonly (EmissionMap & { readonly energyEv: number })[];
  readonly sample: EmissionMap;
}

/**
 * Maps of single photons on the sensor of a crystal spectrometer: of the sample, and for each energy of the calibration
 * shots. Photons are found as {@link droplets}, whose number stays right where they lie close. All in one pass; parts
 * merge. The tags of the calibration are not part of the reducer's name and must be the same in all parts.
 *
 * Images must be dark-subtracted. Dead pixels, which are NaN in the dark that `noiseAdu` is, are NaN in all maps, so
 * that curve and spectrum leave them out. Memory: that of {@link droplets} for each energy and the sample.
 *
 * @throws BAD_ARGUMENT when an energy comes twice, or a tag has two
 * @example
 * const calibration = calibrationShots(await run.column(monochromator), { fromEv: 7000, toEv: 7100 });
 * const perPhoton = aduPerPhoton(7050, info.absGain);
 * const reducers = { maps: emissionMaps({ aduPerPhoton: perPhoton, noiseAdu: dark, calibration }) };
 * const { maps } = await reduce(shots, reducers, { dark });
 * const curve = calibrateEmission(maps[sensor].calibration);
 * const spectrum = emissionSpectrum(maps[sensor].sample.photons, curve);
 */
export function emissionMaps(options: EmissionMapsOptions): Reducer<EmissionMaps> {
  const { calibration, ...counting } = resolveOptions("emissionMaps", options, {
    aduPerPhoton: any,
    noiseAdu: any,
    seed: any,
    low: any,
    calibration: optional(asCalibration, []),
  });
  const energyOf = new Map<number, string>();
  for (const { energyEv, tags } of calibration)
    for (const tag of tags) {
      const other = energyOf.get(tag);
      if (other !== undefined) throw badArgument(`calibration of tag ${tag}`, `${other} and ${energyEv} eV`, "once");
      energyOf.set(tag, String(energyEv));
    }
  const energies = calibration.map(({ energyEv }) => energyEv).sort((a, b) => a - b);
  const inner = byClass(
    droplets(counting as DropletOptions),
    [SAMPLE, ...energies.map(String)],
    (tag) => energyOf.get(tag) ?? SAMPLE,
  );
  return defineReducer({
    ...inner,
    name: `emissionMaps(${inner.name})`,
    result: (state, frame, dark) => {
      const { classes } = inner.result(state, frame, dark);
      const noise = options.noiseAdu === undefined ? undefined : noiseOf(options.noiseAdu, frame);
      return {
        calibration: energies.map((energyEv) => ({ energyEv, ...mapOf(classes[String(energyEv)], noise) })),
        sample: mapOf(classes[SAMPLE], noise),
      };
    },
  });
}

function mapOf(found: Droplets | undefined, noise: NoiseVariance | undefined): EmissionMap {
  if (found === undefined) throw badArgument("state", "without its class", "made by emissionMaps");
  const { photons, perShot, tags, spectrum } = found;
  const counted = Float64Array.from(photons.data, (n, i) => (Number.isNaN(noise?.ofPixel(i)) ? NaN : n));
  return { photons: ndarray(counted, photons.shape), perShot, tags, gainDeviation: deviation(spectrum) };
}

const SAMPLE = "sample";
const LEAST_SINGLES = 100;

function asCalibration(name: string, value: unknown): readonly CalibrationShots[] {
  if (!Array.isArray(value)) throw badArgument(name, value, "a list of { energyEv, tags }");
  const all = value as readonly CalibrationShots[];
  for (const { energyEv } of all) asFinite(`${name} energyEv`, energyEv, Number.MIN_VALUE);
  if (new Set(all.map(({ energyEv }) => energyEv)).size !== all.length)
    throw badArgument(
      name,
      all.map(({ energyEv }) => energyEv),
      "each energy once",
    );
  return all;
}

/** Median charge of droplets from 0.5 to 1.5 photons, less 1. */
function deviation({ counts, binWidth }: Droplets["spectrum"]): number | null {
  const [first, end] = [Math.round(0.5 / binWidth), Math.round(1.5 / binWidth)];
  const singles = counts.subarray(first, end);
  const total = singles.reduce((sum, n) => sum + n, 0);
  if (total < LEAST_SINGLES) return null;
  let below = 0;
  for (const [k, n] of singles.entries()) {
    if (below + n >= total / 2) return (first + k + (total / 2 - below) / n - 0.5) * binWidth - 1;
    below += n;
  }
  return null;
}

/** A 0-D signal over the shots of a run, such as `run.column` gives. */
interface EnergyColumn {
  readonly equipId: string;
  readonly unit: string;
  readonly values: ArrayLike<number>;
  readonly tags: Iterable<number>;
}

export interface CalibrationShotsOptions {
  /** Shots whose energy lies from here … */
  readonly fromEv: number;
  /** … to here are calibration shots. */
  readonly toEv: number;
  /** Energies nearer to each other than this are one, their mean. @default 0.5 */
  readonly toleranceEv?: number | undefined;
}

/**
 * Calibration shots by the energy that the monochromator was set to, from its 0-D signal (eV; keV when its unit or its
 * name says so, or its numbers are below 100).
 * @throws BAD_ARGUMENT when no shot has an energy in the range
 */
export function calibrationShots(column: EnergyColumn, options: CalibrationShotsOptions): CalibrationShots[] {
  const { fromEv, toEv, toleranceEv } = resolveOptions("calibrationShots", options, {
    fromEv: finite(0),
    toEv: finite(0),
    toleranceEv: optional(finite(0), 0.5),
  });
  asText("equipId", column.equipId);
  const found: { tag: number; energyEv: number }[] = [];
  let i = 0;
  const numbers = Array.from(column.values).filter(Number.isFinite);
  const isKev = column.unit.toLowerCase() === "kev" || numbers.every((value) => Math.abs(value) < 100);
  for (const tag of column.tags) {
    const energyEv = (column.values[i++] ?? NaN) * (isKev ? 1000 : 1);
    if (energyEv >= fromEv && energyEv <= toEv) found.push({ tag, energyEv });
  }
  if (found.length === 0) {
    const all = numbers.map((value) => value * (isKev ? 1000 : 1));
    const range = `from ${fromEv} to ${toEv} eV`;
    const has = all.length === 0 ? "no number at all" : `${Math.min(...all)} to ${Math.max(...all)} eV`;
    throw new SaclaError("BAD_ARGUMENT", `No shot has ${column.equipId} ${range}: the run has ${has}.`, {
      details: { name: "fromEv, toEv", value: `${fromEv}, ${toEv}`, allowed: has },
    });
  }
  found.sort((a, b) => a.energyEv - b.energyEv);
  const groups: { tag: number; energyEv: number }[][] = [];
  let last = -Infinity;
  for (const shot of found) {
    if (shot.energyEv - last > toleranceEv) groups.push([]);
    groups.at(-1)?.push(shot);
    last = shot.energyEv;
  }
  return groups.map((group) => ({
    // What a float32 of the file adds to 7025.3 is no energy.
    energyEv: Number((group.reduce((sum, { energyEv }) => sum + energyEv, 0) / group.length).toPrecision(8)),
    tags: group.map(({ tag }) => tag),
  }));
}
