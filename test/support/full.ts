import { it } from "vitest";

const asked = process.env["SACLA_TEST_FULL"];

/** SACLA_TEST_FULL=1, as .ci/runtimes sets it, and .ci/run for unit tests and proofs: long proofs run in full. */
export const isFull: boolean = asked === "1";

/** The same, or SACLA_TEST_FULL=cases, as .ci/run sets it for all other tests: all cases, with fewer rounds. */
export const isLong: boolean = isFull || asked === "cases";

/**
 * How often a proof is repeated with made-up input: `count` times in full, a fifth of that with SACLA_TEST_FULL=cases,
 * `few` times otherwise.
 */
export function rounds(count: number, few: number = Math.ceil(count / 5)): number {
  return isFull ? count : times(Math.ceil(count / 5), few);
}

/** How often, or how much of something: `count` in full and with SACLA_TEST_FULL=cases, `few` otherwise. */
export function times(count: number, few: number): number {
  return isLong ? count : few;
}

/** Cases of a long proof: all in full and with SACLA_TEST_FULL=cases, as .ci/run sets it; otherwise those numbered. */
export function cases<T>(all: readonly T[], ...few: readonly number[]): readonly T[] {
  return isLong ? all : all.filter((_, i) => few.includes(i));
}

/** A test that takes long, of which a shorter one shows most: skipped but with SACLA_TEST_FULL=1 or cases. */
export function itInFull(name: string, test: () => void | Promise<void>): void {
  it.runIf(isLong)(name, test);
}
