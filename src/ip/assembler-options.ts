import type { DetectorInfo, SensorGeometry } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, badArgument } from "../core/guards.ts";
import { any, finite, flag, integer, oneOf, optional, resolveOptions } from "../core/options.ts";
import { geometryOf } from "./geometry.ts";
import type { PerSensor, SensorMask } from "./pixels.ts";
import { corners, direction, MAX_SIDE, type PictureGrid, type Placement, type View } from "./placement.ts";

/** How a picture is made from sensor pixels; see {@link Assembler}. */
export type AssemblyMethod = "nearest" | "area";

export interface AssemblerOptions {
  /** `"source"`: as seen from the source. `"detector"`: columns mirrored, as DataConvert's assembled images. */
  readonly view: View;
  /** @default "nearest" */
  readonly method?: AssemblyMethod | undefined;
  /** Columns of the picture. Default: see `Assembler`. */
  readonly width?: number | undefined;
  /** Rows of the picture. Default: see `Assembler`. */
  readonly height?: number | undefined;
  /** Size of an output pixel. Default: that of the first sensor. */
  readonly pixelSizeUm?: number | undefined;
  /**
   * What pixels get that no sensor covers. NaN by default: 0 and −1 are also values a dark-subtracted pixel can have,
   * NaN is not. DataConvert writes −1; the talk's listing passes 0.
   */
  readonly gapValue?: number | undefined;
  /** 1 = use. Pixels not used leave a gap. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /** Sensors of the detector that have no place: their images may be among those given, and are not drawn. */
  readonly unplaced?: readonly string[] | undefined;
  /** Multiply each sensor by its gain over the first sensor's, so that all are in the first one's ADU. @default true */
  readonly relativeGain?: boolean | undefined;
}

/** Options with everything decided. */
export interface ResolvedOptions {
  readonly canvas: PictureGrid;
  readonly method: AssemblyMethod;
  readonly pixelSizeUm: number;
  readonly gapValue: number;
  readonly masks: PerSensor<SensorMask> | undefined;
  readonly placements: readonly Placement[];
  readonly gains: readonly number[];
}

/** Size of DataConvert's assembled octal images, and of the talk's. */
const OCTAL_SIDE = 2399;

export function resolveAssembly(sensors: readonly DetectorInfo[], options: AssemblerOptions): ResolvedOptions {
  const { view, method, gapValue, relativeGain, masks, ...given } = resolveOptions("Assembler", options, {
    view: oneOf("source", "detector"),
    method: optional(oneOf("nearest", "area"), "nearest"),
    width: optional(integer(1, MAX_SIDE)),
    height: optional(integer(1, MAX_SIDE)),
    pixelSizeUm: optional(finite(Number.MIN_VALUE)),
    gapValue: optional(numberOrNan, Number.NaN),
    masks: any,
    unplaced: optional(sensorIds),
    relativeGain: optional(flag, true),
  });
  const geometries = sensors.map(geometryOf);
  const pixelSizeUm = asFinite("pixelSizeUm", given.pixelSizeUm ?? geometries[0]?.pixelSizeXUm, Number.MIN_VALUE);
  const placements = sensors.map((info, i) => placementOf(info, geometries[i] ?? geometryOf(info), pixelSizeUm));
  const side = (size = defaultSide(sensors, placements, pixelSizeUm)): number => size;
  const canvas = { width: side(given.width), height: side(given.height), view };
  return {
    canvas,
    method,
    pixelSizeUm,
    gapValue,
    masks,
    placements,
    gains: gainsOf(sensors, relativeGain),
  };
}

function sensorIds(name: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((id) => typeof id === "string")) return value;
  throw badArgument(name, value, "a list of sensor ids");
}

function numberOrNan(name: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw badArgument(name, value, "a number (NaN is one)");
}

function placementOf(info: DetectorInfo, g: SensorGeometry, pixelSizeUm: number): Placement {
  return {
    rows: info.ysize,
    columns: info.xsize,
    x: g.posXUm / pixelSizeUm,
    y: g.posYUm / pixelSizeUm,
    ...direction(g.rotationDeg),
    columnPitch: g.pixelSizeXUm / pixelSizeUm,
    rowPitch: g.pixelSizeYUm / pixelSizeUm,
  };
}

function defaultSide(sensors: readonly DetectorInfo[], placements: readonly Placement[], pixelSizeUm: number): number {
  if (pixelSizeUm === 50 && sensors.length === 8 && sensors.every(({ id }) => /^MPCCD-8.*-[1-8]$/.test(id)))
    return OCTAL_SIDE;
  let [reach, furthest] = [0, ""];
  for (const [i, placement] of placements.entries()) {
    const far = Math.max(...corners(placement).flatMap(({ x, y }) => [Math.abs(x), Math.abs(y)]));
    if (far > reach) [reach, furthest] = [far, sensors[i]?.id ?? ""];
  }
  // A hair less, so that rounding does not add an empty border.
  const side = Math.max(1, Math.ceil(2 * reach - 1e-6));
  if (side > MAX_SIDE) {
    throw new SaclaError(
      "BAD_GEOMETRY",
      `Sensor ${furthest} reaches ${Math.round(reach * pixelSizeUm)} µm from the beam, ` +
        `so a picture of all sensors would have ${side} × ${side} pixels (${MAX_SIDE} × ${MAX_SIDE} at most). ` +
        "Check its position, or give width and height.",
      { details: { sensor: furthest, side } },
    );
  }
  return side;
}

/** absGain of each sensor over that of the first, as the talk's iScale. */
function gainsOf(sensors: readonly DetectorInfo[], relativeGain: boolean): number[] {
  if (!relativeGain || sensors.every(({ absGain }) => absGain === null)) return sensors.map(() => 1);
  const gains = sensors.map(({ id, absGain }) => {
    if (absGain !== null && Number.isFinite(absGain) && absGain > 0) return absGain;
    throw new SaclaError(
      "BAD_ARGUMENT",
      `absGain of sensor ${id} is ${absGain}, but must be a positive number to scale the sensors to each other. ` +
        "Or set relativeGain: false.",
      {
        details: { sensor: id, absGain },
      },
    );
  });
  return gains.map((gain) => gain / (gains[0] ?? gain));
}
