/**
 * HDF5 archives: files in the DataConvert layout as a source of shots. The only room that knows h5wasm.
 *
 * @module
 */
export { openArchive } from "./archive.ts";
export type { ArchiveOptions } from "./dataconvert.ts";
export { fileScheme } from "./file-scheme.ts";
