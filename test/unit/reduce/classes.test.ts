import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TagList } from "../../../src/core/index.ts";
import { asImage } from "../../../src/core/ndarray.ts";
import { byClass, classOf, histogram, lightDarkClasses, mean, reduce, variance } from "../../../src/reduce/index.ts";
import { frame, of, shotsOf } from "./stack.ts";

const tags = (n: number): TagList =>
  new TagList(
    202502,
    Array.from({ length: n }, (_, i) => 1001 + 2 * i),
  );
const listed = (classes: ReadonlyMap<string, TagList>): Record<string, number[]> =>
  Object.fromEntries([...classes].map(([name, list]) => [name, [...list]]));

describe("lightDarkClasses", () => {
  it("counts dark shots from the last light one, before the first from the start", () => {
    const pattern = "ddLddLLdddLd";
    expect(listed(lightDarkClasses(tags(12), (_, i) => pattern[i] === "L"))).toEqual({
      light: [1005, 1011, 1013, 1021],
      dark1: [1001, 1007, 1015, 1023],
      dark2: [1003, 1009, 1017],
      dark3: [1019],
    });
  });

  it("takes a shot without a number for dark: a detector of the pump pulse does not converge without one", () => {
    const values = [1, NaN, NaN, 0.9, NaN, NaN, 0.95];
    expect(listed(lightDarkClasses(tags(7), { values, above: 0.1 }))).toEqual({
      light: [1001, 1007, 1013],
      dark1: [1003, 1009],
      dark2: [1005, 1011],
    });
    expect(listed(lightDarkClasses(tags(3), { values: [NaN, 0, 1], below: 0.5 }))).toEqual({
      light: [1003],
      dark1: [1001, 1005],
    });
  });

  it("begins again at the next light shot when a predicate cannot tell one", () => {
    const seen = [true, false, null, false, true, false, false];
    expect(listed(lightDarkClasses(tags(7), (_, i) => seen[i] ?? null))).toEqual({
      light: [1001, 1009],
      dark1: [1003, 1011],
      dark2: [1013],
    });
  });

  it("does not ask all shots for each class where the pump never came", () => {
    // With the square of the shots it took a minute.
    const classes = lightDarkClasses(tags(100_000), () => false);
    expect([classes.size, [...(classes.get("dark77777") ?? [])]]).toEqual([100_000, [1001 + 2 * 77_776]]);
  });

  it("puts every shot in one class", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (lights) => {
        const all = tags(lights.length);
        const classes = lightDarkClasses(all, (_, i) => lights[i] ?? null);
        const placed = [...classes.values()].flatMap((list) => [...list]).sort((a, b) => a - b);
        expect(placed).toEqual([...all]);
        for (const [name, list] of classes) {
          for (const tag of list) {
            const n = name === "light" ? 0 : Number(name.slice(4));
            const i = all.indexOf(tag);
            // The list begins as if a light shot had been before it.
            expect([true, ...lights].slice(i - n + 1, i + 2)).toEqual([true, ...Array(n).fill(false)]);
          }
        }
      }),
    );
  });

  it("refuses a signal that does not fit", () => {
    const bad = (light: Parameters<typeof lightDarkClasses>[1]): void =>
      expect(() => lightDarkClasses(tags(2), light)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    bad({ values: [1], above: 0.5 });
    bad({ values: [1, 0] });
    bad({ values: [1, 0], above: 0.5, below: 0.7 });
    bad({ values: [1, 0], above: NaN });
  });
});

describe("byClass", () => {
  const images = Array.from({ length: 9 }, (_, tag) => ({ tag, pixels: [tag, tag * tag - 3.25] }));
  const spec = frame(1, 2);
  const classes = ["x", "y", "empty"];
  const of3 = (tag: number): string | null => [null, "x", "y"][tag % 3] ?? null;

  it.each([{}, { dark: { mean: { A: asImage(Float64Array.of(1 / 3, -2), 1, 2) } } }])(
    "gives for each class what the reducer gives over its shots alone (%j)",
    async (options) => {
      const questions = {
        averages: byClass(mean(), classes, of3),
        spreads: byClass(variance(), classes, of3),
        adu: byClass(histogram({ from: -5, to: 70 }), classes, of3),
      };
      const together = await reduce(shotsOf(images, spec), questions, options);
      for (const name of ["x", "y"]) {
        const only = images.filter(({ tag }) => of3(tag) === name);
        const alone = await reduce(
          shotsOf(only, spec),
          { average: mean(), spread: variance(), adu: histogram({ from: -5, to: 70 }) },
          options,
        );
        expect(of(together.averages).classes[name]).toEqual(of(alone.average));
        expect(of(together.spreads).classes[name]).toEqual(of(alone.spread));
        expect(of(together.adu).classes[name]).toEqual(of(alone.adu));
      }
      expect(of(together.averages).counts).toEqual({ x: 3, y: 3, empty: 0 });
      expect(of(together.averages).unclassified).toBe(3);
      expect(of(together.averages).classes["empty"]?.data.every(Number.isNaN)).toBe(true);
    },
  );

  it("takes tags by class", async () => {
    const light = lightDarkClasses(tags(6), (_, i) => i % 3 === 0);
    const shots = [...tags(6)].map((tag) => ({ tag, pixels: [tag, 0] }));
    const { average } = await reduce(shotsOf(shots, spec), {
      average: byClass(mean(), [...light.keys()], classOf(light)),
    });
    expect(Object.entries(of(average).classes).map(([name, image]) => [name, image.get(0, 0)])).toEqual([
      ["light", 1004],
      ["dark1", 1006],
      ["dark2", 1008],
    ]);
    expect(classOf(light)(7)).toBeNull();
    expect(() =>
      classOf(
        new Map([
          ["a", [1, 2]],
          ["b", [2]],
        ]),
      ),
    ).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("refuses a class it was not told of, and names that come twice", async () => {
    await expect(reduce(shotsOf(images, spec), { m: byClass(mean(), ["x"], of3) })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("tag 2"),
    });
    for (const names of [[], ["a", "a"]])
      expect(() => byClass(mean(), names, of3)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it("passes on the signals its reducer needs", () => {
    expect(byClass({ ...mean(), signals: ["bm1"] }, classes, of3).signals).toEqual(["bm1"]);
  });
});
