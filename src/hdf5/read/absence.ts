import { dirname } from "node:path";
import { SaclaError, show } from "../../core/errors.ts";
import { DamagedStructure, UnsupportedStructure } from "../direct/bytes.ts";
import {
  byteLengthOf,
  type DatasetHeader,
  datasetAt,
  type ExternalPart,
  writtenAlongFirst,
  writtenIn,
} from "../direct/dataset.ts";
import { absentBytes } from "../direct/external.ts";
import { objectAt } from "../direct/group.ts";
import { type Box, coveredBy, type Mapping, mappingsIn } from "../direct/virtual.ts";
import type { H5File } from "./h5file.ts";

/** Why a dataset that the file names holds no values: HDF5 gives its fill value, mostly 0, or an error. */
export interface Absence {
  /** `frame-` in front of it is the reason of a missing image in a ledger. */
  readonly reason: "not-written" | "partly-written" | "source-gone" | "damaged" | "unsupported";
  /** In words, with the file that is not there. */
  readonly what: string;
  /** Where a part is there, such as some images of a stack: 1 for each index of the first axis that is whole. */
  readonly written?: Uint8Array;
}

export const notWritten: Absence = { reason: "not-written", what: "it was created and never written" };
export const partlyWritten: Absence = { reason: "partly-written", what: "only a part of it was written" };

/** Absent files that are named. */
const MOST_NAMED = 4;

/** No file refers to a file that refers to a file … as often. */
const MOST_FILES = 8;

/** What of a dataset is asked about. */
interface Asked {
  /** Of [images, modules, …] this module alone. */
  readonly module?: number | undefined;
  /** References that led there. */
  readonly depth?: number;
}

/**
 * Why a dataset holds no values; undefined when it does, or that is not to be seen (an index of chunks that only the
 * library knows).
 * @param header - when it is known; null when it is known that only the library reads it
 * @throws FILE_DAMAGED when the library cannot read it
 */
export function absenceOf(
  file: H5File,
  path: string,
  header?: DatasetHeader | null,
  { module, depth = 0 }: Asked = {},
): Absence | undefined {
  const link = header === undefined || header === null ? file.linkOut(path) : undefined;
  if (link !== undefined) {
    const isInside = link.file === ".";
    const target = depth < MOST_FILES && !isInside ? file.sibling(link.file) : undefined;
    if (target?.kind(link.path) !== "dataset") {
      const of = isInside ? "" : ` of ${link.file}`;
      return { reason: "source-gone", what: `it is a link to ${link.path}${of}, which is not there` };
    }
    return absenceOf(target, link.path, undefined, { module, depth: depth + 1 });
  }
  if (!header && file.kind(path) !== "dataset") return undefined;
  const known = header === undefined ? headerAt(file, path) : (header ?? undefined);
  if (known?.layout.kind === "virtual") {
    const { heap, object } = known.layout;
    const mappings = seen(file, path, () => mappingsIn(file.fileBytes, heap, object));
    if (mappings !== undefined) return uncovered(file, path, known.shape, mappings, { module, depth });
  }
  if (known === undefined || known.layout.kind === "virtual") return sourcesAbsent(file, path, depth);
  if (known.odd !== undefined) throw damaged(file, path, known.odd);
  if (known.layout.kind === "external") {
    return absentIn(file, known, known.layout.parts);
  }
  const written = seen(file, path, () => writtenIn(file.fileBytes, known));
  if (written === "part") {
    const along = writtenAlongFirst(file.fileBytes, known, module);
    return along.length > 0 && !along.includes(0) ? undefined : { ...partlyWritten, written: along };
  }
  return written === "nothing" ? notWritten : undefined;
}

/** Of numbers in files of their own HDF5 gives zeros where a file ends too early. */
function absentIn(file: H5File, header: DatasetHeader, parts: readonly ExternalPart[]): Absence | undefined {
  const absent = absentBytes(file.path, parts, byteLengthOf(header));
  const [first] = absent;
  if (first === undefined) return undefined;
  const [length = 1] = header.shape;
  const bytes = byteLengthOf(header) / length;
  const isAbsent = (at: number): boolean => absent.some(({ from, to }) => from < (at + 1) * bytes && to > at * bytes);
  const written = Uint8Array.from({ length }, (_, at) => (isAbsent(at) ? 0 : 1));
  const each = absent.map(({ name, isThere }) =>
    isThere ? `its file ${name} is too short` : `its numbers are in ${name}, which is not there`,
  );
  const more = each.length > MOST_NAMED ? `; and ${each.length - MOST_NAMED} more` : "";
  const what = `${each.slice(0, MOST_NAMED).join("; ")}${more}`;
  const reason = first.isThere ? "partly-written" : "source-gone";
  return written.includes(1) ? { reason, what, written } : { reason, what };
}

