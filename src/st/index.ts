/**
 * Detector images by tag: `stpy` mirrored ({@link StorageReader}, {@link StorageBuffer}), and {@link Shots} above it.
 * @module
 */
export { APIError } from "./api-error.ts";
export { type FrameSpec, type MissingPolicy, type PixelMemory, type RunRef, type Shot, Shots, type ShotsOptions } from "./shots.ts";
export { St } from "./st.ts";
export { StorageBuffer, StorageReader } from "./storage.ts";
