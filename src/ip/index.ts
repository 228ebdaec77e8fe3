export { type AssembleOptions, Assembler, type ImagePlace, type SensorPlace } from "./assembler.ts";
export type { AssemblerOptions, AssemblyMethod } from "./assembler-options.ts";
export type { Calibrant } from "./calibrants.ts";
export { type CalibrateOptions, calibrate, type RingCalibration } from "./calibrate.ts";
export { compareGeometry, type GeometryComparison, type SensorMove } from "./compare-geometry.ts";
export { type CrystfelBadRegion, type CrystfelGeom, type CrystfelPanel, parseCrystfelGeom } from "./crystfel-read.ts";
export { updateCrystfelGeom } from "./crystfel-update.ts";
export { type CrystfelGeomOptions, toCrystfelGeom } from "./crystfel-write.ts";
export { type PixelPositions, pixelPositions } from "./geometry.ts";
export { badPixelReasons, badPixels, usable } from "./masks.ts";
export type { PerSensor, PixelArray, SensorDark, SensorImage, SensorMask } from "./pixels.ts";
export type { View } from "./placement.ts";
export { type PoniPicture, parsePoni, toPoni } from "./poni.ts";
export { type ReconstructionSource, reconstruction } from "./reconstruction.ts";
export type { SensorRegion } from "./region.ts";
export {
  type BeamGeometry,
  beamCentre,
  fromBeamCentre,
  type Polarisation,
  type RingGeometry,
} from "./ring-geometry.ts";
export { type BrightSpot, brightestSpots, type SpotOptions, spotCentre } from "./spots.ts";
