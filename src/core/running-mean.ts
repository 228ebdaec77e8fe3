/** Mean of numbers that come one by one, and its standard error, by Welford's sums. */
export class RunningMean {
  count = 0;
  #mean = 0;
  #squares = 0;

  add(x: number): void {
    this.count++;
    const off = x - this.#mean;
    this.#mean += off / this.count;
    this.#squares += off * (x - this.#mean);
  }

  clear(): void {
    this.count = 0;
    this.#mean = 0;
    this.#squares = 0;
  }

  get mean(): number {
    return this.count === 0 ? NaN : this.#mean;
  }

  get standardError(): number {
    return this.count < 2 ? NaN : Math.sqrt(this.#squares / (this.count - 1) / this.count);
  }
}
