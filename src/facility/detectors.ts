import type { DetectorInfo, SensorGeometry } from "../core/detector.ts";
import { hash, Random } from "../core/random.ts";
import { citiusSensorsOf, describeCitius, isCitius } from "./citius.ts";
import { cameraParameters, mpccdParameters } from "./parameters.ts";

type Place = readonly [posXUm: number, posYUm: number, rotationDeg: number];

/** Octal MPCCD-8-2-001: dxtbx FormatHDF5SaclaMPCCD numbers. */
const octal001: readonly Place[] = [
  [-1755, 51711, -89.9062],
  [-1711, 24944, -89.9158],
  [817, -1808, -89.98],
  [812, -28466, -89.9293],
  [-792, 28544, 89.9631],
  [-781, 1840, 89.8808],
  [1650, -24900, 90.0],
  [1655, -51626, 90.0295],
];
const octal001Gains = [16.912, 18.1126, 17.373, 17.0977, 16.8761, 16.7263, 17.0818, 17.3167];

/** Octal MPCCD-8-2-002, from a user's run of 2019. */
const octal002: readonly Place[] = [
  [-1599.23, 51678.8, 269.925],
  [-1655.65, 25016, 269.966],
  [799.187, -1735.1, 269.969],
  [782.785, -28498.8, 269.855],
  [-792.005, 28477.5, 90.0468],
  [-838.52, 1818.2, 89.965],
  [1650, -24900, 90.0],
  [1618.37, -51643.8, 90.018],
];

/** Two sensors side by side with a gap of 1.05 mm, the beam in its middle. */
const dual: readonly Place[] = [
  [-26_125, 25_600, 0],
  [525, 25_620, 0.02],
];

/** To the right of the beam, so that it covers a range of scattering angles. */
const single: readonly Place[] = [[2000, 25_600, 0]];

/** e⁻/ADU: one 10 keV photon is then 154 ADU. */
const usualGain = 17.8;

/** The sensors of a detector that experiments list: `-1` … `-8` of an octal, a single sensor or a camera itself. */
export function sensorsOf(detector: string): string[] {
  if (isCitius(detector)) return citiusSensorsOf(detector);
  const places = placesOf(detector);
  return places.length < 2 ? [detector] : places.map((_, i) => `${detector}-${i + 1}`);
}

/** The ids `read_detidlist` gives for a detector: itself, then its sensors. */
export function idsOf(detector: string): string[] {
  return [...new Set([detector, ...sensorsOf(detector)])];
}

/** What a sensor or camera says of itself. */
export function describeDetector(id: string): DetectorInfo {
  if (isCitius(id)) return describeCitius(id);
  if (id.startsWith("OPAL"))
    return {
      id,
      xsize: cameraParameters.xsize,
      ysize: cameraParameters.ysize,
      absGain: null,
      geometry: null,
      pixelType: "uint16",
    };
  const { detector, index } = sensorOf(id);
  const [posXUm, posYUm, rotationDeg] = placesOf(detector)[index] ?? [0, 0, 0];
  const { xsize, ysize, pixelSizeUm } = mpccdParameters;
  const geometry: SensorGeometry = {
    posXUm,
    posYUm,
    posZUm: 0,
    rotationDeg,
    pixelSizeXUm: pixelSizeUm,
    pixelSizeYUm: pixelSizeUm,
    manipulatorShiftUm: 0,
  };
  return { id, xsize, ysize, absGain: gainOf(detector, index), geometry, pixelType: "uint16" };
}

function sensorOf(id: string): { detector: string; index: number } {
  const match = /^(MPCCD-[28].*)-([1-8])$/.exec(id);
  return match?.[1] === undefined ? { detector: id, index: 0 } : { detector: match[1], index: Number(match[2]) - 1 };
}

function placesOf(detector: string): readonly Place[] {
  if (detector.startsWith("MPCCD-1")) return single;
  if (detector.startsWith("MPCCD-2")) return dual;
  if (!detector.startsWith("MPCCD-8")) return [];
  if (detector.endsWith("-001")) return octal001;
  if (detector.endsWith("-002")) return octal002;
  // Another octal of the same make: mounted a little differently.
  const random = new Random(hash("place", detector));
  return octal001.map(([x, y, rotation]) => [
    x + Math.round(30 * random.normal()),
    y + Math.round(30 * random.normal()),
    Math.round(1e4 * (rotation + 0.02 * random.normal())) / 1e4,
  ]);
}

function gainOf(detector: string, index: number): number {
  const measured = detector === "MPCCD-8-2-001" ? octal001Gains[index] : undefined;
  if (measured !== undefined) return measured;
  if (!detector.startsWith("MPCCD-8")) return usualGain;
  const random = new Random(hash("gain", detector, index));
  return Math.round(1e3 * (usualGain + 0.4 * random.normal())) / 1e3;
}
