import ndarray from "ndarray";
import { expect, it } from "vitest";
import { newPixels, type PixelType } from "../../../src/core/ndarray.ts";
import { Random } from "../../../src/core/random.ts";
import { quantize } from "../../../src/reduce/engine/exact.ts";
import {
  type Correction,
  correct,
  createStack,
  histogram,
  mean,
  reduce,
  roiSum,
  shotsFrom,
} from "../../../src/reduce/index.ts";
import { frame, of, shotsOf } from "./stack.ts";

// A whole tile of the kernel and a part of one.
const [rows, columns, shots] = [90, 100, 11];
const pixels = rows * columns;
const random = new Random(7);
const made = Array.from({ length: shots * pixels }, () => 80 + Math.floor(400 * random.uniform()));
const level = Float64Array.from({ length: pixels }, () => 100 + random.uniform());
const gains = Float64Array.from({ length: pixels }, () => 0.9 + 0.2 * random.uniform());
const bad = [0, 55, 8191, 8192, 8999];

/** Remembers which pieces it was given: the number of the first pixel, and how many. */
function spy(pixelwise: boolean): Correction & { readonly given: Set<string> } {
  const given = new Set<string>();
  const sensor =
    () =>
    (image: Float32Array, first: number): void => {
      given.add(`${first}+${image.length}`);
    };
  return { name: "spy", given, begin: () => (pixelwise ? { sensor, pixelwise } : { sensor }) };
}

const chain = (last: Correction): Correction[] => [
  correct.dark({ mean: { A: ndarray(level, [rows, columns]) } }),
  correct.gain({ A: ndarray(gains, [rows, columns]) }),
  correct.mask({
    A: ndarray(
      Uint8Array.from({ length: pixels }, (_, i) => Number(bad.includes(i))),
      [rows, columns],
    ),
  }),
  correct.between(3, 300),
  last,
];

/** The mean by the definition of each step, in plain numbers. */
function plainMean(): Float64Array {
  return Float64Array.from({ length: pixels }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < shots; k++) {
      const less = Math.fround((made[k * pixels + i] ?? NaN) - (level[i] ?? NaN));
      const x = Math.fround(less * (1 / (gains[i] ?? NaN)));
      sum += bad.includes(i) || x < 3 || x > 300 ? NaN : quantize(x);
    }
    return sum / shots;
  });
}

const wholeImage = new Set([`0+${pixels}`]);
const pieces = new Set(["0+8192", `8192+${pixels - 8192}`]);

for (const type of ["uint16", "float32"] as const satisfies PixelType[]) {
  const sources = {
    "a stack of the kernel": () => {
      const stack = type === "uint16" ? createStack([shots, rows, columns]) : createStack([shots, rows, columns], type);
      stack.data.set(made);
      return shotsFrom({ A: stack });
    },
    "any array": () => {
      const data = newPixels(shots * pixels, type);
      data.set(made);
      return shotsFrom({ A: ndarray(data, [shots, rows, columns]) });
    },
    "one by one": () =>
      shotsOf(
        Array.from({ length: shots }, (_, k) => ({ tag: k, pixels: made.slice(k * pixels, (k + 1) * pixels) })),
        frame(rows, columns, "A", type),
      ),
  };
  for (const [name, source] of Object.entries(sources)) {
    it(`corrects ${type} images from ${name} piece by piece, to the same bits`, async () => {
      const [own, whole, mixed] = [spy(true), spy(false), spy(true)];
      const asked = { average: mean(), adu: histogram({ from: 0, to: 300, binWidth: 1 }) };
      const inPieces = await reduce(source(), asked, { corrections: chain(own) });
      expect(own.given).toEqual(pieces);
      expect(of(inPieces.average).data).toEqual(plainMean());
      const inOne = await reduce(source(), asked, { corrections: chain(whole) });
      expect(whole.given).toEqual(wholeImage);
      expect(of(inOne.average).data).toEqual(plainMean());
      expect(of(inPieces.adu)).toEqual(of(inOne.adu));
      // A reducer that needs whole images has them.
      const roi = { rows: [0, rows], columns: [0, columns] } as const;
      const both = await reduce(source(), { ...asked, sum: roiSum(roi) }, { corrections: chain(mixed) });
      expect(mixed.given).toEqual(wholeImage);
      expect(of(both.average).data).toEqual(plainMean());
    });
  }
}
