import type { DetectorInfo } from "../../core/detector.ts";
import { asFinite, badArgument } from "../../core/guards.ts";
import { any, finite, oneOf, optional, resolveOptions } from "../../core/options.ts";
import type { PerSensor, SensorMask } from "../../ip/pixels.ts";
import { beamCentre, type Polarisation, type RingGeometry } from "../../ip/ring-geometry.ts";
import type { RadialAxisOptions, RadialUnit, SectorOptions } from "./radial-axis.ts";

export interface RadialProfileOptions {
  /** Information of every sensor of the detector (`Assembler.sensors` is one such list): all get the same bins. */
  readonly sensors: readonly DetectorInfo[];
  /**
   * Width of a bin in µm from the beam; bin k holds the pixels whose centres lie from k · binUm to below
   * (k + 1) · binUm. Either this or `axis`.
   */
  readonly binUm?: number | undefined;
  /** With `binUm`: pixels further out are left out. @default the pixel furthest out */
  readonly maxUm?: number | undefined;
  /** Bins in a unit of choice: 2θ and q need a `geometry`. */
  readonly axis?: RadialAxisOptions | undefined;
  /** Where the beam hits, in µm in the frame of the detector API. @default that of `geometry`, else x 0, y 0 */
  readonly centreUm?: { readonly x: number; readonly y: number } | undefined;
  /** Distance, foot of the normal and tilt of the detector. @default a flat detector upright in the beam */
  readonly geometry?: RingGeometry | undefined;
  /** For q. */
  readonly photonEnergyEv?: number | undefined;
  /** Bins by azimuth too: the arrays of the result then have shape [sectors, radial bins]. @default the whole circle */
  readonly azimuth?: SectorOptions | undefined;
  /**
   * Divide by what polarisation leaves of the scattering.
   * @default with a `geometry` horizontal, factor 0.99 (SACLA's beam), without one null: not divided
   */
  readonly polarisation?: Polarisation | null | undefined;
  /** Divide by the solid angle of each pixel relative to one that faces the sample. @default with a `geometry` true */
  readonly solidAngle?: boolean | undefined;
  /**
   * `"area"`: a pixel is shared out to the bins it lies in, by area in the plane of radial value and azimuth (pyFAI's
   * "full" splitting). `"no"`: it belongs to the bin of its centre.
   * @default "no"
   */
  readonly split?: "no" | "area" | undefined;
  /**
   * Where the error bars come from. `"poisson"`: of counted photons, value / `aduPerPhoton`; other noise is not in
   * them. `"shots"`: from the scatter over the shots, whatever it comes from; keeps the profile of each shot.
   * @default "poisson"
   */
  readonly errors?: "poisson" | "shots" | undefined;
  /** Value of one photon, in the units of the pixels; for Poisson errors. @default 1, pixels in photons */
  readonly aduPerPhoton?: number | undefined;
  /** 1 = use. Pixels not used are left out of sum and count. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /** Keep the profile of each shot too, for the bins that touch this range of the axis. @default none */
  readonly perShot?: { readonly from: number; readonly to: number } | undefined;
}

/** @throws BAD_ARGUMENT for options that do not exist or do not go together */
export function profileOptions(given: RadialProfileOptions) {
  const options = resolveOptions("radialProfile", given, {
    sensors: any,
    binUm: any,
    maxUm: any,
    axis: any,
    centreUm: any,
    geometry: any,
    photonEnergyEv: optional(finite(Number.MIN_VALUE)),
    azimuth: any,
    polarisation: any,
    solidAngle: any,
    split: optional(oneOf("no", "area"), "no"),
    errors: optional(oneOf("poisson", "shots"), "poisson"),
    aduPerPhoton: optional(finite(Number.MIN_VALUE), 1),
    masks: any,
    perShot: any,
  });
  const { geometry, axis } = given;
  if (given.sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
  if ((given.binUm === undefined) === (axis === undefined))
    throw badArgument("binUm and axis", { binUm: given.binUm, axis }, "one of the two");
  if (axis !== undefined && given.maxUm !== undefined) throw badArgument("maxUm", given.maxUm, "axis.to with an axis");
  if (geometry !== undefined && given.centreUm !== undefined)
    throw badArgument("centreUm", given.centreUm, "nothing beside a geometry: fromBeamCentre(…) makes one of a centre");
  const centre = geometry === undefined ? (given.centreUm ?? { x: 0, y: 0 }) : beamCentre(geometry);
  const polarisation = given.polarisation === undefined ? (geometry === undefined ? null : {}) : given.polarisation;
  const solidAngle = given.solidAngle ?? geometry !== undefined;
  if (geometry === undefined && (polarisation !== null || solidAngle || !isLength(axis?.unit ?? "r_um")))
    throw badArgument("geometry", geometry, "a geometry, for 2θ, q, polarisation and solid angle");
  const { photonEnergyEv, split, errors, aduPerPhoton } = options;
  return {
    geometry,
    photonEnergyEv,
    split,
    errors,
    aduPerPhoton,
    centre: { x: asFinite("centreUm.x", centre.x), y: asFinite("centreUm.y", centre.y) },
    polarisation,
    solidAngle,
  };
}

function isLength(unit: RadialUnit): boolean {
  return unit === "r_um" || unit === "r_mm";
}
