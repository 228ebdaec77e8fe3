import type { CallOptions } from "../core/async.ts";
import { type Ledger, LedgerBook } from "../core/ledger.ts";
import { TagList } from "../core/tags.ts";
import type { Evidence } from "./evidence.ts";
import type { Run } from "./run.ts";

/** How a list came about, for those that were selected. */
export interface Selection {
  readonly ledger?: Ledger;
  readonly evidence?: Evidence;
}

/**
 * Tags of one run. Everything a {@link TagList} does gives RunTags again; what says how a list was selected
 * ({@link ledger}, {@link evidence}) belongs to that list alone and is not passed on.
 */
export class RunTags extends TagList {
  readonly run: Run;
  /** For a selected list: how many tags were asked about, and which were dropped for what reason. */
  readonly ledger: Ledger | undefined;
  /** For dark and exposed tags: the rule and the signals that decided. */
  readonly evidence: Evidence | undefined;

  constructor(run: Run, tags: Iterable<number>, selection: Selection = {}) {
    super(run.hightag, tags);
    this.run = run;
    this.ledger = selection.ledger;
    this.evidence = selection.evidence;
  }

  protected override derive(tags: Uint32Array): this {
    return new RunTags(this.run, tags) as this;
  }

  /**
   * The tags at which a signal fulfils a condition. A shot without a number never does. The `ledger` of the answer says
   * which tags were dropped: `condition`, or `not-converged`, `saturated`, `missing` where there was no number.
   * @throws UNKNOWN_SIGNAL
   * @example
   * const strong = await tags.where("xfel_bl_3_tc_bm_1_pd/charge", (coulomb) => coulomb > 5e-9);
   */
  async where(
    equipId: string,
    condition: (value: number, tag: number) => boolean,
    options?: CallOptions,
  ): Promise<RunTags> {
    const column = await this.run.column(equipId, this, options);
    return this.select((tag, i) => column.reason(i) ?? (condition(column.values[i] ?? NaN, tag) ? null : "condition"));
  }

  /** The tags without a reason to be dropped, with the account of the others. */
  select(reasonToDrop: (tag: number, index: number) => string | null, evidence?: Evidence): RunTags {
    const book = new LedgerBook();
    const kept = this.values.filter((tag, i) => {
      const reason = reasonToDrop(tag, i);
      if (reason === null) book.use();
      else book.drop(tag, reason);
      return reason === null;
    });
    return new RunTags(this.run, kept, { ledger: book.ledger, ...(evidence === undefined ? {} : { evidence }) });
  }
}
