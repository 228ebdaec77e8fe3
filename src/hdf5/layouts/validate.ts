import { resolve } from "node:path";
import { asText } from "../../core/guards.ts";
import { PROVENANCE_PATH, readProvenance } from "../convert/provenance.ts";
import { H5File } from "../read/h5file.ts";
import { FindingBook, type LayoutFinding } from "./rules.ts";
import { checkDataConvert } from "./validate-dataconvert.ts";
import { checkCheetah, checkNxmx } from "./validate-stack.ts";

/** What a file is and what is wrong with it. */
export interface ValidationReport {
  readonly path: string;
  readonly format: "dataconvert" | "cheetah" | "nxmx" | "unknown";
  /** Errors first; at most 20 of one rule. */
  readonly findings: readonly LayoutFinding[];
  /** How often each rule was broken. */
  readonly counts: Readonly<Record<string, number>>;
  /** Whether there is no error; warnings may be there. */
  readonly isValid: boolean;
}

/**
 * Checks a file against the rules of its layout (DataConvert, Cheetah, NXmx), which docs/files.md lists with reasons.
 * Everything that can be checked is, whatever was found before; pixels are not read.
 *
 * @throws FILE_NOT_FOUND, NOT_HDF5, FILE_DAMAGED when the file does not open at all
 * @example
 * const { isValid, findings } = await validateFile("206178.h5");
 */
export async function validateFile(path: string): Promise<ValidationReport> {
  const file = await H5File.open(resolve(asText("path", path)));
  try {
    const book = new FindingBook();
    const format = formatOf(file);
    if (format === "dataconvert") checkDataConvert(file, book);
    else if (format === "cheetah") checkCheetah(file, book);
    else if (format === "nxmx") checkNxmx(file, book);
    else
      book.add(
        "format",
        "/",
        "has neither /file_info (DataConvert), nor tag-<n> groups (Cheetah), nor /entry/definition (NXmx)",
      );
    if (file.keys("/").includes("sacla")) checkProvenance(file, book);
    const { findings, counts } = book;
    return { path, format, findings, counts, isValid: findings.every(({ severity }) => severity !== "error") };
  } finally {
    file.close();
  }
}

function formatOf(file: H5File): ValidationReport["format"] {
  const names = file.keys("/");
  if (names.includes("file_info") || names.some((name) => /^run_\d+$/.test(name))) return "dataconvert";
  if (names.some((name) => /^tag-\d+$/.test(name))) return "cheetah";
  return names.includes("entry") ? "nxmx" : "unknown";
}

function checkProvenance(file: H5File, book: FindingBook): void {
  book.check("provenance", PROVENANCE_PATH, () => {
    const provenance = readProvenance(file);
    if (provenance === undefined) return "is not there, or not in a form this version knows";
    const { asked, used, dropped } = provenance.ledger;
    const lost = asked - used - dropped.reduce((sum, { tags }) => sum + tags.length, 0);
    return lost === 0 ? null : `accounts for ${asked - lost} of ${asked} shots`;
  });
  book.check("tags-used", "/sacla/tags_used", () => {
    const used = file.numbers("/sacla/tags_used");
    const root = file.keys("/").find((name) => /^run_\d+$/.test(name));
    const listed = file.numbers(
      root === undefined ? "/sacla/event_info/tag_number_list" : `/${root}/event_info/tag_number_list`,
    );
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
