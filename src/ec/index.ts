/**
 * Control of the experiment: axes, shutters, settings, runs; leases, limits, and drivers for what is behind them.
 * @module
 */
export type { Axis, MoveOptions } from "./axis.ts";
export { Control, type ControlOptions } from "./control.ts";
export type { AxisView, ControlView, MoveView, SettingView, ShutterView } from "./control-view.ts";
export type {
  AcceleratorSide,
  AxisInfo,
  BeamState,
  ControlDriver,
  DeviceInfo,
  DeviceReading,
  OperatorAnswer,
  RunRequest,
  RunState,
  SettingInfo,
  ShutterInfo,
} from "./driver.ts";
export { type AnswerOptions, Ec } from "./ec.ts";
export {
  type AxisDefinition,
  defineExperiment,
  Experiment,
  type ExperimentDefinition,
  type NamesIn,
  type SignalsIn,
} from "./experiment.ts";
export type { PreviousLease } from "./held-lease.ts";
export type { EndedLease, LeaseEnd } from "./lease.ts";
export { LeaseJournal, type LeaseJournalOptions, type UnfinishedLease } from "./lease-journal.ts";
export { type MadocaOptions, madocaDriver } from "./madoca/driver.ts";
export type { Move, MoveRow } from "./move.ts";
export { type Preset, Presets } from "./presets.ts";
export type { RequestKept, RequestOptions } from "./requests/ask.ts";
export type { RequestRow } from "./requests/preview.ts";
export { RequestLog } from "./requests/request-log.ts";
export type { Setting, Shutter } from "./simple-devices.ts";
export type { Difference, Snapshot, SnapshotEntry } from "./snapshot.ts";
export { type AxisLimits, moveSeconds, toPosition, toPulses } from "./units.ts";
export { type WithControlOptions, withControl } from "./with-control.ts";
