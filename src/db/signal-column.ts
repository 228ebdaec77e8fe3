import { badArgument } from "../core/guards.ts";
import {
  type Column,
  entryOf,
  formatSyncValue,
  type MissingReason,
  type RecordedValue,
  reasonOf,
  STATUS_MISSING,
  type SyncStatus,
  type SyncValue,
} from "../core/syncdb.ts";
import type { TagList } from "../core/tags.ts";

/**
 * One signal over the shots of a tag list: entry `i` belongs to `tags.at(i)`.
 *
 * @example
 * const bm1 = await run.column("xfel_bl_3_tc_bm_1_pd/charge");
 * console.log(bm1.mean(), bm1.unit, bm1.counts["not-converged"]);
 * await writeFile("bm1.txt", formatSyncdaq(bm1.tags, bm1));
 */
export class SignalColumn implements Column {
  /** What it was asked for by: a name of the experiment, or the equipment id. Tables and files call it so. */
  readonly name: string;
  readonly equipId: string;
  /** "" for flags and unitless values. */
  readonly unit: string;
  readonly tags: TagList;
  /** One number per tag, NaN where there is none: {@link reason} says why. */
  readonly values: Float64Array;
  /** Index into `syncStatus` of each entry; {@link reason} spells it out. */
  readonly status: Uint8Array;

  constructor(tags: TagList, column: Column, name: string = column.equipId) {
    if (column.values.length !== tags.length)
      throw badArgument(
        `the number of values of ${column.equipId}`,
        column.values.length,
        `${tags.length}, one per tag`,
      );
    this.name = name;
    this.equipId = column.equipId;
    this.unit = column.unit;
    this.tags = tags;
    this.values = column.values;
    this.status = column.status;
  }

  get length(): number {
    return this.tags.length;
  }

  /** Why entry `i` has no number; null when it has one. */
  reason(i: number): MissingReason | null {
    return reasonOf(this.status[i] ?? this.#noEntry(i));
  }

  /**
   * Entry `i`, as a number with unit or the reason why there is none.
   * @throws BAD_ARGUMENT when there is no such entry
   */
  entry(i: number): RecordedValue {
    if (this.status[i] === undefined) this.#noEntry(i);
    return entryOf(this, i);
  }

  /**
   * Entry `i` as the facility prints it: `5.16420e-09C`, `not-converged`.
   * @throws BAD_ARGUMENT when there is no such entry
   */
  text(i: number): string {
    return formatSyncValue(this, i);
  }

  /** The value at a tag. @throws BAD_ARGUMENT when the tag is not in {@link tags} */
  at(tag: number): SyncValue {
    const i = this.tags.indexOf(tag);
    if (i < 0)
      throw badArgument(
        "tag",
        tag,
        `one of the ${this.length} tags of this column (${this.tags.at(0)} to ${this.tags.at(-1)})`,
      );
    return entryOf(this, i);
  }

  /** How many shots have a number (`ok`), and how many have none, by reason. */
  get counts(): Record<SyncStatus, number> {
    const { status } = this;
    const found = [0, 0, 0, 0];
    for (let i = 0; i < status.length; i++) {
      const code = Math.min(status[i] ?? STATUS_MISSING, STATUS_MISSING);
      found[code] = (found[code] ?? 0) + 1;
    }
    const [ok = 0, notConverged = 0, saturated = 0, missing = 0] = found;
    return { ok, "not-converged": notConverged, saturated, missing };
  }

  /** The numbers alone, in tag order. */
  finite(): Float64Array {
    return this.values.filter(Number.isFinite);
  }

  #noEntry(i: number): never {
    throw badArgument("index", i, `a whole number from 0 to ${this.length - 1}`);
  }

  /** Mean of the numbers there are; NaN when there is none. See {@link counts} for how many that is. */
  mean(): number {
    const numbers = this.finite();
    let sum = 0;
    for (const value of numbers) sum += value;
    return sum / numbers.length;
  }
}
