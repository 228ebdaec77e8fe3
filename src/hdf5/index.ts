/**
 * HDF5 archives: files in the DataConvert layout as a source of shots; files of several layouts written and checked.
 * The only module that knows h5wasm.
 *
 * @module
 */

export { type AddedSignal, type AddedSignals, type AddSignalsOptions, addSignals } from "./convert/add-signals.ts";
export { compressions } from "./convert/compression.ts";
export { type Converted, type ConvertOptions, convert } from "./convert/convert.ts";
export type { DigestOptions } from "./convert/digests.ts";
export type { ConvertSource } from "./convert/plan.ts";
export { type ConvertPreview, previewConversion } from "./convert/preview.ts";
export { type DarkInfo, type PhotonScale, type Provenance, provenanceOf } from "./convert/provenance.ts";
export type { ConvertProgress, ReadOptions } from "./convert/read.ts";
export { type Replayed, replay } from "./convert/replay.ts";
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
} from "./convert/request.ts";
export { writeColumns } from "./convert/write-columns.ts";
export { type PictureAbout, writePictureFile } from "./convert/write-picture.ts";
export { writeTree } from "./convert/write-tree.ts";
export { PEAK_LIST } from "./layouts/cxi.ts";
export { type LayoutName, type LayoutRule, layoutRules } from "./layouts/index.ts";
export { type LayoutFinding, type ValidateOptions, type ValidationReport, validateFile } from "./layouts/validate.ts";
export { openArchiveFolder } from "./read/archive-folder.ts";
export { H5Browser } from "./read/browse.ts";
export { type Completeness, completeness, type Presence } from "./read/completeness.ts";
export type { ArchiveOptions } from "./read/dataconvert.ts";
export { fileScheme, pathIn } from "./read/file-scheme.ts";
export { openArchive } from "./read/open-archive.ts";
