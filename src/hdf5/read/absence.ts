import { SaclaError, show } from "../../core/errors.ts";
import { DamagedStructure, UnsupportedStructure } from "../direct/bytes.ts";
import { byteLengthOf, type DatasetHeader, datasetAt, writtenIn, writtenValues } from "../direct/dataset.ts";
import { firstAbsent } from "../direct/external.ts";
import { objectAt } from "../direct/group.ts";
import type { H5File } from "./h5file.ts";

/** Why a dataset that the file names holds no values: HDF5 gives its fill value, mostly 0, or an error. */
export interface Absence {
  /** `frame-` in front of it is the reason of a missing image in a ledger. */
  readonly reason: "not-written" | "partly-written" | "source-gone" | "damaged" | "unsupported";
  /** In words, with the file that is not there. */
  readonly what: string;
  /** Of a list that was written in part: 1 for each value that was written. */
  readonly written?: Uint8Array;
}

export const notWritten: Absence = { reason: "not-written", what: "it was created and never written" };
export const partlyWritten: Absence = { reason: "partly-written", what: "only a part of it was written" };

/** No file refers to a file that refers to a file … as often. */
const MOST_FILES = 8;

/**
 * Why a dataset holds no values; undefined when it does, or that is not to be seen (an index of chunks that only the
 * library knows).
 * @param header - when it is known; null when it is known that only the library reads it
 * @throws FILE_DAMAGED when the library cannot read it
 */
export function absenceOf(file: H5File, path: string, header?: DatasetHeader | null, depth = 0): Absence | undefined {
  const link = header === undefined || header === null ? file.linkOut(path) : undefined;
  if (link !== undefined) {
    const isInside = link.file === ".";
    const target = depth < MOST_FILES && !isInside ? file.sibling(link.file) : undefined;
    if (target?.kind(link.path) !== "dataset") {
      const of = isInside ? "" : ` of ${link.file}`;
      return { reason: "source-gone", what: `it is a link to ${link.path}${of}, which is not there` };
    }
    return absenceOf(target, link.path, undefined, depth + 1);
  }
  if (file.kind(path) !== "dataset") return undefined;
  const known = header === undefined ? headerAt(file, path) : (header ?? undefined);
  if (known === undefined || known.layout.kind === "virtual") return sourcesAbsent(file, path, depth);
  if (known.isOdd) throw damaged(file, path, "odd");
  if (known.layout.kind === "external") {
    const absent = firstAbsent(file.path, known.layout.parts, byteLengthOf(known));
    if (absent === undefined) return undefined;
    return absent.isThere
      ? { reason: "partly-written", what: `its file ${absent.name} is too short` }
      : { reason: "source-gone", what: `its pixels are in ${absent.name}, which is not there` };
  }
  const written = seen(file, path, () => writtenIn(file.fileBytes, known));
  if (written === "part" && known.shape.length === 1)
    return { ...partlyWritten, written: writtenValues(file.fileBytes, known) };
  return written === "nothing" ? notWritten : written === "part" ? partlyWritten : undefined;
}

/** A virtual dataset whose source is not there reads as fill values, without an error. */
function sourcesAbsent(file: H5File, path: string, depth: number): Absence | undefined {
  for (const { name, dataset } of file.virtualSources(path)) {
    const source = depth < MOST_FILES ? file.sibling(name) : undefined;
    const gone = (what: string): Absence => ({ reason: "source-gone", what: `it is virtual, and ${what}` });
    if (source === undefined) return gone(`its source ${name} is not there`);
    if (source.kind(dataset) !== "dataset") return gone(`its source ${name} has no ${dataset}`);
    const absence = source === file && dataset === path ? undefined : absenceOf(source, dataset, undefined, depth + 1);
    if (absence !== undefined)
      return { reason: absence.reason, what: `it is virtual, and of its source ${name}, ${absence.what}` };
  }
  return undefined;
}

function headerAt(file: H5File, path: string): DatasetHeader | undefined {
  return seen(file, path, () => datasetAt(file.fileBytes, objectAt(file.fileBytes, path)));
}

/** What `work` returns; undefined when the structure is not known here. @throws FILE_DAMAGED */
function seen<T>(file: H5File, path: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DamagedStructure) throw damaged(file, path, "damaged");
    if (error instanceof UnsupportedStructure || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What is said of metadata that contradict each other, and of numbers that the library would misread. */
export function damaged(file: H5File, path: string, how: "damaged" | "odd"): SaclaError {
  const why = how === "damaged" ? "its metadata are damaged" : "its numbers are of an unusual type";
  return new SaclaError(
    "FILE_DAMAGED",
    `${path} of ${show(file.path)} cannot be read (${why}); copy or convert the file again.`,
    { details: { file: file.path, path } },
  );
}
