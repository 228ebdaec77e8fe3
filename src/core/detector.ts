import { EV_PER_ELECTRON } from "./constants.ts";
import { SaclaError, show } from "./errors.ts";
import type { PixelType } from "./ndarray.ts";

/**
 * What a detector says of itself. Frame of the detector API: X to the right looking from the source, Y up, Z to the
 * source; micrometres and degrees. The position is the corner of pixel (0, 0).
 */
export interface DetectorInfo {
  readonly id: string;
  /** Columns of an image. */
  readonly xsize: number;
  /** Rows of an image. */
  readonly ysize: number;
  /** Electrons per ADU; null for cameras that are not MPCCD. */
  readonly absGain: number | null;
  /** Place of the sensor in the detector; null for cameras that are not MPCCD. */
  readonly geometry: SensorGeometry | null;
  /** How its pixels are stored. @default "float32" */
  readonly pixelType?: PixelType | undefined;
  /** Of files whose images are in photons: the dark is taken off. @default ADU */
  readonly pixelUnit?: "photon" | undefined;
}

export type PixelUnit = "ADU" | "photons";

/** The unit of a detector's pixels as people read it. */
export function unitOfPixels(info: DetectorInfo | undefined): PixelUnit {
  return info?.pixelUnit === "photon" ? "photons" : "ADU";
}

/** Where a sensor lies. See {@link DetectorInfo} for the frame. */
export interface SensorGeometry {
  readonly posXUm: number;
  readonly posYUm: number;
  readonly posZUm: number;
  /** Anticlockwise. */
  readonly rotationDeg: number;
  readonly pixelSizeXUm: number;
  readonly pixelSizeYUm: number;
  /** Opening of a movable half; 0 means closed. */
  readonly manipulatorShiftUm: number;
}

/** The dictionary `read_det_info` gives, by its Python keys, in both spellings seen in the wild. */
export type DetInfoDict = Readonly<Record<string, number>>;

const spellings = [
  ["mp_posx", "mp_pos_x"],
  ["mp_posy", "mp_pos_y"],
  ["mp_posz", "mp_pos_z"],
  ["mp_pixelsizex", "mp_pixelsize_x"],
  ["mp_pixelsizey", "mp_pixelsize_y"],
] as const;

/** {@link DetectorInfo} as the dictionary of `read_det_info`, with both spellings of each geometry key. */
export function toDetInfoDict(info: DetectorInfo, run: number, tag: number): DetInfoDict {
  const dict: Record<string, number> = { xsize: info.xsize, ysize: info.ysize, run_number: run, tag_number: tag };
  if (info.absGain !== null) dict["mp_absgain"] = info.absGain;
  const g = info.geometry;
  if (g !== null) {
    const values = [g.posXUm, g.posYUm, g.posZUm, g.pixelSizeXUm, g.pixelSizeYUm];
    spellings.forEach(([plain, underscored], i) => {
      dict[plain] = dict[underscored] = values[i] ?? NaN;
    });
    dict["mp_rotationangle"] = g.rotationDeg;
    dict["mp_manipulator_shift"] = g.manipulatorShiftUm;
  }
  return dict;
}

/**
 * The dictionary of `read_det_info`, in either spelling, as {@link DetectorInfo}.
 * @throws BAD_ARGUMENT when a size is absent
 * @throws BAD_GEOMETRY when some but not all geometry keys are there, or one is not a finite number
 */
export function fromDetInfoDict(id: string, dict: DetInfoDict): DetectorInfo {
  const { xsize, ysize } = dict;
  if (xsize === undefined || ysize === undefined) {
    throw new SaclaError("BAD_ARGUMENT", `The information of ${id} has no xsize and ysize: ${show(dict)}.`);
  }
  const absGain = dict["mp_absgain"] ?? null;
  const read = ([plain, underscored]: readonly [string, string]): number | undefined =>
    dict[plain] ?? dict[underscored];
  const [posXUm, posYUm, posZUm, pixelSizeXUm, pixelSizeYUm] = spellings.map(read);
  const rotationDeg = dict["mp_rotationangle"];
  if (posXUm === undefined && posYUm === undefined && rotationDeg === undefined)
    return { id, xsize, ysize, absGain, geometry: null };
  if (
    posXUm === undefined ||
    posYUm === undefined ||
    rotationDeg === undefined ||
    pixelSizeXUm === undefined ||
    pixelSizeYUm === undefined
  ) {
    throw new SaclaError("BAD_GEOMETRY", `The geometry of ${id} is incomplete: ${show(dict)}.`);
  }
  const geometry = {
    posXUm,
    posYUm,
    posZUm: posZUm ?? 0,
    rotationDeg,
    pixelSizeXUm,
    pixelSizeYUm,
    manipulatorShiftUm: dict["mp_manipulator_shift"] ?? 0,
  };
  return checkGeometry({ id, xsize, ysize, absGain, geometry });
}

/** `info` if its geometry, where it has one, is finite with positive pixels. @throws BAD_GEOMETRY */
export function checkGeometry(info: DetectorInfo): DetectorInfo {
  for (const [key, value] of Object.entries(info.geometry ?? {})) {
    const positive = key.startsWith("pixelSize");
    if (!Number.isFinite(value) || (positive && value <= 0)) {
      throw new SaclaError(
        "BAD_GEOMETRY",
        `${key} of sensor ${info.id} is ${value}, but must be a ${positive ? "positive " : ""}finite number.`,
        {
          details: { sensor: info.id, key, value: show(value) },
        },
      );
    }
  }
  return info;
}

/**
 * Photons that one ADU of an MPCCD stands for: absGain × 3.65 / E.
 * @param absGain - electrons per ADU, as the detector information has it
 */
export function photonsPerAdu(absGain: number, photonEnergyEv: number): number {
  return (absGain * EV_PER_ELECTRON) / photonEnergyEv;
}
