/**
 * What every module shares: errors with codes, tags, SyncDB values, detector information, images, the shot ledger.
 * @module
 */
export type { CallOptions, MaybePromise } from "./async.ts";
export {
  type DetectorInfo,
  type DetInfoDict,
  fromDetInfoDict,
  type SensorGeometry,
  toDetInfoDict,
} from "./detector.ts";
export { type DetectorGroup, groupDetectors } from "./detectors.ts";
export {
  type ErrorCode,
  type ErrorDetails,
  errorCatalogue,
  FacilityError,
  isSaclaError,
  SaclaError,
} from "./errors.ts";
export type { Dropped, Ledger } from "./ledger.ts";
export {
  asImage,
  type Image,
  type NdArray,
  type Pixels,
  type PixelType,
  type PreciseImage,
  type RawImage,
} from "./ndarray.ts";
export { hash, Random } from "./random.ts";
export type { Roi } from "./roi.ts";
export type { ImageSpec, KeepableShot, PixelMemory, Shot, ShotStream, ShotsInMemory } from "./shots.ts";
export {
  type Column,
  formatSyncValue,
  type MissingReason,
  parseSyncValue,
  type RecordedValue,
  type SyncStatus,
  type SyncValue,
  syncStatus,
} from "./syncdb.ts";
export { showTags, type TagRange, tagRanges, tagsOfRanges } from "./tag-ranges.ts";
export { TagList } from "./tags.ts";
