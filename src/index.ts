/**
 * Experiments at the SACLA X-ray free-electron laser: runs, shots, images, assembly, reductions.
 *
 * @example
 * import { connect } from "sacla";
 *
 * await using facility = await connect();
 * const { db } = facility;
 * const run = await db.readRunnumberNewest(3);
 * const hightag = await db.readHightagnumber(3, run);
 * const tags = await db.readTaglistByrun(3, run);
 * const bm1 = await db.readSyncdatalistFloat("xfel_bl_3_tc_bm_1_pd/charge", hightag, tags);
 * @module
 */
export { type ConnectOptions, connect, Facility } from "./connect.ts";
export {
  asImage,
  type CallOptions,
  type DetectorGroup,
  type DetectorInfo,
  type ErrorCode,
  type Image,
  isSaclaError,
  type Ledger,
  type NdArray,
  type PreciseImage,
  type Roi,
  SaclaError,
  type SyncValue,
  TagList,
} from "./core/index.ts";
export type { Db, Run, RunTags, ShotLabels, SignalColumn, SignalTable } from "./db/index.ts";
export { type Control, defineExperiment, type Ec, Experiment, withControl } from "./ec/index.ts";
export { Assembler, reconstruction } from "./ip/index.ts";
export { type Live, type LiveShot, type LiveShots, type LiveShotsOptions, replayLive } from "./live/index.ts";
export {
  type Dark,
  darkAverage,
  histogram,
  mean,
  minMax,
  type Picture,
  type PictureOptions,
  reduce,
  roiSum,
  variance,
} from "./reduce/index.ts";
export type { Shots, ShotsOptions, St } from "./st/index.ts";
export type { Endpoint } from "./transport/index.ts";
