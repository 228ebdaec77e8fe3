import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { TagList } from "../../../src/core/tags.ts";
import { SignalColumn } from "../../../src/db/index.ts";
import { covariance, cube, normalised, reduce, shotsFrom } from "../../../src/reduce/index.ts";
import { frame, shotsOf } from "./stack.ts";

const bm1 = "xfel_bl_3_tc_bm_1_pd/charge";
const values = [1, 2.5, NaN, 4, 0.5];
const tags = values.map((_, k) => 700 + 2 * k);
const pixels = Uint16Array.from({ length: 5 * 6 }, (_, i) => (i * 37) % 101);
const stack = { A: ndarray(pixels, [5, 2, 3]) };
const column = new SignalColumn(new TagList(1, tags), {
  equipId: bm1,
  unit: "C",
  values: Float64Array.from(values),
  status: Uint8Array.from(values, (x) => (Number.isNaN(x) ? 2 : 0)),
});

describe("0-D signals of images in memory", () => {
  it("make covariance, normalisation and cube the same as of shots that are read", async () => {
    const images = values.map((signal, k) => ({
      tag: tags[k] ?? 0,
      signal,
      pixels: pixels.subarray(6 * k, 6 * k + 6),
    }));
    const read = () => shotsOf(images, frame(2, 3, "A", "uint16"));
    const reducers = () => ({
      with: covariance({ equipId: bm1, scale: 2 ** 20 }),
      ratio: normalised({ equipId: bm1, reference: 1 }),
    });
    const axes = [{ name: "i0", of: bm1, from: 0, to: 5, step: 1 }];
    const [expected, sorted] = [await reduce(read(), reducers()), await cube(read(), { axes })];
    for (const signal of [values, Float32Array.from(values), { ...column, values: column.values }]) {
      const shots = () => shotsFrom(stack, { tags, signals: { [bm1]: signal } });
      expect(await reduce(shots(), reducers())).toEqual(expected);
      const mine = await cube(shots(), { axes });
      expect([...mine.counts().data]).toEqual([...sorted.counts().data]);
    }
  });

  it("have the unit of a column and its reason where there is none", () => {
    const shots = shotsFrom(stack, { tags, signals: { [bm1]: column } });
    expect(shots.shot(1).value(bm1)).toEqual({ value: 2.5, unit: "C" });
    expect(shots.shot(2).value(bm1)).toEqual({ reason: "saturated" });
    expect(shots.shot(2).number(bm1)).toBeNaN();
  });

  it("must be as many as the images, of the same shots, and be there when asked for", () => {
    const refused = (text: string) =>
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(text) });
    expect(() => shotsFrom(stack, { signals: { [bm1]: [1, 2] } })).toThrow(refused("5, that of the images"));
    expect(() => shotsFrom(stack, { signals: { [bm1]: column } })).toThrow(refused("tag 0 of"));
    expect(() =>
      shotsFrom(stack, { signals: { [bm1]: values } })
        .shot(0)
        .value("other"),
    ).toThrow(refused(bm1));
    expect(() => shotsFrom(stack).shot(0).value(bm1)).toThrow(refused("none: signals of shotsFrom gives some"));
  });
});
