import fc from "fast-check";

/** Any float32 that exact sums can hold: images of values below a thousandth alone are refused. */
export function floatPixel(constraints: fc.FloatConstraints = {}): fc.Arbitrary<number> {
  return fc.float(constraints).map((x) => (Math.abs(x) < 2 ** -9 ? 0 : x));
}
