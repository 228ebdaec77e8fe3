import { isSaclaError } from "../../core/errors.ts";
import { absenceOf } from "../read/absence.ts";
import type { H5File } from "../read/h5file.ts";

/** What a layout demands of a file. */
export interface Rule {
  readonly severity: "error" | "warning";
  /** Why it matters. */
  readonly reason: string;
}

export const error = (reason: string): Rule => ({ severity: "error", reason });
export const warning = (reason: string): Rule => ({ severity: "warning", reason });

/** Rules of images of any layout, and of every dataset with `--deep`. */
export const datasetRules = {
  "image-type": error("Pixels are whole numbers or IEEE floats of 1, 2, 4 or 8 bytes; readers stop at others."),
  filter: error("What a filter that is not built in has compressed is read only where its plugin is."),
  written: error("HDF5 gives zeros, and no error, for what was never written or whose source is not there."),
};

/** A book of whatever layout, whose rules include those of datasets. */
export type DatasetBook = Pick<FindingBook<keyof typeof datasetRules>, "add" | "check" | "read">;

/** Whether what a dataset holds is there and can be read: its index of chunks is looked at, its values are not. */
export function checkDataset(file: H5File, path: string, book: DatasetBook): void {
  const absence = book.read("written", path, () => absenceOf(file, path));
  const missing = absence?.written?.reduce((count, is) => count + (is === 1 ? 0 : 1), 0);
  const where = missing === undefined ? "" : ` (${missing} of the first axis are not whole)`;
  if (absence !== undefined) book.add("written", path, `${absence.what}${where}`);
  // What a link leads to, and is away, has no filters.
  else book.check("filter", path, () => file.unreadable(path)?.what ?? null);
}

/** One place where a file breaks a rule. */
export interface Finding<R extends string> {
  readonly rule: R;
  readonly severity: Rule["severity"];
  readonly path: string;
  readonly message: string;
  /** Why the rule is there. */
  readonly reason: string;
}

const MOST_OF_ONE_RULE = 20;
const MOST_SAID = 100_000;

/** Collects findings. */
export class FindingBook<R extends string = string> {
  readonly #rules: Readonly<Record<R, Rule>>;
  readonly #findings: Finding<R>[] = [];
  readonly #counts = new Map<R, number>();
  /** What was added, so that it is said once however many checks find it. */
  readonly #said = new Set<string>();

  constructor(rules: Readonly<Record<R, Rule>>) {
    this.#rules = rules;
  }

  get findings(): Finding<R>[] {
    return this.#findings.toSorted((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
  }

  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  add(rule: R, path: string, message: string): void {
    const what = `${rule} ${path} ${message}`;
    if (this.#said.has(what)) return;
    if (this.#said.size < MOST_SAID) this.#said.add(what);
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count <= MOST_OF_ONE_RULE) this.#findings.push({ rule, path, message, ...this.#rules[rule] });
  }

  /** Adds a finding when `test` returns what is wrong, or cannot read what it needs. */
  check(rule: R, path: string, test: () => string | null): void {
    const wrong = this.read(rule, path, test);
    if (typeof wrong === "string") this.add(rule, path, wrong);
  }

  /** What `work` returns; undefined, and a finding, when the file cannot be read there. */
  read<T>(rule: R, path: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (thrown) {
      if (!isSaclaError(thrown)) throw thrown;
      this.add(rule, path, thrown.message);
      return undefined;
    }
  }
}