/** A virtual dataset reads as fill values, without an error, where no source is, or the source has nothing. */
function uncovered(
  file: H5File,
  path: string,
  shape: readonly number[],
  mappings: readonly Mapping[],
  { module, depth = 0 }: Asked,
): Absence | undefined {
  let first: Absence | undefined;
  const there: Box[] = [];
  const whole = shape.map((length) => [0, length] as const);
  for (const mapping of mappings) {
    const absence = mappingAbsent(file, path, mapping, depth);
    first ??= absence;
    if (absence === undefined) there.push(...(mapping.target ?? [whole]));
  }
  const isOfModule = ([, box]: Box): boolean => box !== undefined && box[0] <= (module ?? 0) && (module ?? 0) < box[1];
  const covered = seen(file, path, () =>
    module === undefined
      ? coveredBy(there, shape)
      : coveredBy(
          there.filter(isOfModule).map((box) => box.with(1, [0, 1])),
          shape.with(1, 1),
        ),
  );
  if (covered === undefined) return first;
  if (covered.every((is) => is === 1)) return shape.length === 0 ? first : undefined;
  const { reason, what } = first ?? {
    reason: "partly-written" as const,
    what: "it is virtual, and its sources are only a part of it",
  };
  return covered.includes(1) ? { reason, what, written: covered } : { reason, what };
}

/** Why one source gives no values. */
function mappingAbsent(file: H5File, path: string, mapping: Mapping, depth: number): Absence | undefined {
  const { dataset, source } = mapping;
  const absence = sourceAbsent(file, path, mapping.file, dataset, depth);
  // Of a source that was written in part, this part may be there.
  const isThere = (at: number): boolean => absence?.written?.[at] === 1;
  const isWhole = source?.every(([[from, to] = [0, 1]]) => allBetween(from, to, isThere)) ?? false;
  if (absence !== undefined && !isWhole) return { reason: absence.reason, what: absence.what };
  const shape = file.sibling(mapping.file)?.shape(dataset) ?? [];
  const isInside = source?.every((box) => box.every(([, to], axis) => to <= (shape[axis] ?? 0))) ?? true;
  if (isInside) return undefined;
  return { reason: "partly-written", what: `it is virtual, and its source ${mapping.file} is smaller than its part` };
}

/** As {@link uncovered}, where only the names of the sources are known. */
function sourcesAbsent(file: H5File, path: string, depth: number): Absence | undefined {
  for (const { name, dataset } of file.virtualSources(path)) {
    const absence = sourceAbsent(file, path, name, dataset, depth);
    if (absence !== undefined) return { reason: absence.reason, what: absence.what };
  }
  return undefined;
}

function sourceAbsent(file: H5File, path: string, name: string, dataset: string, depth: number): Absence | undefined {
  const source = depth < MOST_FILES ? file.sibling(name) : undefined;
  const gone = (what: string): Absence => ({ reason: "source-gone", what: `it is virtual, and ${what}` });
  if (source === undefined) return gone(`its source ${name} is not there`);
  if (source.kind(dataset) !== "dataset") return gone(`its source ${name} has no ${dataset}`);
  // It is no place for the library to look.
  if (source === file && dataset === path) return gone("it is its own source");
  const absence = absenceOf(source, dataset, undefined, { depth: depth + 1 });
  if (absence === undefined && dirname(source.path) !== dirname(file.path) && isExternal(source, dataset)) {
    // The library would look for them beside this file.
    const what = `it is virtual, and its source ${name} has its numbers in files beside it, in another folder`;
    return { reason: "unsupported", what };
  }
  if (absence === undefined) return undefined;
  return { ...absence, what: `it is virtual, and of its source ${name}, ${absence.what}` };
}

function isExternal(file: H5File, path: string): boolean {
  return headerAt(file, path)?.layout.kind === "external";
}

function allBetween(from: number, to: number, test: (at: number) => boolean): boolean {
  for (let at = from; at < to; at++) if (!test(at)) return false;
  return true;
}

/** FRAME_MISSING for an image of which there is something; `reason` of its details is that of a ledger. */
export function frameMissing(detId: string, run: number, tag: number, where: string, { reason, what }: Absence) {
  return new SaclaError("FRAME_MISSING", `${detId} has no image for tag ${tag} of run ${run}: ${what} (${where}).`, {
    details: { detId, run, tag, reason: `frame-${reason}`, what },
  });
}

/** The header of numbers of this file that are reached without soft links, seen without the library. */
export function plainNumbersAt({ fileBytes }: H5File, path: string): DatasetHeader | undefined {
  try {
    const header = datasetAt(fileBytes, objectAt(fileBytes, path));
    const { kind } = header.layout;
    return header.element === undefined || kind === "virtual" || kind === "external" ? undefined : header;
  } catch (error) {
    if (error instanceof UnsupportedStructure || error instanceof RangeError) return undefined;
    throw error;
  }
}

function headerAt(file: H5File, path: string): DatasetHeader | undefined {
  return seen(file, path, () => datasetAt(file.fileBytes, objectAt(file.fileBytes, path)));
}

/** What `work` returns; undefined when the structure is not known here. @throws FILE_DAMAGED */
function seen<T>(file: H5File, path: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DamagedStructure) throw damaged(file, path);
    if (error instanceof UnsupportedStructure || error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * What is said of metadata that contradict each other.
 * @param odd - and of numbers that the library would misread: what they are
 */
export function damaged(file: H5File, path: string, odd?: string): SaclaError {
  const why =
    odd === undefined
      ? "cannot be read (its metadata are damaged); copy or convert the file again"
      : `is of ${odd}, which sacla does not read; write it as uint16 or float32`;
  return new SaclaError("FILE_DAMAGED", `${path} of ${show(file.path)} ${why}.`, {
    details: { file: file.path, path },
  });
}
