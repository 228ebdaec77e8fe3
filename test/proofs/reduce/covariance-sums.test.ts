import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { mergeState } from "../../../src/reduce/engine/state.ts";
import { accumulate, covariance, createStack, reduce, resultsOf, shotsFrom } from "../../../src/reduce/index.ts";
import { frame, of } from "../../unit/reduce/stack.ts";

// More than one slice of the kernel, the last of a length that is no multiple of 8 where `odd`.
const even = [96, 96] as const;
const odd = [90, 101] as const;
const signal = "i0";
const { kernel: _, ...plainWork } = covariance({ equipId: signal });
const plain = { it: plainWork as ReturnType<typeof covariance> };
const counted = { it: covariance({ equipId: signal }) };

/** Dim images with a few pixels of `bright`, and numbers about `level`, some of them missing. */
function imagesOf([rows, columns]: readonly [number, number], shots: number, bright: number, level: number) {
  const random = new Random(9);
  const stack = createStack([shots, rows, columns]);
  for (let i = 0; i < stack.data.length; i++)
    stack.data[i] = 100 + Math.floor(30 * random.uniform()) + (i % 977 === 0 ? bright : 0);
  const numbers = Array.from({ length: shots }, (__, k) => (k % 13 === 5 ? NaN : level * (1 + random.normal() / 8)));
  return { stack, numbers };
}

describe("sums of covariances in the kernel", () => {
  it.each([
    ["dim pixels", even, 40, 200, 1],
    ["pixels whose sums outgrow their lower parts", even, 400, 8000, 0.05],
    ["pixels of more than 13 bits", even, 40, 60_000, 1],
    ["numbers of more than 16 bits", even, 40, 200, 30],
    ["a length that is no multiple of 8", odd, 40, 5000, 1],
    ["numbers of which no product is exact", even, 20, 200, 4e6],
  ] as const)("give what plain code gives: %s", async (__, size, shots, bright, level) => {
    const { stack, numbers } = imagesOf(size, shots, bright, level);
    const from = () => shotsFrom({ P: stack }, { signals: { [signal]: numbers } });
    const whole = of((await reduce(from(), counted)).it, "P");
    expect(whole).toEqual(of((await reduce(from(), plain)).it, "P"));
    expect(whole.count).toBe(numbers.filter((y) => !Number.isNaN(y)).length);
    const pixels = size[0] * size[1];
    const part = async (first: number, end: number, reducers: typeof counted) => {
      const images = createStack([end - first, ...size]);
      images.data.set(stack.data.subarray(first * pixels, end * pixels));
      const tags = Array.from({ length: end - first }, (___, k) => first + k);
      const signals = { [signal]: numbers.slice(first, end) };
      return await accumulate(shotsFrom({ P: images }, { tags, signals }), reducers);
    };
    const merged = await part(0, 3, counted);
    merged.merge(await part(3, 4, plain as typeof counted));
    merged.merge(await part(4, shots, counted));
    expect(of(resultsOf(merged).it, "P")).toEqual(whole);
  });

  it("stay exact when many parts with large sums are merged", () => {
    const spec = frame(1, 1);
    const layout = counted.it.layout(spec);
    const stateOf = (name: string, value: number) =>
      Object.fromEntries(
        Object.entries(layout).map(([field]) => [field, Float64Array.of(field === name ? value : 0)]),
      ) as never;
    for (const [name, upper, most] of [
      ["squareLower", "squareUpper", 2 ** 31 - 2 ** -20],
      ["leftLower", "leftUpper", 2 ** 35 - 2 ** -16],
      ["fourLower", "fourUpper", 2 ** 39 - 2 ** -12],
    ] as const) {
      const into: Record<string, Float64Array> = stateOf(name, most);
      for (let k = 1; k < 5000; k++) mergeState(layout, into as never, stateOf(name, most));
      const total = BigInt(into[upper]?.[0] ?? NaN) * 2n ** 20n + BigInt((into[name]?.[0] ?? NaN) * 2 ** 20);
      expect(total).toBe(5000n * BigInt(most * 2 ** 20));
    }
  });
});
