/**
 * HDF5 archives: files in the DataConvert layout as a source of shots. The only room that knows h5wasm.
 *
 * @module
 */
export { openArchive } from "./archive.ts";
export { openArchiveFolder } from "./archive-folder.ts";
export { type Completeness, completeness, type Presence } from "./completeness.ts";
export { type Converted, type ConvertOptions, convert } from "./convert.ts";
export type { ConvertSource } from "./convert-plan.ts";
export { type ConvertPreview, previewConversion } from "./convert-preview.ts";
export type { ConvertProgress, DarkInfo, ReadOptions } from "./convert-read.ts";
export {
  type ConvertRequest,
  type FileFormat,
  fileFormats,
  type ResolvedRequest,
  type ShotClass,
  shotClasses,
} from "./convert-request.ts";
export type { ArchiveOptions } from "./dataconvert.ts";
export { fileScheme } from "./file-scheme.ts";
export { type LayoutFinding, type LayoutRule, layoutRules } from "./layout-rules.ts";
export { type PhotonScale, type Provenance, provenanceOf } from "./provenance.ts";
export { type Replayed, replay } from "./replay.ts";
export { type ValidationReport, validateFile } from "./validate.ts";
