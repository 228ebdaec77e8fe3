import { expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { WindowMean } from "../../../src/page/window-mean.ts";

it("WindowMean gives the mean of the newest shots, from half of the wanted number to all", () => {
  const window = new WindowMean(4);
  const means: [number, number][] = [];
  for (let k = 0; k < 8; k++) {
    const { images, shots } = window.add({ a: asImage(Float32Array.of(k, 2 * k), 1, 2) });
    expect(images["a"]?.get(0, 1)).toBeCloseTo(2 * (images["a"]?.get(0, 0) ?? NaN), 5);
    means.push([images["a"]?.get(0, 0) ?? NaN, shots]);
  }
  // Blocks of two: the newest one, with the one before it.
  expect(means).toEqual([
    [0, 1],
    [0.5, 2],
    [1, 3],
    [1.5, 4],
    [3, 3],
    [3.5, 4],
    [5, 3],
    [5.5, 4],
  ]);
});
