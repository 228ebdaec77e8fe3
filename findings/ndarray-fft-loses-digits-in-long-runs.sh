#!/usr/bin/env bash
# ndarray-fft 1.0.3 with ndarray 1.1.1 (npm): the error of a transform in float64 grows with the square of its length.
#
# A signal of 1000 with a wave of 1 on it, as an I0 over the tags of a run. Values beside the line should be rounding alone
# (about 1e-12 of the wave in numpy). They are 3e-9 at 1000 values, 5e-5 at 100 000 and 1e-3 at 300 000; back and forth the
# values differ as much. Lengths that are a power of two lose less (2e-8 at 262 144), and most with small lengths nothing.
#
# Expected: rounding errors that grow as the logarithm of the length. Way round: subtract the mean before, take lengths that
# are a power of two, or transform with numpy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 ndarray-fft@1.0.3
cat >spectrum.cjs <<'JS'
const ndarray = require("ndarray");
const fft = require("ndarray-fft");
/** Largest value beside the line, and largest difference back and forth, in units of the wave. */
function errors(count) {
  const signal = Float64Array.from({ length: count }, (_, i) => 1000 + Math.cos((2 * Math.PI * 5 * i) / count));
  const real = ndarray(signal.slice());
  const imaginary = ndarray(new Float64Array(count));
  fft(1, real, imaginary);
  let beside = 0;
  for (let k = 1; k < count; k++)
    if (k !== 5 && k !== count - 5) beside = Math.max(beside, Math.hypot(real.get(k), imaginary.get(k)) / (count / 2));
  fft(-1, real, imaginary);
  let back = 0;
  for (let i = 0; i < count; i++) back = Math.max(back, Math.abs(signal[i] - real.get(i)));
  console.log(`${count} values: beside the line ${beside.toExponential(1)}, back and forth ${back.toExponential(1)}`);
  return beside;
}
const [short, thousand, power, long, longer] = [1024, 1000, 262_144, 100_000, 300_000].map(errors);
const asStated =
  short < 1e-11 && thousand > 1e-10 && thousand < 1e-7 && power < 1e-6 && long > 1e-6 && longer > 1e-4 && longer < 0.1;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node spectrum.cjs
