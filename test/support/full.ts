/** SACLA_TEST_FULL=1, as .ci/run sets it for unit tests and .ci/runtimes for all: long proofs run in full. */
export const isFull: boolean = process.env["SACLA_TEST_FULL"] === "1";

/** How often a proof is repeated with made-up input: `count` times in full, a fifth of that otherwise. */
export function rounds(count: number): number {
  return isFull ? count : Math.ceil(count / 5);
}
