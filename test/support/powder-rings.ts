import type { DetectorInfo } from "../../src/core/detector.ts";
import type { Random } from "../../src/core/random.ts";
import { ringAngles } from "../../src/ip/calibrants.ts";
import { pixelPositions } from "../../src/ip/geometry.ts";
import { labPlaces, type RingGeometry } from "../../src/ip/ring-geometry.ts";

/** A detector of one sensor of 100 mm, in pixels of `pixelUm`. */
export function square(pixelUm: number): DetectorInfo {
  const size = Math.round(100_000 / pixelUm);
  return {
    id: "S",
    xsize: size,
    ysize: size,
    absGain: null,
    geometry: {
      posXUm: -50_000,
      posYUm: 50_000,
      posZUm: 0,
      rotationDeg: 0,
      pixelSizeXUm: pixelUm,
      pixelSizeYUm: pixelUm,
      manipulatorShiftUm: 0,
    },
  };
}

/** Photons of LaB6 rings of 0.15° rms on a level of 20 % of their height. */
export function rings(
  info: DetectorInfo,
  geometry: RingGeometry,
  photonEnergyEv: number,
  photonsAPixel: number,
  random: Random,
): Float64Array {
  const { x, y } = pixelPositions(info);
  const angles = ringAngles("LaB6", photonEnergyEv).filter((angle) => angle < 1);
  const width = (0.15 * Math.PI) / 180;
  const toLab = labPlaces(geometry);
  const place = { x: 0, y: 0, z: 0 };
  return Float64Array.from(x.data, (px, i) => {
    toLab(px, y.data[i] ?? NaN, place);
    const angle = Math.atan2(Math.sqrt(place.x ** 2 + place.y ** 2), place.z);
    const bells = angles.reduce((sum, at) => sum + Math.exp(-0.5 * ((angle - at) / width) ** 2), 0);
    return random.poisson(photonsAPixel * (0.2 + bells));
  });
}
