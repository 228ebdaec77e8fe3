import { resolve } from "node:path";
import { asText } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { checkDigests, type DigestOptions } from "../convert/digests.ts";
import { PROVENANCE_PATH, readProvenance } from "../convert/provenance.ts";
import { H5File } from "../read/h5file.ts";
import { type LayoutName, type LayoutRule, layoutOf, layoutRules, layouts } from "./index.ts";
import type { FileLayout } from "./layout.ts";
import { type Finding, FindingBook } from "./rules.ts";

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

/**
 * Checks a file against the rules of its layout (DataConvert, Cheetah, NXmx), which docs/files.md lists with reasons.
 * Everything that can be checked is, whatever was found before. The images of a file of `sacla convert` are read and
 * compared with their digests, at the speed of the disk or some 0.5 GB/s; pixels of other files are not read.
 *
 * @throws FILE_NOT_FOUND, NOT_HDF5, FILE_DAMAGED when the file does not open at all
 * @example
 * const { isValid, findings } = await validateFile("206178.h5");
 */
export async function validateFile(path: string, options: DigestOptions = {}): Promise<ValidationReport> {
  resolveOptions("validateFile", options, { signal: any, onProgress: any });
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const book = new FindingBook(layoutRules);
    const layout = layoutOf(file);
    if (layout === undefined) {
      const signs = layouts.map(({ title, sign }) => `${sign} (${title})`);
      book.add("format", "/", `has no known layout: none of ${signs.join(", ")}`);
    } else layout.check(file, book);
    if (file.keys("/").includes("sacla")) checkProvenance(file, layout, book);
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
