/**
 * HDF5 archives: files in the DataConvert layout as a source of shots; files of several layouts written and checked.
 * The only module that knows h5wasm.
 *
 * @module
 */

export { type AddedSignal, type AddedSignals, type AddSignalsOptions, addSignals } from "./convert/add-signals.ts";
export { type Converted, type ConvertOptions, convert } from "./convert/convert.ts";
export { type ConvertPreview, previewConversion } from "./convert/preview.ts";
export type { ConvertProgress, ReadOptions } from "./convert/read.ts";
export { type Replayed, replay } from "./convert/replay.ts";
export { PEAK_LIST } from "./layouts/cxi.ts";
export { type LayoutName, type LayoutRule, layoutRules } from "./layouts/index.ts";
export { type LayoutFinding, type ValidateOptions, type ValidationReport, validateFile } from "./layouts/validate.ts";
export { openArchiveFolder } from "./open/archive-folder.ts";
export { fileScheme, pathIn } from "./open/file-scheme.ts";
export { openArchive } from "./open/open-archive.ts";
export { H5Browser } from "./read/browse.ts";
export { type Completeness, completeness, type Presence } from "./read/completeness.ts";
export type { ArchiveOptions } from "./read/dataconvert.ts";
export { type DarkInfo, type PhotonScale, type Provenance, provenanceOf } from "./read/provenance.ts";
export {
  type ConvertHits,
  type ConvertRequest,
  type FileFormat,
  fileFormats,
  type PixelUnits,
  pixelUnits,
  type ResolvedHits,
  type ResolvedRequest,
  type ShotClass,
  shotClasses,
} from "./request.ts";
export { compressions } from "./write/compression.ts";
export type { DigestOptions } from "./write/digests.ts";
export type { ConvertSource } from "./write/plan.ts";
export { writeColumns } from "./write/write-columns.ts";
export { type PictureAbout, writePictureFile } from "./write/write-picture.ts";
export { writeTree } from "./write/write-tree.ts";
