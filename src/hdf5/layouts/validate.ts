import { resolve } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { throwIfAborted } from "../../core/async.ts";
import { asText } from "../../core/guards.ts";
import { any, flag, optional, resolveOptions } from "../../core/options.ts";
import { eachBelow, TOO_DEEP } from "../read/below.ts";
import { H5File } from "../read/h5file.ts";
import { PROVENANCE_PATH, readProvenance } from "../read/provenance.ts";
import { checkDigests, type DigestOptions } from "../write/digests.ts";
import { type LayoutName, type LayoutRule, layoutOf, layoutRules, layouts } from "./index.ts";
import type { FileLayout } from "./layout.ts";
import { checkDataset, type Finding, FindingBook } from "./rules.ts";

/** One place where a file breaks a rule of its layout. */
export type LayoutFinding = Finding<LayoutRule>;

/** What a file is and what is wrong with it. */
export interface ValidationReport {
  readonly path: string;
  readonly format: LayoutName | "unknown";
  /** Errors first; at most 20 of one rule. */
  readonly findings: readonly LayoutFinding[];
  /** How often each rule was broken. */
  readonly counts: Readonly<Record<string, number>>;
  /** Whether there is no error; warnings may be there. */
  readonly isValid: boolean;
}

/** How a file is checked. */
export interface ValidateOptions extends DigestOptions {
  /**
   * Looks at every dataset of the file, known to the layout or not: whether it was written whole, its sources are
   * there, and its type and filters can be read. Of each the index of its chunks is read, no values. @default false
   */
  readonly deep?: boolean | undefined;
}

/**
 * Checks a file against the rules of its layout (DataConvert, Cheetah, NXmx), which docs/files.md lists with reasons.
 * Everything that can be checked is, whatever was found before. The images of a file of `sacla convert` are read and
 * compared with their digests, at the speed of the disk or some 0.5 GB/s; pixels of other files are not read.
 *
 * @throws FILE_NOT_FOUND, NOT_HDF5, FILE_DAMAGED when the file does not open at all
 * @example
 * const { isValid, findings } = await validateFile("206178.h5");
 */
export async function validateFile(path: string, options: ValidateOptions = {}): Promise<ValidationReport> {
  const { deep } = resolveOptions("validateFile", options, { signal: any, onProgress: any, deep: optional(flag) });
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const book = new FindingBook(layoutRules);
    const layout = layoutOf(file);
    if (layout === undefined) {
      const signs = layouts.map(({ title, sign }) => `${sign} (${title})`);
      book.add("format", "/", `has no known layout: none of ${signs.join(", ")}`);
    } else layout.check(file, book);
    if (file.keys("/").includes("sacla")) checkProvenance(file, layout, book);
    if (deep === true) await checkEveryDataset(file, book, options);
    await checkDigests(file, (place, test) => book.check("image-digest", place, test), options);
    const { findings, counts } = book;
    return {
      path,
      format: layout?.name ?? "unknown",
      findings,
      counts,
      isValid: findings.every(({ severity }) => severity !== "error"),
    };
  } finally {
    file.close();
  }
}

/** So many between two looks at Ctrl+C. */
const AT_ONCE = 64;

async function checkEveryDataset(file: H5File, book: FindingBook<LayoutRule>, options: DigestOptions): Promise<void> {
  let seen = 0;
  for (const path of eachBelow(file, "/")) {
    checkDataset(file, path, book);
    book.check("dataset-type", path, () => {
      if (file.linkOut(path) !== undefined) return null;
      const kind = file.kind(path);
      if (kind !== "dataset") return kind === "group" ? `is ${TOO_DEEP}` : null;
      const described = file.described(path) ?? "";
      return file.hasNumbers(path) || /\btext\b/.test(described) ? null : `is ${described}`;
    });
    if (++seen % AT_ONCE > 0) continue;
    throwIfAborted(options.signal);
    await turn();
  }
}

function checkProvenance(file: H5File, layout: FileLayout | undefined, book: FindingBook<LayoutRule>): void {
  book.check("provenance", PROVENANCE_PATH, () => {
    const provenance = readProvenance(file);
    if (provenance === undefined) return "is not there, or not in a form this version knows";
    const { asked, used, dropped } = provenance.ledger;
    const lost = asked - used - dropped.reduce((sum, { tags }) => sum + tags.length, 0);
    return lost === 0 ? null : `accounts for ${asked - lost} of ${asked} shots`;
  });
  book.check("tags-used", "/sacla/tags_used", () => {
    const used = file.numbers("/sacla/tags_used");
    const listed = layout === undefined ? undefined : file.numbers(layout.tagListPath(file));
    const expected = readProvenance(file)?.ledger.used;
    if (used === undefined) return "is not there";
    if (expected !== undefined && used.length !== expected)
      return `has ${used.length} tags, but the provenance says ${expected} were used`;
    return listed !== undefined && !sameNumbers(used, listed) ? "differs from the tag list of the file" : null;
  });
}

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
