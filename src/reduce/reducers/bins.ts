import { asFinite, badArgument } from "../../core/guards.ts";

/** More counts than this are a mistake of the bin width. */
const MOST_BINS = 10_000_000;

/** Bins of equal width: [centre − width/2, centre + width/2), the last one closed. What all histograms here go by. */
export class EvenBins {
  /** Centre of the first bin. */
  readonly from: number;
  readonly binWidth: number;
  readonly length: number;
  /** Lower edge of the first bin. */
  readonly low: number;
  /** Upper edge of the last bin. */
  readonly high: number;

  /**
   * @param from - centre of the first bin
   * @param to - of the last bin; rounded to the nearest centre
   * @throws BAD_ARGUMENT when they are no numbers, or make no bins
   */
  constructor(from: number, to: number, binWidth: number) {
    this.from = asFinite("from", from);
    this.binWidth = asFinite("binWidth", binWidth, Number.MIN_VALUE);
    this.length = Math.round((asFinite("to", to) - from) / binWidth) + 1;
    if (to < from || this.length > MOST_BINS)
      throw badArgument("to", to, `at least ${from}, with at most ${MOST_BINS} bins of ${binWidth}`);
    this.low = from - binWidth / 2;
    this.high = this.low + this.length * binWidth;
  }

  /** Centre of the last bin. */
  get to(): number {
    return this.from + (this.length - 1) * this.binWidth;
  }

  /**
   * The bin of a value; `length` for values below all bins, `length` + 1 above, `length` + 2 for what is not a number.
   */
  of(x: number): number {
    // Rounding may reach `length` just below `high`, too.
    if (x >= this.low && x <= this.high) return Math.min(this.length - 1, Math.floor((x - this.low) / this.binWidth));
    return this.length + (x < this.low ? 0 : x > this.high ? 1 : 2);
  }

  /** In words that are compared. */
  get words(): string {
    return `${this.length} bins of ${this.binWidth} from ${this.from}`;
  }
}
