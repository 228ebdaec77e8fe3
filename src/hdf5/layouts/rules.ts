import { isSaclaError } from "../../core/errors.ts";

/** What a layout demands of a file. */
export interface Rule {
  readonly severity: "error" | "warning";
  /** Why it matters. */
  readonly reason: string;
}

export const error = (reason: string): Rule => ({ severity: "error", reason });
export const warning = (reason: string): Rule => ({ severity: "warning", reason });

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

/** Collects findings. */
export class FindingBook<R extends string = string> {
  readonly #rules: Readonly<Record<R, Rule>>;
  readonly #findings: Finding<R>[] = [];
  readonly #counts = new Map<R, number>();

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
