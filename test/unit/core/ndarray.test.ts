import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { asImage, contiguous, isNdArray, newPixels, rowMajor, shapeOf } from "../../../src/core/ndarray.ts";

describe("images", () => {
  it("share memory with what they are made of", () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const image = asImage(data, 2, 3);
    data[5] = 60;
    expect([image.get(0, 2), image.get(1, 2)]).toEqual([3, 60]);
    expect(shapeOf("image", image)).toEqual([2, 3]);
    expect(() => asImage(data, 2, 4)).toThrow("8 are needed");
    expect(() => shapeOf("stack", ndarray(data, [6]))).toThrow("stack has shape [6]");
  });

  it("are contiguous without a copy when they lie so, and copied when they are a strided view", () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const image = ndarray(data, [2, 3]);
    expect(contiguous(image).buffer).toBe(data.buffer);
    expect([...contiguous(image.lo(1, 0))]).toEqual([4, 5, 6]);
    expect([...contiguous(image.transpose(1, 0))]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...contiguous(image.hi(2, 2))]).toEqual([1, 2, 4, 5]);
    const counts = contiguous(ndarray(Uint16Array.of(1, 2, 3, 4), [2, 2]).transpose(1, 0));
    expect(counts).toEqual(Uint16Array.of(1, 3, 2, 4));
  });

  it("have zeroed pixels of the type asked for", () => {
    expect([newPixels(2, "uint16"), newPixels(2, "float32")]).toEqual([new Uint16Array(2), new Float32Array(2)]);
  });
});

describe("arrays of any number of axes", () => {
  const cube = ndarray(
    Int16Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );

  it("are known from other objects", () => {
    expect([cube, cube.pick(0, null, null), { shape: [1] }, [1], null].map(isNdArray)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("are row-major without a copy when they lie so, and copied in that order when they do not", () => {
    expect(rowMajor(cube).buffer).toBe(cube.data.buffer);
    expect(rowMajor(cube.pick(1, 2, null))).toEqual(Int16Array.of(20, 21, 22, 23));
    expect(rowMajor(cube.pick(null, null, 3))).toEqual(Int16Array.of(3, 7, 11, 15, 19, 23));
    expect(rowMajor(cube.transpose(2, 1, 0).lo(2, 0, 0))).toEqual(
      Int16Array.of(2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23),
    );
    expect(rowMajor(ndarray([1, 2, 3, 4], [2, 2]).transpose(1, 0))).toEqual(Float64Array.of(1, 3, 2, 4));
  });
});
