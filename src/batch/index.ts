/**
 * Reductions that a request file describes: in this process, in several, or as jobs of Slurm and PBS; resumable, with
 * the same bits however they are cut. See docs/batch.md.
 * @module
 */
export { BatchFolder, type LogEntry, type Manifest } from "./folder.ts";
export { EXIT_STOPPED, type ProcessOptions, reduceInProcesses } from "./local.ts";
export { type MergeOptions, mergeReduction } from "./merge.ts";
export { pbs } from "./pbs.ts";
export { type PlannedReduction, type PlanOptions, planReduction, type ShardSize } from "./plan.ts";
export {
  type CheckedRequest,
  checkReductionRequest,
  type ReductionRequest,
  requestDigest,
  requestSchema,
} from "./request.ts";
export type { JobPlan, JobScript, Scheduler, SubmittedJobs } from "./scheduler.ts";
export {
  type ReductionSource,
  reduceShard,
  type ShardInHand,
  type ShardOptions,
  type ShardSetting,
  type ShardState,
  shardSetting,
  shardState,
} from "./shard.ts";
export { requeue, slurm, slurmTask } from "./slurm.ts";
export { type ResultSummary, summaryOf } from "./summary.ts";
export { lastJobs, submitJobs, type WatchOptions, watchJobs } from "./watch.ts";
