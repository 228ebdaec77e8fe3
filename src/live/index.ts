/**
 * Shots as they happen: `olpy` mirrored ({@link StorageReader}, {@link StorageBuffer}), {@link LiveShots} above it, and
 * {@link replayLive} to rehearse on a stored run.
 * @module
 */
export { LiveApiError as APIError } from "../core/api-errors.ts";
export { Live } from "./live.ts";
export { type ReplayLiveOptions, type ReplaySpeed, replayLive } from "./replay.ts";
export { type LivePolicy, type LiveShot, LiveShots, type LiveShotsOptions } from "./shots.ts";
export { StorageBuffer, StorageReader } from "./storage.ts";
