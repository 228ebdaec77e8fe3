/**
 * Plans of messages, the engine that does them, dry runs, journals, and what comes out: rows, documents, curves.
 * @module
 */
export { countErrors, type PointErrors, type PointMean, pooledErrors } from "../core/point-errors.ts";
export { ratioOfSums } from "../core/ratio.ts";
export { type BeamLook, type BeamRule, lookAtBeam } from "./beamline/beam-look.ts";
export type { Beamline, BeamlineRuns, DoOptions } from "./beamline/beamline.ts";
export { type ControlBeamlineOptions, controlBeamline } from "./beamline/control-beamline.ts";
export { difference, pumpedAndUnpumped, summary } from "./beamline/shot-collector.ts";
export type { ControlledFacility } from "./beamline/shot-feed.ts";
export {
  type VirtualBeamline,
  type VirtualBeamlineOptions,
  type VirtualCall,
  virtualBeamline,
} from "./beamline/virtual-beamline.ts";
export {
  type VirtualAxis,
  VirtualDevices,
  type VirtualDevicesOptions,
  type VirtualShot,
} from "./beamline/virtual-devices.ts";
export { type DocumentOptions, DocumentStream, type ScanDocument } from "./callbacks/documents.ts";
export { answerText, type ScanAnswer, type ScanAnswerOptions, scanAnswers } from "./callbacks/scan-answer.ts";
export type { CurveOptions } from "./callbacks/scan-curves.ts";
export { type ScanColumn, ScanTable, type ScanTableOptions } from "./callbacks/scan-table.ts";
export { scanPosition, shotsOfRow } from "./callbacks/shots-of-rows.ts";
export { type DryRun, type DryRunOptions, dryRun, type EstimateRange } from "./dry-run/dry-run.ts";
export { type EstimateOptions, estimate } from "./dry-run/estimate.ts";
export { type LearntTimes, learnMoveTimes, withLearntTimes } from "./dry-run/learnt-times.ts";
export { pathPicture } from "./dry-run/path-picture.ts";
export type {
  EngineOptions,
  EngineState,
  RepeatQuestion,
  Row,
  ScanCallback,
  ScanEnd,
  ScanStart,
  ShotCounts,
} from "./engine/callback.ts";
export { type CheckedBeamline, checkPlan, type PlanNeeds, planNeeds } from "./engine/check.ts";
export { Engine, resumeScan } from "./engine/engine.ts";
export { onCtrlC } from "./engine/interrupts.ts";
export { Journal } from "./engine/journal.ts";
export type { PlanLayout } from "./engine/plan-layout.ts";
export { type SpotState, TargetMap } from "./engine/target-map.ts";
export { type Centroid, centroid } from "./fits/centroid.ts";
export { type DecayFit, type DecayFitOptions, fitDecay } from "./fits/decay.ts";
export {
  type DelayPoint,
  type DelayScanFit,
  type DelayScanFitOptions,
  type DelayShot,
  fitDelayScan,
  fittedChange,
} from "./fits/delay-scan.ts";
export type { FitOptions, FitQuality } from "./fits/fit-points.ts";
export { fitPeak, type PeakFit, type PeakFitOptions } from "./fits/peak.ts";
export type { PeakShape } from "./fits/peak-shapes.ts";
export { type AfterStep, fitStep, type StepFit, type StepFitOptions } from "./fits/step.ts";
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
  type RequestsKept,
  type RequestToOperators,
  type RunToStart,
  type ShotCondition,
  type ShotsRequest,
  type ShotsTaken,
  type SignalSummary,
  type TargetSpot,
} from "./messages/messages.ts";
export { type AdaptiveOptions, adaptiveScan } from "./plans/adaptive.ts";
export {
  type AlignmentStep,
  type AlignSplitDelayOptions,
  alignSplitDelay,
  type SplitDelayAlignment,
} from "./plans/align-split-delay.ts";
export {
  type DelaySweeps,
  type DelaySweepsOptions,
  delaySweeps,
  type LiveEdges,
  type SharedPoint,
  type SharedScan,
  type SharedScanOptions,
  sharedScan,
} from "./plans/delay.ts";
export { type FlyScanOptions, flyScan } from "./plans/fly.ts";
export { type GridAxis, type GridOptions, grid, gridPositions, type RasterOptions, raster } from "./plans/grids.ts";
export {
  type EdgeScan,
  type EdgeScanOptions,
  edgeScan,
  type FoundZeroDelay,
  findZeroDelay,
  type LearnSplitDelayOptions,
  learnSplitDelay,
  type ZeroDelayOptions,
} from "./plans/optics.ts";
export { type Knob, type Optimised, type OptimiseOptions, optimise } from "./plans/optimise.ts";
export {
  alignCentroid,
  type Curve,
  type CurveScanOptions,
  goToPeak,
  type PeakOptions,
  type Rocked,
  rock,
  rockingCurve,
} from "./plans/peaks.ts";
export { type FreshSpots, measure, type PointOptions } from "./plans/points.ts";
export {
  delayAxis,
  energyAxis,
  type MonochromatorCrystal,
  type PseudoAxis,
  splitDelayEnergyAxis,
} from "./plans/pseudo-axis.ts";
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
export {
  checkpoint,
  confirm,
  flyOnce,
  move,
  moveRelative,
  note,
  once,
  point,
  request,
  set,
  shots,
  shutter,
  spot,
  startRun,
  stopRun,
  wait,
  where,
} from "./plans/stubs.ts";
export {
  andReturn,
  finalize,
  type OnePulse,
  onePulse,
  orReturn,
  relative,
  withRun,
  withShutterOpen,
} from "./plans/wrappers.ts";
