import { expect } from "vitest";

const isTypedArray = (value: unknown): value is ArrayLike<number | bigint> & object =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/** True for two typed arrays of one type with the same numbers; undefined for others: Vitest compares and explains them. */
function sameNumbers(a: unknown, b: unknown): true | undefined {
  if (!isTypedArray(a) || !isTypedArray(b) || a.constructor !== b.constructor || a.length !== b.length)
    return undefined;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return undefined;
  return true;
}

// Vitest itself needs a second for 100 000 numbers. Test files that share their modules have one list of testers.
const shared = globalThis as { hasSameNumbers?: true };
if (shared.hasSameNumbers === undefined) expect.addEqualityTesters([sameNumbers]);
shared.hasSameNumbers = true;
