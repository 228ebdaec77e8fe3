import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { Assembler, type ReconstructionSource, reconstruction } from "../../../src/ip/index.ts";
import { octal } from "../../unit/ip/octal.ts";

const image = (rows: number, columns: number, first = 1): ReturnType<typeof ndarray<Float32Array>> =>
  ndarray(
    Float32Array.from({ length: rows * columns }, (_, i) => first + i),
    [rows, columns],
  );

const source = (fields: Partial<ReconstructionSource> = {}): ReconstructionSource => ({
  img: image(2, 3),
  xPosPixel: 0,
  yPosPixel: 0,
  pixelSize: 50,
  dScale: 1,
  rotAngle: 0,
  iScale: 1,
  mask: new Int16Array(6).fill(1),
  succeeded: true,
  ...fields,
});

const rows = (picture: { data: Float32Array; shape: number[] }): number[][] =>
  Array.from({ length: picture.shape[0] ?? 0 }, (_, r) => [
    ...picture.data.subarray(r * (picture.shape[1] ?? 0), (r + 1) * (picture.shape[1] ?? 0)),
  ]);

describe("reconstruction", () => {
  it("gives the talk's octal the picture of Assembler, with its gains", () => {
    const images = octal.map((_, i) => Float32Array.from({ length: 512 * 1024 }, (_, k) => (k * (i + 3)) % 251));
    const gain0 = octal[0]?.absGain ?? NaN;
    const srcs = octal.map(({ geometry, absGain }, i): ReconstructionSource => {
      if (geometry === null) throw new Error("the octal has a geometry");
      return source({
        img: ndarray(images[i] ?? new Float32Array(), [1024, 512]),
        xPosPixel: geometry.posXUm / geometry.pixelSizeXUm,
        yPosPixel: -geometry.posYUm / geometry.pixelSizeYUm,
        rotAngle: geometry.rotationDeg,
        iScale: i === 0 ? 1 : (absGain ?? NaN) / gain0,
        mask: ndarray(new Int16Array(512 * 1024).fill(1), [1024, 512]),
      });
    });
    const expected = new Assembler(octal, { view: "source", gapValue: 0 }).assemble(images);
    const picture = reconstruction(srcs, 2399, 2399, 50, 0);
    expect(picture.shape).toEqual([2399, 2399]);
    expect(Buffer.from(picture.data.buffer).equals(Buffer.from(expected.data.buffer))).toBe(true);
  });

  it("puts the corner at the beam plus the position, and y downward", () => {
    expect(rows(reconstruction([source({ xPosPixel: -1, yPosPixel: 1 })], 6, 4, 50, -1))).toEqual([
      [-1, -1, -1, -1, -1, -1],
      [-1, -1, -1, -1, -1, -1],
      [-1, -1, -1, -1, -1, -1],
      [-1, -1, 1, 2, 3, -1],
    ]);
  });

  it("magnifies position and pixels with dScale and pixelSize", () => {
    const small = source({ img: image(1, 2), mask: new Int16Array(2).fill(1), xPosPixel: -1, yPosPixel: -0.5 });
    const expected = [
      [1, 1, 2, 2],
      [1, 1, 2, 2],
    ];
    expect(rows(reconstruction([{ ...small, dScale: 2 }], 4, 2, 50, 0))).toEqual(expected);
    expect(rows(reconstruction([{ ...small, pixelSize: 100 }], 4, 2, 50, 0))).toEqual(expected);
    expect(rows(reconstruction([small], 4, 2, 25, 0))).toEqual(expected);
  });

  it("multiplies by iScale, leaves masked pixels and failed sensors empty, and takes f64, u16 and views", () => {
    const at = { xPosPixel: -1.5, yPosPixel: -1 };
    const mask = Int16Array.of(1, 1, 0, 1, 1, 1);
    expect(rows(reconstruction([source({ ...at, iScale: 2, mask })], 3, 2, 50, 9))).toEqual([
      [2, 4, 9],
      [8, 10, 12],
    ]);
    expect(
      rows(reconstruction([source({ ...at, succeeded: false }), source({ img: null, succeeded: false })], 3, 2, 50, 9)),
    ).toEqual([
      [9, 9, 9],
      [9, 9, 9],
    ]);
    const plain = reconstruction([source(at)], 3, 2, 50, 0);
    expect(
      reconstruction([source({ ...at, img: ndarray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]) })], 3, 2, 50, 0),
    ).toEqual(plain);
    expect(
      reconstruction([source({ ...at, img: ndarray(Uint16Array.of(1, 2, 3, 4, 5, 6), [2, 3]) })], 3, 2, 50, 0),
    ).toEqual(plain);
    expect(
      reconstruction(
        [source({ ...at, img: ndarray(Float32Array.of(1, 4, 2, 5, 3, 6), [3, 2]).transpose(1, 0) })],
        3,
        2,
        50,
        0,
      ),
    ).toEqual(plain);
  });

  it("shows the last source on top, and nothing for no source", () => {
    const at = { xPosPixel: -1.5, yPosPixel: -1 };
    expect(rows(reconstruction([source(at), source({ ...at, img: image(2, 3, 11) })], 3, 2, 50, 0))[0]).toEqual([
      11, 12, 13,
    ]);
    expect(rows(reconstruction([], 2, 1, 50, 5))).toEqual([[5, 5]]);
  });

  it.each([
    ["a NaN position", source({ xPosPixel: NaN }), "BAD_GEOMETRY", /srcs\[0\].xPosPixel is NaN/],
    ["an infinite angle", source({ rotAngle: -Infinity }), "BAD_GEOMETRY", /rotAngle/],
    ["no pixel size", source({ pixelSize: 0 }), "BAD_GEOMETRY", /pixelSize is 0.*positive/],
    ["an absent field", { ...source(), dScale: undefined } as never, "BAD_GEOMETRY", /dScale is undefined/],
    ["a NaN scale of intensities", source({ iScale: NaN }), "BAD_ARGUMENT", /iScale is NaN/],
    ["no word on success", { ...source(), succeeded: undefined } as never, "BAD_ARGUMENT", /succeeded is not given/],
    ["no image", source({ img: null }), "BAD_ARGUMENT", /img is null.*succeeded false/],
    ["a 1-D image", source({ img: ndarray(new Float32Array(6)) }), "BAD_ARGUMENT", /srcs\[0\].img has shape \[6\]/],
    [
      "an image of integers",
      source({ img: ndarray(new Int32Array(6), [2, 3]) } as never),
      "BAD_ARGUMENT",
      /memory of srcs\[0\].img/,
    ],
    [
      "a mask of another shape",
      source({ mask: ndarray(new Int16Array(6).fill(1), [3, 2]) }),
      "BAD_ARGUMENT",
      /mask has shape \[3, 2\].*\[2, 3\]/,
    ],
    ["a mask of another length", source({ mask: new Int16Array(5) }), "BAD_ARGUMENT", /mask has 5 pixels/],
    ["a mask of 2s", source({ mask: new Int16Array(6).fill(2) }), "BAD_ARGUMENT", /mask at \[0, 0\] is 2/],
  ])("refuses %s", (_, src, code, message) => {
    expect(() => reconstruction([src], 4, 4, 50, 0)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it("refuses a picture of no size", () => {
    expect(() => reconstruction([source()], 0, 4, 50, 0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => reconstruction([source()], 4, 1e9, 50, 0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => reconstruction([source()], 4, 4, NaN, 0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(() => reconstruction({} as never, 4, 4, 50, 0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
