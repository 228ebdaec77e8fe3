/**
 * Everything that is written to disk follows one rule: **a file is whole or absent, and what was confirmed lasts.**
 *
 * - A file that is replaced (keys, tables, pictures, the journal of a conversion) is written beside its target, synced,
 *   and renamed; then its folder is synced: {@link replaceFile}, {@link replaceBy} and {@link renameWhole} for large
 *   files that are written step by step. A reader sees the old file or the new one.
 * - A new file that must not replace another is made the same way, but linked to its name: {@link createFile}.
 * - A file that grows (journals, audit, presets, target maps) is an {@link AppendLog} of JSON lines. A line
 *   survives the death of the process once `append` has returned, and the loss of power once `sync` has. A line that
 *   says what is about to be done to a device or a sample is synced before it is done.
 * - A file that two processes must not have at the same time has a {@link FileOwner}.
 * - A line cut off by a crash was never confirmed and is left out. Any other line that cannot be read is reported.
 *
 * Exceptions: an answer in a cache folder may be lost at any time and has a checksum, so it is not synced. A recording
 * is synced when it is closed; after a crash its whole messages are read.
 * @module
 */
export { AppendLog, type LogLine, readLog } from "./append-log.ts";
export { FileOwner, type FileOwnerOptions, processStart } from "./file-owner.ts";
export { packageManifest, withPagesFound } from "./package-manifest.ts";
export { readJsonFile } from "./read-json.ts";
export { readTextFile } from "./read-text.ts";
export {
  createFile,
  makeFolder,
  renameWhole,
  replaceBy,
  replaceFile,
  syncFolder,
  whyNotWritten,
  writeFailed,
} from "./replace-file.ts";
