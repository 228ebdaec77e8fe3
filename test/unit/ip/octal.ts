import type { DetectorInfo } from "../../../src/core/detector.ts";

/** A sensor with the fields a test cares about; the rest as an MPCCD in the beam's centre. */
export function sensor(
  id: string,
  fields: Partial<NonNullable<DetectorInfo["geometry"]>> & {
    xsize?: number;
    ysize?: number;
    absGain?: number | null;
  } = {},
): DetectorInfo {
  const { xsize = 512, ysize = 1024, absGain = null, ...geometry } = fields;
  return {
    id,
    xsize,
    ysize,
    absGain,
    geometry: {
      posXUm: 0,
      posYUm: 0,
      posZUm: 0,
      rotationDeg: 0,
      pixelSizeXUm: 50,
      pixelSizeYUm: 50,
      manipulatorShiftUm: 0,
      ...geometry,
    },
  };
}

/**
 * posX, posY in µm, rotation in degrees, gain in e⁻/ADU of MPCCD-8-2-001: dxtbx FormatHDF5SaclaMPCCD numbers, gains
 * from a DataConvert file.
 */
const numbers: readonly (readonly [number, number, number, number])[] = [
  [-1755, 51711, -89.9062, 16.912],
  [-1711, 24944, -89.9158, 18.1126],
  [817, -1808, -89.98, 17.373],
  [812, -28466, -89.9293, 17.0977],
  [-792, 28544, 89.9631, 16.8761],
  [-781, 1840, 89.8808, 16.7263],
  [1650, -24900, 90.0, 17.0818],
  [1655, -51626, 90.0295, 17.3167],
];

export const octal: readonly DetectorInfo[] = numbers.map(([posXUm, posYUm, rotationDeg, absGain], i) =>
  sensor(`MPCCD-8-2-001-${i + 1}`, { posXUm, posYUm, rotationDeg, absGain }),
);
