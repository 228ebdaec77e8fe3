import { Random } from "../../core/random.ts";
import { normalCdf } from "../../core/special-functions.ts";
import { GaussianProcess, type Posterior } from "./gaussian-process.ts";
import { type Measured, type Optimiser, type SteppedRange, withinStep } from "./optimiser.ts";

/** Places that are looked at before the next is measured, and rounds by which the best of them is refined. */
const CANDIDATES = 300;
const REFINEMENTS = 80;
/** Rounds by which the place of the greatest mean is refined, which is cheap. */
const REFINEMENTS_OF_MEAN = 400;
/** The first places lie so far from the start, in steps: two of them are at most a step apart. */
const FIRST_STEPS = 0.5;
/** Nothing is to be gained when it expects less than this part of the best value, so often in a row. */
const LEAST_GAIN = 0.003;
const LITTLE_GAINS = 3;
/** A value of so many errors has a logarithm whose error is as even as its own. */
const LOG_ERRORS = 5;

/**
 * Bayesian: a Gaussian process of all that was measured, each point with its own noise, says where the most is expected
 * to be gained (expected improvement over the best of its means; Jones, Schonlau and Welch 1998). It begins with a
 * design in which every knob is up and down equally often.
 */
export class Bayesian implements Optimiser {
  readonly #ranges: readonly SteppedRange[];
  readonly #random: Random;
  readonly #first: (readonly number[])[];
  #measured: readonly Measured[] = [];
  #process: GaussianProcess | undefined;
  /** Whether the process is of the logarithms. */
  #isLog = false;
  #now: readonly number[];
  #littleGains = 0;

  constructor(ranges: readonly SteppedRange[], start: readonly number[], seed: number) {
    this.#ranges = ranges;
    this.#now = start;
    this.#random = new Random(seed);
    this.#first = [start, ...design(ranges, start)];
  }

  next(): readonly number[] | undefined {
    const first = this.#first.shift();
    if (first !== undefined) {
      const near = withinStep(this.#ranges, this.#now, first);
      // Two corners of the design can be two steps apart.
      if (near.some((value, i) => value !== first[i])) this.#first.unshift(first);
      return near;
    }
    const process = this.#model();
    const near = this.best();
    const best = process.mean(this.#scaled(near));
    const gain = (place: readonly number[]): number => expectedGain(process.at(this.#scaled(place)), best);
    const [place, most] = this.#search(gain, near);
    this.#littleGains = most < LEAST_GAIN * (this.#isLog ? 1 : Math.abs(best)) ? this.#littleGains + 1 : 0;
    return this.#littleGains >= LITTLE_GAINS ? undefined : place;
  }

  tell(measured: readonly Measured[]): void {
    this.#measured = measured;
    this.#now = measured.at(-1)?.at ?? this.#now;
    this.#process = undefined;
  }

  best(): readonly number[] {
    const process = this.#model();
    let [best, most] = [this.#now, -Infinity];
    for (const { at } of this.#measured) {
      const mean = process.mean(this.#scaled(at));
      if (mean > most) [best, most] = [at, mean];
    }
    const meanAt = (place: readonly number[]): number => process.mean(this.#scaled(place));
    return this.#refine(best, meanAt, most, best, REFINEMENTS_OF_MEAN)[0];
  }

  /**
   * Of the logarithms, where all values are well above 0: light is a peak with long tails and its noise goes with it;
   * in the logarithm the tails are slopes and the noise is even.
   */
  #model(): GaussianProcess {
    if (this.#process !== undefined) return this.#process;
    this.#isLog = this.#measured.every(({ value, error }) => value > LOG_ERRORS * error);
    this.#process = new GaussianProcess(
      this.#measured.map(({ at }) => this.#scaled(at)),
      this.#measured.map(({ value }) => (this.#isLog ? Math.log(value) : value)),
      this.#measured.map(({ value, error }) => (this.#isLog ? error / value : error)),
    );
    return this.#process;
  }

  #scaled(place: readonly number[]): number[] {
    return this.#ranges.map(({ from, to }, i) => ((place[i] ?? NaN) - from) / (to - from));
  }

  /** The place of the greatest `score` within a step of where it is now; looked for at `around`, too. */
  #search(
    score: (place: readonly number[]) => number,
    around: readonly number[],
  ): [place: readonly number[], score: number] {
    let [best, most] = [this.#now, -Infinity];
    const near = withinStep(this.#ranges, this.#now, around);
    for (let n = 0; n < CANDIDATES; n++) {
      const wide = n % 2 === 0;
      const place = withinStep(this.#ranges, this.#now, this.#around(wide ? this.#now : near, wide ? 1 : 0.3));
      const value = score(place);
      if (value > most) [best, most] = [place, value];
    }
    return this.#refine(best, score, most, this.#now, REFINEMENTS);
  }

  /** Goes uphill by smaller and smaller random steps, within a step of `centre`. */
  #refine(
    from: readonly number[],
    score: (place: readonly number[]) => number,
    had: number,
    centre: readonly number[],
    rounds: number,
  ): [place: readonly number[], score: number] {
    let [best, most] = [from, had];
    for (let n = 0; n < rounds; n++) {
      const place = withinStep(this.#ranges, centre, this.#around(best, 0.3 * (1 - n / rounds)));
      const value = score(place);
      if (value > most) [best, most] = [place, value];
    }
    return [best, most];
  }

  #around(place: readonly number[], part: number): number[] {
    return this.#ranges.map(({ step }, i) => (place[i] ?? NaN) + part * step * (2 * this.#random.uniform() - 1));
  }
}

/** E[max(0, value − best)] of a normal distribution. */
function expectedGain({ mean, deviation }: Posterior, best: number): number {
  if (deviation === 0) return Math.max(0, mean - best);
  const z = (mean - best) / deviation;
  return (mean - best) * normalCdf(z) + (deviation * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
}

/** Columns of a Hadamard matrix (Sylvester): every knob is up in half of the places, whatever the others are. */
function design(ranges: readonly SteppedRange[], start: readonly number[]): (readonly number[])[] {
  let size = 2;
  while (size < ranges.length + 1) size *= 2;
  return Array.from({ length: size }, (_, row) =>
    ranges.map(({ from, to, step }, i) => {
      const sign = bits(row & (i + 1)) % 2 === 0 ? 1 : -1;
      return Math.min(to, Math.max(from, (start[i] ?? NaN) + sign * FIRST_STEPS * step));
    }),
  );
}

function bits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}
