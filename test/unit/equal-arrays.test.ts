import { expect, it } from "vitest";

it("arrays of numbers are equal when type, length and every number are", () => {
  const numbers = [1, NaN, -0, Infinity];
  expect(Float64Array.from(numbers)).toEqual(Float64Array.from(numbers));
  expect({ a: [Float32Array.from(numbers)] }).toStrictEqual({ a: [Float32Array.from(numbers)] });
  for (const others of [
    [1, NaN, 0, Infinity],
    [1, 2, -0, Infinity],
    [1, NaN, -0],
    [...numbers, 1],
  ])
    expect(Float64Array.from(numbers)).not.toEqual(Float64Array.from(others));
  expect(Float64Array.of(1)).not.toEqual(Float32Array.of(1));
  expect(Uint8Array.of(1)).not.toEqual([1]);
  expect(() => expect(Float64Array.of(1, 2)).toEqual(Float64Array.of(1, 3))).toThrow(/deeply equal/);
});
