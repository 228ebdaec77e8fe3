/**
 * Plans of messages, the engine that does them, dry runs, journals, and what comes out: rows, documents, curves.
 * @module
 */
export { countErrors, type PointErrors, type PointMean, pooledErrors } from "../core/point-errors.ts";
export { ratioOfSums } from "../core/ratio.ts";
export type { Beamline, BeamlineRuns, DoOptions } from "./beamline.ts";
export type {
  EngineOptions,
  EngineState,
  RepeatQuestion,
  Row,
  ScanCallback,
  ScanEnd,
  ScanStart,
  ShotCounts,
} from "./callback.ts";
export { type CheckedBeamline, checkPlan } from "./check.ts";
export { type ControlBeamlineOptions, type ControlledFacility, controlBeamline } from "./control-beamline.ts";
export { type DocumentOptions, DocumentStream, type ScanDocument } from "./documents.ts";
export { type DryRun, type DryRunOptions, dryRun, type EstimateRange } from "./dry-run.ts";
export { Engine, resumeScan } from "./engine.ts";
export { type EstimateOptions, estimate } from "./estimate.ts";
export { type Centroid, centroid } from "./fits/centroid.ts";
export { type DecayFit, type DecayFitOptions, fitDecay } from "./fits/decay.ts";
export type { FitOptions, FitQuality } from "./fits/fit-points.ts";
export { fitPeak, type PeakFit, type PeakFitOptions } from "./fits/peak.ts";
export type { PeakShape } from "./fits/peak-shapes.ts";
export { type AfterStep, fitStep, type StepFit, type StepFitOptions } from "./fits/step.ts";
export { onCtrlC } from "./interrupts.ts";
export { Journal } from "./journal.ts";
export { type LearntTimes, learnMoveTimes, withLearntTimes } from "./learnt-times.ts";
export {
  type FlyRequest,
  type FlyTaken,
  type Message,
  type MessageResult,
  type Plan,
  type PlanSteps,
  type Positions,
  type Precision,
  plan,
  type RunToStart,
  type ShotCondition,
  type ShotsRequest,
  type ShotsTaken,
  type SignalSummary,
  type TargetSpot,
} from "./messages.ts";
export { pathPicture } from "./path-picture.ts";
export { type AdaptiveOptions, adaptiveScan } from "./plans/adaptive.ts";
export { type FlyScanOptions, flyScan } from "./plans/fly.ts";
export { type GridAxis, type GridOptions, grid, gridPositions, type RasterOptions, raster } from "./plans/grids.ts";
export { alignCentroid, type Curve, goToPeak, type PeakOptions, rockingCurve } from "./plans/peaks.ts";
export { type FreshSpots, measure, type PointOptions } from "./plans/points.ts";
export { parseScanFile } from "./plans/scan-file.ts";
export {
  count,
  type EqualSteps,
  equalSteps,
  regionPositions,
  type ScanOptions,
  type ScanRegion,
  scan,
  scanList,
  scanLog,
  scanPoints,
  scanRegions,
  scanRelative,
} from "./plans/scans.ts";
export type { CurveOptions } from "./scan-curves.ts";
export { type ScanColumn, ScanTable, type ScanTableOptions } from "./scan-table.ts";
export { difference, pumpedAndUnpumped, summary } from "./shot-collector.ts";
export { scanPosition, shotsOfRow } from "./shots-of-rows.ts";
export {
  checkpoint,
  confirm,
  flyOnce,
  move,
  moveRelative,
  note,
  once,
  point,
  set,
  shots,
  shutter,
  spot,
  startRun,
  stopRun,
  wait,
  where,
} from "./stubs.ts";
export { type SpotState, TargetMap } from "./target-map.ts";
export {
  type VirtualBeamline,
  type VirtualBeamlineOptions,
  type VirtualCall,
  virtualBeamline,
} from "./virtual-beamline.ts";
export { type VirtualAxis, VirtualDevices, type VirtualDevicesOptions, type VirtualShot } from "./virtual-devices.ts";
export { andReturn, finalize, type OnePulse, onePulse, relative, withRun, withShutterOpen } from "./wrappers.ts";
