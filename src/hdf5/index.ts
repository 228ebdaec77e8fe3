/**
 * HDF5 archives: files in the DataConvert layout as a source of shots. The only room that knows h5wasm.
 *
 * @module
 */

export { type Converted, type ConvertOptions, convert } from "./convert/convert.ts";
export type { ConvertSource } from "./convert/plan.ts";
export { type ConvertPreview, previewConversion } from "./convert/preview.ts";
export { type PhotonScale, type Provenance, provenanceOf } from "./convert/provenance.ts";
export type { ConvertProgress, DarkInfo, ReadOptions } from "./convert/read.ts";
export { type Replayed, replay } from "./convert/replay.ts";
export {
  type ConvertRequest,
  type FileFormat,
  fileFormats,
  type ResolvedRequest,
  type ShotClass,
  shotClasses,
} from "./convert/request.ts";
export { type LayoutFinding, type LayoutRule, layoutRules } from "./layouts/rules.ts";
export { type ValidationReport, validateFile } from "./layouts/validate.ts";
export { openArchive } from "./read/archive.ts";
export { openArchiveFolder } from "./read/archive-folder.ts";
export { type Completeness, completeness, type Presence } from "./read/completeness.ts";
export type { ArchiveOptions } from "./read/dataconvert.ts";
export { fileScheme } from "./read/file-scheme.ts";
