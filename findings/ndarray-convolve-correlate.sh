#!/usr/bin/env bash
# ndarray-convolve 2.0.0 with ndarray 1.1.1 (npm): correlate() gives the convolution.
#
# A cross-correlation of two traces peaks at the shift between them; so delays and drifts of pictures are found. With
# correlate() and correlate.wrap() the second trace is reversed first, as in a convolution: the numbers are equal to those
# of convolve(), and the place of the peak is the sum of the two places instead of their difference.
#
# Expected: sum over j of kernel[j] * trace[i + j - middle]. Way round: reverse the second array
# (kernel.step(-1) for each axis), or sum the products directly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 ndarray-convolve@2.0.0
cat >correlate.mjs <<'JS'
import ndarray from "ndarray";
import convolve from "ndarray-convolve";
const trace = [0, 0, 1, 5, 0, 0, 0];
const kernel = [1, 2, 4];
const by = (method) => {
  const out = ndarray(new Float64Array(trace.length));
  method(out, ndarray(new Float64Array(trace)), ndarray(new Float64Array(kernel)));
  return Array.from(out.data, (value) => Math.round(value)).join();
};
const direct = (sign) => trace.map((_, i) => kernel.reduce((sum, value, j) => sum + value * (trace[i + sign * (j - 1)] ?? 0), 0)).join();
console.log("convolution", direct(-1), "convolve()", by(convolve));
console.log("correlation", direct(1), "correlate()", by(convolve.correlate));

// A line at pixel 40 of one picture and at 45 of the next: a correlation has its peak at 5.
const line = (at) => ndarray(new Float64Array(64).map((_, i) => Math.exp(-((i - at) ** 2) / 4)));
const shift = ndarray(new Float64Array(64));
convolve.correlate.wrap(shift, line(45), line(40));
const peak = shift.data.indexOf(Math.max(...shift.data));
console.log("line moved by 5 of 64 pixels: peak of correlate.wrap() at", peak, "that of the convolution is at", (45 + 40) % 64);
const asStated = by(convolve.correlate) === direct(-1) && by(convolve) === direct(-1) && peak === 21;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node correlate.mjs
