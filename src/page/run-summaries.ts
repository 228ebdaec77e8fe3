import { toSaclaError } from "../core/errors.ts";
import { meanOf } from "../core/point-errors.ts";
import type { Run } from "../db/index.ts";
import type { St } from "../st/index.ts";
import type { CallResult } from "../transport/methods.ts";
import type { PageSource } from "./live-pictures.ts";

type Summary = CallResult<"page.summary">;

/**
 * A column of the page's table of runs: computed for each run that is shown, once when the run has stopped.
 *
 * @example
 * // columns.mjs, for `sacla view --columns columns.mjs`
 * export default {
 *   "mean of bm1": async (run) => (await run.column("xfel_bl_3_tc_bm_1_pd/charge")).mean(),
 * };
 */
export type RunColumn = (
  run: Run,
  st: St,
) => Promise<number | { readonly value: number; readonly error?: number; readonly unit?: string }>;

/** Runs that are remembered. */
const KEPT = 500;

/** What describes runs in a table, computed once for all who look. */
export class RunSummaries {
  readonly #source: PageSource;
  readonly #own: Readonly<Record<string, RunColumn>>;
  readonly #kept = new Map<string, Promise<Summary>>();

  constructor(source: PageSource, own: Readonly<Record<string, RunColumn>>) {
    this.#source = source;
    this.#own = own;
  }

  async of(bl: number, number: number): Promise<Summary> {
    const key = `${bl} ${number}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return await known;
    const run = await this.#source.db.run(bl, number);
    const made = this.#compute(run);
    // A run that still runs changes.
    if (run.status === 0) {
      this.#kept.set(key, made);
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
      made.catch(() => this.#kept.delete(key));
    }
    return await made;
  }

  async #compute(run: Run): Promise<Summary> {
    const columns: Readonly<Record<string, RunColumn>> = { ...builtIn(run), ...this.#own };
    const summary: Summary = [];
    for (const [name, column] of Object.entries(columns)) {
      try {
        const given = await column(run, this.#source.st);
        const { value, error, unit = "" } = typeof given === "number" ? { value: given } : given;
        summary.push({ name, value: finiteOrNull(value), error: finiteOrNull(error), unit, note: "" });
      } catch (error) {
        summary.push({ name, value: null, error: null, unit: "", note: toSaclaError(error).message });
      }
    }
    return summary;
  }
}

function builtIn({ bl }: Run): Readonly<Record<string, RunColumn>> {
  const monitor = `xfel_bl_${bl}_tc_bm_1_pd/charge`;
  return {
    dark: async (run) => (await run.darkTags()).length,
    exposed: async (run) => (await run.exposedTags()).length,
    "pump on": async (run) => (await run.labels()).on.length,
    "pump off": async (run) => (await run.labels()).off.length,
    "mean intensity": async (run) => {
      const column = await run.column(monitor, await run.exposedTags());
      const { mean, standardError } = meanOf(column.values);
      return { value: mean, error: standardError, unit: column.unit };
    },
  };
}

function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
