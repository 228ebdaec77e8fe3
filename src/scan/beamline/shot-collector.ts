import { LedgerBook } from "../../core/ledger.ts";
import type { PointMean } from "../../core/point-errors.ts";
import { ratioOfSums } from "../../core/ratio.ts";
import { RunningMean } from "../../core/running-mean.ts";
import type { ShotCondition, ShotsRequest, ShotsTaken, SignalSummary } from "../messages/messages.ts";

/** A value of a shot: a number, or why there is none. */
export type ShotReading = number | string;

/** Shots of a failed attempt, which were good and are not used. */
const ATTEMPT_FAILED = "attempt-failed";
/** Shots that came without beam. */
export const NO_BEAM = "no-beam";
const DEFAULT_LEAST_SHOTS = 10;

/** Signals that a request reads, each once. */
export function signalsOf({ signals = [], conditions = [], beam, precision }: Omit<ShotsRequest, "count">): string[] {
  const all = [...signals, ...conditions.map(({ signalName: signal }) => signal)];
  if (beam !== undefined && beam !== "off") all.push(beam.signalName);
  if (precision !== undefined) all.push(precision.signalName);
  if (precision?.pumpedBy !== undefined) all.push(precision.pumpedBy);
  return [...new Set(all)];
}

/** Why a shot is not good, or null. */
export function whyNotGood(condition: ShotCondition, value: ShotReading): string | null {
  const name = condition.name ?? condition.signalName;
  if (typeof value === "string") return `${name}-${value}`;
  if (Number.isNaN(value)) return `${name}-missing`;
  if (condition.equals !== undefined) return value === condition.equals ? null : `${name}-is-not-${condition.equals}`;
  const [low, high] = condition.between ?? [-Infinity, Infinity];
  return value >= low && value <= high ? null : `${name}-out-of-limits`;
}

/** Why there is no beam, for people; null when there is. */
export function whyNoBeam(beam: ShotCondition, value: ShotReading): string | null {
  if (whyNotGood(beam, value) === null) return null;
  const wanted = beam.equals === undefined ? whereOutside(beam) : `not ${beam.equals}`;
  const shown = typeof value === "number" ? `${Number(value.toPrecision(4))}, ${wanted}` : value;
  return `${beam.name ?? beam.signalName} is ${shown}`;
}

function whereOutside({ between: [low, high] = [-Infinity, Infinity] }: ShotCondition): string {
  if (high === Number.MAX_VALUE) return `below ${Number(low.toPrecision(4))}`;
  return low === -Number.MAX_VALUE ? `above ${Number(high.toPrecision(4))}` : `not within ${low} to ${high}`;
}

/** Judges shots one by one until a point is done; the same for real and simulated shots. */
export class ShotCollector {
  readonly #request: ShotsRequest;
  readonly #book = new LedgerBook();
  readonly #kept: readonly string[];
  #tags: number[] = [];
  #values: (number | null)[][];
  /** By signal and reason: good shots without a number; mostly there is none. */
  #missing: Map<string, Map<string, number>> | undefined;
  #attempt = 1;
  #seenInAttempt = 0;
  #seen = 0;
  /** Why the last shot came without beam. */
  #holding: string | null = null;
  #outcome: ShotsTaken["outcome"] | undefined;
  readonly #pumped = new RunningMean();
  readonly #unpumped = new RunningMean();

  constructor(request: ShotsRequest) {
    this.#request = request;
    this.#kept = keptOf(request);
    this.#values = this.#kept.map(() => []);
  }

  /** Set when the point is over. */
  get outcome(): ShotsTaken["outcome"] | undefined {
    return this.#outcome;
  }

  /** Why the last shot came without beam; null when it had some. */
  get holding(): string | null {
    return this.#holding;
  }

  get good(): number {
    return this.#tags.length;
  }

