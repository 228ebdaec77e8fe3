import { SaclaError, toSaclaError } from "../core/errors.ts";
import { meanOf } from "../core/point-errors.ts";
import type { Run } from "../db/index.ts";
import type { St } from "../st/index.ts";
import type { CallResult } from "../transport/methods.ts";
import { imageNumbers } from "./image-columns.ts";
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
/** Run numbers on each side that are looked through for dark shots. */
const DARK_WITHIN = 10;
const HIT_RATE = "hit rate";

/** What describes runs in a table, computed once for all who look. */
export class RunSummaries {
  readonly #source: PageSource;
  readonly #own: Readonly<Record<string, RunColumn>>;
  readonly #kept = new Map<string, Promise<Summary>>();
  /** The one before: images are read for one run at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(source: PageSource, own: Readonly<Record<string, RunColumn>>) {
    this.#source = source;
    this.#own = own;
  }

  async of(bl: number, number: number): Promise<Summary> {
    return await this.#once(`${bl} ${number}`, bl, number, (run) => this.#compute(run));
  }

  /** Columns for which images are read. */
  async ofImages(bl: number, number: number): Promise<Summary> {
    return await this.#once(`${bl} ${number} images`, bl, number, async (run) => {
      const made = this.#turn.then(() => this.#fromImages(run));
      this.#turn = made.catch(() => {});
      return await made;
    });
  }

  async #once(key: string, bl: number, number: number, compute: (run: Run) => Promise<Summary>): Promise<Summary> {
    const known = this.#kept.get(key);
    if (known !== undefined) return await known;
    const run = await this.#source.db.run(bl, number);
    const made = compute(run);
    // A run that still runs changes.
    if (run.status === 0) {
      this.#kept.set(key, made);
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
      // What failed may go well the next time.
      made.then(
        (numbers) => numbers.every(({ value }) => value === null) && this.#kept.delete(key),
        () => this.#kept.delete(key),
      );
    }
    return await made;
  }

  /** @throws NO_DARK */
  async #nearestDark(run: Run): Promise<number> {
    const found = await this.#source.db.nearestDark(run, { within: DARK_WITHIN });
    if (found !== undefined) return found.number;
    throw new SaclaError("NO_DARK", `Neither run ${run.number} nor those near it have dark shots.`);
  }

  async #fromImages(run: Run): Promise<Summary> {
    try {
      const { db, st } = this.#source;
      const { hits, onOff, note } = await imageNumbers(st, run, async (detector) =>
        db.nearestDark(run, { detector, within: DARK_WITHIN }),
      );
      const numbers = [
        { name: HIT_RATE, value: 100 * hits.value, error: 100 * hits.error, unit: "%" },
        ...(onOff === null
          ? []
          : [
              {
                name: "pumped/unpumped − 1",
                value: 100 * onOff.contrast,
                error: 100 * onOff.contrastError,
                unit: "%",
              },
              { name: "pump significance", value: onOff.significance, error: undefined, unit: "σ" },
            ]),
      ];
      return numbers.map(({ name, value, error, unit }) => ({
        name,
        value: finiteOrNull(value),
        error: finiteOrNull(error),
        unit,
        note,
      }));
    } catch (error) {
      const note = toSaclaError(error).message;
      return [{ name: HIT_RATE, value: null, error: null, unit: "%", note }];
    }
  }

  async #compute(run: Run): Promise<Summary> {
    const columns: Readonly<Record<string, RunColumn>> = {
      ...builtIn(run),
      "nearest dark": async () => await this.#nearestDark(run),
      ...this.#own,
    };
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
