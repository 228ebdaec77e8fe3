/** How long a scan has to go: as a dry run has it before the first point, then as long as the points before took. */
export class TimeToGo {
  readonly #total: number | null;
  readonly #expected: number;
  #began: number | undefined;
  #lookedAt: number | undefined;
  #idle = 0;

  /** @param total - points; null: nobody knows @param expected - seconds for all of them, by a dry run */
  constructor(total: number | null, expected: number) {
    this.#total = total;
    this.#expected = expected;
  }

  /**
   * Seconds that are left without waits and pauses; null where nobody knows.
   * @param now - seconds of any clock
   * @param isIdle - whether it has waited or was paused since the look before
   */
  look(now: number, done: number, isIdle: boolean): number | null {
    this.#began ??= now;
    if (isIdle) this.#idle += now - (this.#lookedAt ?? now);
    this.#lookedAt = now;
    if (this.#total === null) return null;
    const active = now - this.#began - this.#idle;
    if (done === 0) return Math.max(0, this.#expected - active);
    return (active / done) * Math.max(0, this.#total - done);
  }
}