  /**
   * Takes in one shot; after the end nothing more is taken.
   * @param isEarly - may have come before the request took effect: it can be good, but costs none of the budget
   */
  add(tag: number, read: (signal: string) => ShotReading, isEarly = false): void {
    if (this.#outcome !== undefined) return;
    const { beam, conditions = [], count, precision } = this.#request;
    this.#holding = beam === undefined || beam === "off" ? null : whyNoBeam(beam, read(beam.signalName));
    if (this.#holding !== null) {
      this.#book.drop(tag, NO_BEAM);
      return;
    }
    if (!isEarly) {
      this.#seen++;
      this.#seenInAttempt++;
    }
    let why: string | null = null;
    for (const condition of conditions) why ??= whyNotGood(condition, read(condition.signalName));
    if (why === null) this.#keep(tag, read);
    else this.#book.drop(tag, why);
    if (this.#tags.length >= count) this.#outcome = "done";
    else if (precision !== undefined && this.#isPrecise(precision)) this.#outcome = "precise";
    else this.#judgeAttempt();
  }

  /** Ends a point that has cost its seconds. */
  giveUp(): void {
    this.#outcome ??= "gave-up";
  }

  taken(heldSeconds: number): ShotsTaken {
    this.#book.use(this.#tags.length);
    const outcome = this.#outcome ?? "interrupted";
    const { ledger } = this.#book;
    const values = Object.fromEntries(this.#kept.map((name, i) => [name, this.#values[i] ?? []]));
    const taken = { outcome, attempts: this.#attempt, ledger, tags: this.#tags, values, heldSeconds };
    if (this.#missing === undefined) return taken;
    const missing = [...this.#missing].map(([name, counts]) => [name, Object.fromEntries(counts)] as const);
    return { ...taken, missing: Object.fromEntries(missing) };
  }

  #keep(tag: number, read: (signal: string) => ShotReading): void {
    this.#tags.push(tag);
    for (const [i, name] of this.#kept.entries()) {
      const value = read(name);
      const isNumber = typeof value === "number" && Number.isFinite(value);
      this.#values[i]?.push(isNumber ? value : null);
      if (!isNumber) this.#miss(name, typeof value === "string" ? value : "missing");
    }
    const { precision } = this.#request;
    if (precision === undefined) return;
    const value = read(precision.signalName);
    if (typeof value !== "number" || !Number.isFinite(value)) return;
    if (precision.pumpedBy === undefined || read(precision.pumpedBy) === 1) this.#pumped.add(value);
    else if (read(precision.pumpedBy) === 0) this.#unpumped.add(value);
  }

  #miss(name: string, reason: string): void {
    this.#missing ??= new Map();
    const counts = this.#missing.get(name) ?? new Map<string, number>();
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    this.#missing.set(name, counts);
  }

  #isPrecise({ pumpedBy, error, leastShots = DEFAULT_LEAST_SHOTS }: NonNullable<ShotsRequest["precision"]>): boolean {
    const kinds = pumpedBy === undefined ? [this.#pumped] : [this.#pumped, this.#unpumped];
    if (kinds.some(({ count }) => count < Math.max(2, leastShots))) return false;
    return Math.hypot(...kinds.map(({ standardError }) => standardError)) <= error;
  }

  #judgeAttempt(): void {
    const { budget, repeat, count } = this.#request;
    if (budget?.shots !== undefined && this.#seen >= budget.shots) {
      this.#outcome = "gave-up";
      return;
    }
    // An attempt has failed when it has seen so many shots that a good enough beam would have filled it.
    if (repeat === undefined || this.#seenInAttempt < Math.ceil(count / repeat.goodPart)) return;
    if (this.#attempt >= repeat.attempts) {
      this.#outcome = "gave-up";
      return;
    }
    for (const tag of this.#tags) this.#book.drop(tag, ATTEMPT_FAILED);
    this.#tags = [];
    this.#values = this.#kept.map(() => []);
    this.#missing = undefined;
    this.#pumped.clear();
    this.#unpumped.clear();
    this.#seenInAttempt = 0;
    this.#attempt++;
  }
}

/** Signals whose values are given, each once. */
function keptOf({ signals = [], precision }: ShotsRequest): readonly string[] {
  const kept = new Set(signals);
  if (precision !== undefined) kept.add(precision.signalName);
  if (precision?.pumpedBy !== undefined) kept.add(precision.pumpedBy);
  return [...kept];
}

/** Why a signal lacks numbers at good shots of a point, as `10 not-converged`; "" when it lacks none. */
export function whyMissing({ missing }: ShotsTaken, signal: string): string {
  return Object.entries(missing?.[signal] ?? {})
    .map(([reason, count]) => `${count} ${reason}`)
    .join(", ");
}

/** Mean and error of a signal over the good shots of a point. */
export function summary(taken: ShotsTaken, signal: string): SignalSummary {
  const sums = new RunningMean();
  for (const value of taken.values[signal] ?? []) if (value !== null) sums.add(value);
  return { count: sums.count, mean: sums.mean, standardError: sums.standardError };
}

/** Mean and error of a signal as {@link summary}; with a monitor (I0), the ratio of their sums over these shots. */
export function normalisedSummary(taken: ShotsTaken, signal: string, normaliseBy: string | undefined): PointMean {
  if (normaliseBy === undefined) return summary(taken, signal);
  return ratioOfSums(taken.values[signal] ?? [], taken.values[normaliseBy] ?? []);
}

/** Mean and error of a signal over the shots where a flag is 1, and over those where it is 0. */
export function pumpedAndUnpumped(
  taken: ShotsTaken,
  signal: string,
  pumpedBy: string,
): { readonly pumped: SignalSummary; readonly unpumped: SignalSummary } {
  const [on, off] = [new RunningMean(), new RunningMean()];
  const flags = taken.values[pumpedBy] ?? [];
  for (const [i, value] of (taken.values[signal] ?? []).entries()) {
    if (value === null) continue;
    if (flags[i] === 1) on.add(value);
    else if (flags[i] === 0) off.add(value);
  }
  const of = ({ count, mean, standardError }: RunningMean): SignalSummary => ({ count, mean, standardError });
  return { pumped: of(on), unpumped: of(off) };
}

/** Mean of the shots where a flag is 1 less the mean of those where it is 0, with its error. */
export function difference(taken: ShotsTaken, signal: string, pumpedBy: string): SignalSummary {
  const { pumped: on, unpumped: off } = pumpedAndUnpumped(taken, signal, pumpedBy);
  return {
    count: on.count + off.count,
    mean: on.mean - off.mean,
    standardError: Math.hypot(on.standardError, off.standardError),
  };
}

/** What a plan is told of shots that must not be repeated and whose fate is not known. */
export const interruptedShots: ShotsTaken = {
  outcome: "interrupted",
  attempts: 0,
  ledger: { asked: 0, used: 0, dropped: [] },
  tags: [],
  values: {},
  heldSeconds: 0,
};
