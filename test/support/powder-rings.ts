import type { DetectorInfo } from "../../src/core/detector.ts";
import type { Random } from "../../src/core/random.ts";
import { ringAngles } from "../../src/ip/calibrants.ts";
import { pixelPositions } from "../../src/ip/geometry.ts";
import { labPlaces, polarisationWeight, type RingGeometry, relativeSolidAngle } from "../../src/ip/ring-geometry.ts";

/** A detector of one sensor of 100 mm, in pixels of `pixelUm`. */
export function square(pixelUm: number, { posXUm = -50_000 } = {}): DetectorInfo {
  const size = Math.round(100_000 / pixelUm);
  return {
    id: "S",
    xsize: size,
    ysize: size,
    absGain: null,
    geometry: {
      posXUm,
      posYUm: 50_000,
      posZUm: 0,
      rotationDeg: 0,
      pixelSizeXUm: pixelUm,
      pixelSizeYUm: pixelUm,
      manipulatorShiftUm: 0,
    },
  };
}

export interface RingLight {
  /** Width of the rings, rms. @default 0.15 */
  readonly widthDeg?: number;
  /** Light between the rings, in parts of their height. @default 0.2 */
  readonly level?: number;
}

/** Photons of LaB6 rings on a level, with the polarisation of SACLA and the solid angle of the pixels. */
export function rings(
  info: DetectorInfo,
  geometry: RingGeometry,
  photonEnergyEv: number,
  photonsAPixel: number,
  random: Random,
  { widthDeg = 0.15, level = 0.2 }: RingLight = {},
): Float64Array {
  const { x, y } = pixelPositions(info);
  const angles = ringAngles("LaB6", photonEnergyEv).filter((angle) => angle < 1);
  const width = (widthDeg * Math.PI) / 180;
  const [toLab, solidAngle, polarised] = [labPlaces(geometry), relativeSolidAngle(geometry), polarisationWeight()];
  const place = { x: 0, y: 0, z: 0 };
  return Float64Array.from(x.data, (px, i) => {
    const py = y.data[i] ?? NaN;
    toLab(px, py, place);
    const angle = Math.atan2(Math.sqrt(place.x ** 2 + place.y ** 2), place.z);
    const bells = angles.reduce((sum, at) => sum + Math.exp(-0.5 * ((angle - at) / width) ** 2), 0);
    return random.poisson(photonsAPixel * (level + bells) * solidAngle(px, py) * polarised(place));
  });
}
