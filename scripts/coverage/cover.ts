import type { Random } from "../../src/core/random.ts";
import { fProbability } from "../../src/core/special-functions.ts";

/** One number with its error bar, and the truth it should hold. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
  readonly truth: number;
  /**
   * Where the error is from the scatter of so few shots that it holds what Student's t says: its degrees of freedom.
   * @default more than enough: 68 and 99.7 %
   */
  readonly freedom?: number;
  /** The product says that this error needs more shots: shown, and not judged. */
  readonly tooFew?: true;
}

/** One way to get numbers with error bars, tried many times. */
export interface CoverageCase {
  /** What is estimated, in words: `fitPeak gaussian`. */
  readonly what: string;
  /** Shots a point, image or bin. */
  readonly shots: number;
  readonly signal: "weak" | "strong";
  /** By name of the number; null when the product refuses to give any. */
  run(random: Random): Readonly<Record<string, Estimate>> | null | Promise<Readonly<Record<string, Estimate>> | null>;
}

/** How often the truth lay within one and within three errors. */
export interface Covered {
  readonly what: string;
  readonly shots: number;
  readonly signal: string;
  readonly name: string;
  readonly repeats: number;
  /** Fraction of repeats that gave numbers. */
  readonly found: number;
  readonly within1: number;
  readonly within3: number;
  /** Mean of (value − truth) / error, each at most 5. */
  readonly meanPull: number;
  readonly freedom?: number | undefined;
  readonly tooFew?: true | undefined;
}

/** Tries a case `repeats` times. */
export async function coverageOf(one: CoverageCase, random: Random, repeats: number): Promise<readonly Covered[]> {
  const pulls = new Map<string, number[]>();
  const kinds = new Map<string, Pick<Estimate, "freedom" | "tooFew">>();
  let found = 0;
  for (let k = 0; k < repeats; k++) {
    const estimates = await one.run(random);
    if (estimates === null) continue;
    found++;
    for (const [name, { value, error, truth, freedom, tooFew }] of Object.entries(estimates)) {
      kinds.set(name, { ...(freedom && { freedom }), ...(tooFew && { tooFew }) });
      // An error of 0 or none holds nothing.
      const pull = error > 0 ? (value - truth) / error : Infinity;
      pulls.set(name, [...(pulls.get(name) ?? []), pull]);
    }
  }
  const { what, shots, signal } = one;
  return [...pulls].map(([name, list]) => ({
    what,
    shots,
    signal,
    name,
    repeats,
    found: found / repeats,
    within1: list.filter((pull) => Math.abs(pull) <= 1).length / list.length,
    within3: list.filter((pull) => Math.abs(pull) <= 3).length / list.length,
    meanPull: list.reduce((sum, pull) => sum + Math.max(-5, Math.min(5, pull)), 0) / list.length,
    ...kinds.get(name),
  }));
}

/** How often Student's t with so many degrees of freedom is within `errors` of 0. */
export function studentWithin(errors: number, freedom: number): number {
  return 1 - fProbability(errors ** 2, 1, freedom);
}

/**
 * Whether the interval holds the truth in 63 to 73 % and three errors in at least 98.5 %, as far as so many repeats can
 * tell: by four standard errors of the fraction itself. With degrees of freedom: what Student's t says.
 */
export function holds({ within1, within3, repeats, found, freedom, tooFew }: Covered): boolean {
  if (tooFew) return true;
  const count = repeats * found;
  const slack1 = 4 * Math.sqrt((0.68 * 0.32) / count);
  const slack3 = 4 * Math.sqrt((0.985 * 0.015) / count);
  // 500 repeats and more are judged as they are.
  const [loose1, loose3] = count >= 500 ? [0, 0] : [slack1, slack3];
  if (freedom !== undefined) {
    const [one, three] = [studentWithin(1, freedom), studentWithin(3, freedom)];
    // A ratio of 2 or 3 shots is not quite linear in them.
    const loose = freedom < 5 ? 2 : 1;
    return Math.abs(within1 - one) <= 0.05 * loose + loose1 && within3 >= three - 0.015 * loose - loose3;
  }
  return within1 >= 0.63 - loose1 && within1 <= 0.73 + loose1 && within3 >= 0.985 - loose3;
}
