import type { CallOptions } from "../core/async.ts";
import { type Ledger, LedgerBook } from "../core/ledger.ts";
import { defined } from "../core/options.ts";
import { kept, TagList } from "../core/tags.ts";
import type { RunReader } from "./run-reader.ts";

/** The rule and the signals of a classification of shots. */
export interface ClassificationBasis {
  /** The rule in words: "dark = open 0 and close 1, at the head of the run". */
  readonly rule: string;
  /** Equipment ids that were read. */
  readonly signals: readonly string[];
  /** Where the rule comes from, and what was missing for a stronger one. */
  readonly source: string;
}

/** How the tags of a list were selected. */
export interface Selection {
  readonly ledger?: Ledger;
  readonly basis?: ClassificationBasis;
}

/**
 * Tags of one run. Every method of {@link TagList} returns RunTags again. How a list was selected ({@link ledger},
 * {@link basis}) is kept by that list only, not by lists made from it.
 */
export class RunTags extends TagList {
  readonly run: RunReader;
  /** For a selected list: how many tags were asked about, and which were dropped for what reason. */
  readonly ledger: Ledger | undefined;
  /** For dark and exposed tags: the rule and the signals that decided. */
  readonly basis: ClassificationBasis | undefined;

  constructor(run: RunReader, tags: Iterable<number>, selection: Selection = {}) {
    super(run.hightag, tags);
    this.run = run;
    this.ledger = selection.ledger;
    this.basis = selection.basis;
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
    condition: (value: number, tag: number, unit: string) => boolean,
    options?: CallOptions,
  ): Promise<RunTags> {
    const column = await this.run.column(equipId, this, options);
    const { values, unit } = column;
    return this.select((tag, i) => column.reason(i) ?? (condition(values[i] ?? NaN, tag, unit) ? null : "condition"));
  }

  /** The tags without a reason to be dropped, with the account of the others. */
  select(reasonToDrop: (tag: number, index: number) => string | null, basis?: ClassificationBasis): RunTags {
    const book = new LedgerBook();
    const chosen = kept(this.values, (tag, i) => {
      const reason = reasonToDrop(tag, i);
      if (reason !== null) book.drop(tag, reason);
      return reason === null;
    });
    book.use(chosen.length);
    return new RunTags(this.run, chosen, { ledger: book.ledger, ...defined({ basis }) });
  }
}
