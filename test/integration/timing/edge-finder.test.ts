import { describe, expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { EdgeFinder, type EdgeFinderOptions, type EdgeFinderState } from "../../../src/timing/index.ts";
import { cases, itInFull, times } from "../../support/full.ts";
import { type TimingImage, type TimingImageOptions, timingImages } from "../../support/timing-images.ts";

const FS_PER_PIXEL = 2.6;

function run(images: readonly TimingImage[], options: EdgeFinderOptions = {}) {
  const finder = EdgeFinder.learn(images, options);
  const found = images.map(({ image }) => finder.find(image));
  const good = images.flatMap(({ edgePx, secondPx }, i) => {
    const edge = found[i];
    if (edge === undefined || !edge.usable || Number.isNaN(edgePx) || !Number.isNaN(secondPx)) return [];
    return [
      {
        fitFs: FS_PER_PIXEL * (edge.fittingPx - edgePx),
        slopeFs: FS_PER_PIXEL * (edge.derivativePx - edgePx),
        pull: (edge.fittingPx - edgePx) / edge.errorPx,
      },
    ];
  });
  return { finder, found, good };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function robust(values: readonly number[]): { median: number; sigma: number } {
  const median = middle(values);
  return { median, sigma: 1.4826 * middle(values.map((value) => Math.abs(value - median))) };
}

const kinds: Record<string, TimingImageOptions> = {
  "edges of 5 to 10 %": { seed: 1 },
  "edges of 50 %": { seed: 2, depth: [0.45, 0.55] },
  "light lost at high pixels": { seed: 3, dark: "high" },
  "time along the rows": { seed: 4, axis: "rows" },
  "other fringes, a tall picture": { seed: 5, rows: 40, periods: [24, 61, 300] },
};

/** Strong edges, and a finder that has learnt from them. */
let learnt: { readonly images: readonly TimingImage[]; readonly finder: EdgeFinder } | undefined;
function learn(): NonNullable<typeof learnt> {
  if (learnt === undefined) {
    const images = timingImages({ seed: 7, shots: 40, depth: [0.2, 0.3] });
    learnt = { images, finder: EdgeFinder.learn(images) };
  }
  return learnt;
}

describe("EdgeFinder", () => {
  it.each(cases(Object.entries(kinds), 3))("finds %s through drifting fringes and 2 %% noise", (_, options) => {
    const images = timingImages(options);
    const { found, good } = run(images, { axis: options.axis ?? "columns" });
    const edges = images.filter(({ edgePx, secondPx }) => edgePx > 0 && Number.isNaN(secondPx)).length;
    expect(good.length).toBeGreaterThan(0.97 * edges);
    const fit = robust(good.map(({ fitFs }) => fitFs));
    const slope = robust(good.map(({ slopeFs }) => slopeFs));
    expect(fit.sigma).toBeLessThan((options.depth?.[0] ?? 0) > 0.4 ? 3 : 5);
    expect(Math.abs(fit.median)).toBeLessThan(4);
    expect(slope.sigma).toBeLessThan(8);
    expect(good.filter(({ fitFs }) => Math.abs(fitFs) > 100)).toEqual([]);
    // 1σ holds 68 % of them: of some 50, 48 to 88 %.
    const inside = good.filter(({ pull }) => Math.abs(pull) < 1).length / good.length;
    expect(inside).toBeGreaterThan(0.48);
    expect(inside).toBeLessThan(0.88);
    images.forEach(({ secondPx, edgePx, xrays }, i) => {
      if (!Number.isNaN(secondPx)) expect(found[i]?.usable).toBe(false);
      if (xrays && Number.isNaN(edgePx)) expect(found[i]?.flags).toContain("no-edge");
      if (!xrays) expect(found[i]?.usable).toBe(false);
    });
    const doubles = images.flatMap(({ secondPx }, i) => (Number.isNaN(secondPx) ? [] : [found[i]?.flags ?? []]));
    const told = doubles.filter((flags) => flags.includes("second-edge")).length;
    expect(told).toBeGreaterThanOrEqual(0.5 * doubles.length);
  });

  itInFull("tells of second edges that stand 3.5 σ away, and takes no wide edge for two", () => {
    const images = timingImages({ seed: 13, sigma: 25, secondAway: 3.5, secondShare: 0.12, depth: [0.1, 0.15] });
    const { finder, found } = run(images);
    images.forEach(({ secondPx, edgePx }, i) => {
      const { flags = [], fittingPx = NaN, secondPx: second = NaN } = found[i] ?? {};
      expect(flags.includes("second-edge")).toBe(!Number.isNaN(secondPx));
      if (Number.isNaN(secondPx)) return;
      expect(Math.abs(fittingPx - edgePx)).toBeLessThan(finder.summary.widthPx);
      expect(Math.abs(second - secondPx)).toBeLessThan(finder.summary.widthPx);
    });
  });

  itInFull("learns width, side and fringes, and which lines the X-rays reach", () => {
    const { finder } = run(timingImages({ seed: 6, shots: times(80, 40), depth: [0.2, 0.3], dark: "high", rows: 30 }));
    const { summary } = finder;
    expect(summary.darkSide).toBe("high");
    expect(summary.widthPx).toBeCloseTo(12, 0);
    const periods = summary.fringePeriodsPx.map(Math.round);
    expect(periods).toContain(37);
    expect(periods).toContain(131);
    expect(summary.lines[0]).toBeLessThan(12);
    expect(summary.lines[1]).toBeGreaterThan(17);
  });

  it("leaves saturated lines out and says so", () => {
    const { images, finder } = learn();
    const [one] = images.filter(({ edgePx }) => edgePx > 0);
    if (one === undefined) throw new Error("no edge");
    const pixels = Uint16Array.from(one.image.data);
    pixels.fill(4095, 4 * 1024, 5 * 1024);
    const edge = finder.find(asImage(pixels, 8, 1024));
    expect(edge.flags).toEqual(["saturated"]);
    expect(edge.usable).toBe(true);
    expect(Math.abs(edge.fittingPx - one.edgePx)).toBeLessThan(2);
    expect(finder.find(asImage(pixels.fill(4095), 8, 1024)).flags).toEqual(["no-edge", "saturated"]);
    expect(finder.find(asImage(pixels.fill(0), 8, 1024)).flags).toEqual(["no-laser"]);
  });

  // Much saturated: of what is left in the middle only noise and fringes decide, and the bands are others there.
  it.each(cases([2.8, 2.5, 2.6, 2.7, 3], 0, 1))(
    "has no usable edge that is wrong where %s times the light saturates",
    (gain) => {
      const images = timingImages({ seed: 21, shots: 120, depth: [0.07, 0.2] }).map((one) => {
        const pixels = Uint16Array.from(one.image.data, (v) => Math.min(4095, Math.round(gain * Number(v))));
        return { ...one, image: asImage(pixels, 8, 1024) };
      });
      const { good } = run(images);
      expect(good.filter(({ fitFs }) => Math.abs(fitFs) > 20)).toEqual([]);
      expect(good.filter(({ pull }) => Math.abs(pull) > 3).length).toBeLessThanOrEqual(0.015 * good.length);
      // With a few saturated pixels there are edges.
      if (gain < 2.65) expect(good.length).toBeGreaterThan(60);
    },
  );

  itInFull("follows a background that changes", () => {
    const images = timingImages({ seed: 8, shots: times(80, 40), depth: [0.05, 0.06] });
    const finder = EdgeFinder.learn(images, { backgroundShots: 5 });
    // A speck that stays: a dip over 60 columns.
    const later = timingImages({ seed: 9, shots: times(80, 40), depth: [0.05, 0.06] }).map((one) => {
      const pixels = Uint16Array.from(one.image.data, (v, i) => (Math.abs((i % 1024) - 700) < 30 ? 0.9 * v : v));
      return { ...one, image: asImage(pixels, 8, 1024) };
    });
    for (const { image, xrays } of later) if (!xrays) finder.addLaserOnly(image);
    const wrong = later.filter(({ image, edgePx }) => Math.abs(finder.find(image).fittingPx - edgePx) > 10);
    expect(wrong).toEqual([]);
  });

  it("comes back from JSON the same", () => {
    const { images, finder } = learn();
    const again = EdgeFinder.fromJSON(JSON.parse(JSON.stringify(finder)) as EdgeFinderState);
    expect(again.summary.fringePeriodsPx).toEqual(finder.summary.fringePeriodsPx);
    for (const { image } of images) {
      const [a, b] = [finder.find(image), again.find(image)];
      expect(b.flags).toEqual(a.flags);
      if (a.usable) expect(b.fittingPx).toBeCloseTo(a.fittingPx, 2);
    }
  });

  it("refuses what it cannot use", () => {
    const [image] = timingImages({ seed: 1, shots: 1 });
    if (image === undefined) throw new Error("no image");
    expect(() => EdgeFinder.learn([])).toThrow("no background");
    expect(() => EdgeFinder.learn([{ ...image, xrays: true }])).toThrow("no background");
    expect(() => EdgeFinder.learn([image], { widthPx: 0 })).toThrow("widthPx");
    expect(() => EdgeFinder.learn([image], { roi: { rows: [0, 8], columns: [0, 30] } })).toThrow("along time");
    expect(() => EdgeFinder.learn([image, { image: asImage(new Uint16Array(4), 2, 2), xrays: true }])).toThrow("2 × 2");
    // A finder that was learnt from other pictures is not used on these.
    const again = EdgeFinder.fromJSON(learn().finder.toJSON());
    expect(() => again.find(asImage(new Uint16Array(16 * 1024), 16, 1024))).toThrow("16 × 1024");
  });
});
