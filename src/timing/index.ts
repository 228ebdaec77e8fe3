/**
 * Arrival timing: edges on the images of the timing monitor, their scale in fs per pixel, and the user database.
 * @module
 */
export {
  calibrateTiming,
  relativeFs,
  type TimingCalibration,
  type TimingCalibrationOptions,
  type TimingScale,
  type TimingScanPoint,
} from "./calibration.ts";
export { analyseDelayScan, type DelayScan, type DelayScanOptions, type SignalRegion } from "./delay-scan.ts";
export {
  EdgeFinder,
  type EdgeFinderOptions,
  type EdgeFinderState,
  type EdgeFinderSummary,
  type EdgeFlag,
  type EdgeSample,
  type FoundEdge,
} from "./edge-finder.ts";
export { findEdges, learnEdges, type ShotEdge, type ShotEdgesOptions, xraysBySignal } from "./shot-edges.ts";
export { TimingDb, type TmaConfig, type TmaFinder, type TmaRange, type TmaRow } from "./user-db.ts";
