import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { histogram, pixelHistogram, reduce } from "../../../src/reduce/index.ts";
import { frame, of, shotsOf } from "./stack.ts";

const spec = frame(3, 4);

describe("pixelHistogram", () => {
  it("is the histogram of each pixel alone", async () => {
    const pixel = fc.oneof(
      fc.integer({ min: -8, max: 12 }),
      fc.float({ min: -8, max: 12 }),
      fc.constantFrom(-2.5, 0.5, 7.5, NaN, Infinity, -Infinity),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(pixel, { minLength: 12, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1, 0.5, 3),
        async (stack, binWidth) => {
          const images = stack.map((pixels, tag) => ({ tag, pixels }));
          const bins = { from: -2, to: 7, binWidth };
          const { each } = await reduce(shotsOf(images, spec), { each: pixelHistogram(bins) });
          const { counts, under, over, invalid } = of(each);
          const sums = [0, 0, 0];
          for (let i = 0; i < 12; i++) {
            const one = images.map(({ tag, pixels }) => ({ tag, pixels: [pixels[i] ?? NaN] }));
            const alone = of((await reduce(shotsOf(one, frame(1, 1)), { h: histogram(bins) })).h);
            expect(Array.from(alone.counts, (_, k) => counts.get(Math.floor(i / 4), i % 4, k))).toEqual([
              ...alone.counts,
            ]);
            [alone.under, alone.over, alone.invalid].forEach((n, k) => {
              sums[k] = (sums[k] ?? 0) + n;
            });
          }
          expect([under, over, invalid]).toEqual(sums);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("keeps to its rectangle", async () => {
    const images = [{ tag: 1, pixels: Array.from({ length: 12 }, (_, i) => i) }];
    const roi = { rows: [1, 3], columns: [2, 4] } as const;
    const { each } = await reduce(shotsOf(images, spec), {
      each: pixelHistogram({ from: 0, to: 10, binWidth: 1, roi }),
    });
    const { counts, over } = of(each);
    expect(counts.shape).toEqual([2, 2, 11]);
    expect([counts.get(0, 0, 6), counts.get(0, 1, 7), counts.get(1, 0, 10), over]).toEqual([1, 1, 1, 1]);
    expect(counts.data.reduce((a, b) => a + b, 0)).toBe(3);
  });

  it("refuses what cannot be, above all more memory than there can be", async () => {
    for (const bad of [
      { from: 1, to: 0, binWidth: 1 },
      { from: 0, to: 1, binWidth: 0 },
      { from: NaN, to: 1, binWidth: 1 },
    ]) {
      expect(() => pixelHistogram(bad)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    const large = pixelHistogram({ from: 0, to: 4999, binWidth: 1 });
    expect(() => large.layout(frame(1024, 512))).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("GiB") }),
    );
    const beyond = pixelHistogram({ from: 0, to: 1, binWidth: 1, roi: { rows: [0, 9], columns: [0, 1] } });
    expect(() => beyond.layout(spec)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
