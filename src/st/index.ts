/**
 * Detector images by tag: `stpy` mirrored ({@link StorageReader}, {@link StorageBuffer}), and {@link Shots} above it.
 * @module
 */
export { CitiusApiError as CitiusAPIError, StApiError as APIError } from "../core/api-errors.ts";
export type { Shot } from "../core/shots.ts";
export { imagesOf, type SensorStack } from "./citius/arrays.ts";
export type { CtdapyXfel } from "./citius/ctdapy.ts";
export type { CollectedData, CtolpyXfel, OnlineCtrlBuffer } from "./citius/ctolpy.ts";
export type { CtrlBuffer } from "./citius/ctrl-buffer.ts";
export {
  type MissingPolicy,
  type RunRef,
  Shots,
  type ShotsOptions,
} from "./shots.ts";
export { St } from "./st.ts";
export { StorageBuffer, StorageReader } from "./storage.ts";
