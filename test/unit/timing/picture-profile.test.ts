import { expect, it } from "vitest";
import { asImage } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { smooth } from "../../../src/timing/model-kernel.ts";
import { PictureProfiler } from "../../../src/timing/picture-profile.ts";
import { stripProfile } from "../../../src/timing/profile.ts";
import { layoutFor, stripOf } from "../../../src/timing/strip.ts";
import { gaussian } from "../../../src/timing/template.ts";

const [rows, columns] = [150, 331];
const random = new Random(7);
const picture = () =>
  asImage(
    Uint16Array.from({ length: rows * columns }, () => 900 * random.uniform()),
    rows,
    columns,
  );

it.each([
  { roi: undefined, bin: 1, darkSide: "low" as const },
  { roi: undefined, bin: 2, darkSide: "low" as const },
  { roi: { rows: [3, 148], columns: [5, 330] } as const, bin: 3, darkSide: "high" as const },
  { roi: { rows: [3, 66], columns: [0, 327] } as const, bin: 4, darkSide: "low" as const },
])("gives the profile of a picture that its strip gives: $bin pixels a bin", ({ roi, bin, darkSide }) => {
  const layout = layoutFor([rows, columns], "columns", roi, bin);
  const weights = Float64Array.from({ length: layout.bands }, (_, band) => (band % 4 === 0 ? 0 : 1 + band));
  const profiler = { layout, background: stripOf(picture(), layout, 40, Infinity).values, weights, darkSide };
  // A bin without background in one band, and one without in all of them.
  profiler.background[layout.bins + 7] = 0;
  for (let band = 0; band < layout.bands; band++) profiler.background[band * layout.bins + 20] = 0;
  const image = picture();
  const byStrip = stripProfile(stripOf(image, layout, 40, Infinity), profiler);
  const pictures = new PictureProfiler(profiler);
  const found = pictures.profile(image, 40, Infinity);
  expect(found?.lost).toBe(byStrip.lost);
  expect(found?.values.length).toBe(layout.bins);
  found?.values.forEach((value, x) => {
    expect(value).toBeCloseTo(byStrip.values[x] ?? NaN, 12);
  });

  const background = profiler.background.map((value) => 2 * value);
  pictures.setBackground(background);
  expect(pictures.profile(image, 40, Infinity)?.values[33]).toBeCloseTo((found?.values[33] ?? NaN) / 2, 12);

  // A pixel of a band that does not count may be saturated.
  image.data[layout.roi.rows[0] * columns + 10] = 4095;
  expect(pictures.profile(image, 40, Infinity)?.values).toEqual(pictures.profile(image, 40, 4000)?.values);
  expect(pictures.profile(image, 40, Infinity)).toBeDefined();

  // What it has no fast way for.
  expect(pictures.profile(image, 40, 600)).toBeUndefined();
  image.data[rows * 100] = 4095;
  expect(pictures.profile(image, 40, Infinity)).toBeUndefined();
});

it.each([65, 128])("smooths %i values as the sum says, with zeros outside", (length) => {
  const values = Float64Array.from({ length }, () => random.normal());
  const weights = gaussian(6);
  const out = new Float64Array(length);
  smooth(values, weights, out);
  const reach = weights.length >> 1;
  for (let x = 0; x < length; x++) {
    const sum = weights.reduce((total, weight, k) => total + weight * (values[x + k - reach] ?? 0), 0);
    expect(out[x]).toBeCloseTo(sum, 12);
  }
});
