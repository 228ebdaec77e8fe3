#!/usr/bin/env bash
# ml-levenberg-marquardt 5.1.0 (npm) goes on from a step that raised the error.
#
# Levenberg-Marquardt takes back a step after which the sum of squares is larger, and tries a shorter one. This package
# only raises the damping and goes on from the worse place, so that one long step is never mended: a Gaussian without
# noise, begun 1.2 of its widths off, ends far from the data after all its iterations, without an error or a warning.
# Seen with Node.js 20.20. scipy 1.17.1's curve_fit (MINPACK) finds centre 0, width 1 from the same start.
#
# Here: the fits have a step of their own (src/scan/fits/least-squares.ts), with damping in parts of the diagonal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ml-levenberg-marquardt@5.1.0
cat >fit.mjs <<'JS'
import { levenbergMarquardt } from "ml-levenberg-marquardt";
const x = Array.from({ length: 41 }, (_, i) => -4 + 0.2 * i);
const bell = ([centre, width, height]) => (at) => height * Math.exp(-(((at - centre) / width) ** 2));
const fit = (centre) =>
  levenbergMarquardt({ x, y: x.map(bell([0, 1, 30])) }, bell, {
    initialValues: [centre, 1, 30],
    gradientDifference: 1e-6,
    centralDifference: true,
    maxIterations: 200,
    errorTolerance: 1e-12,
  });
let asStated = true;
for (const [start, converges] of [[0.9, true], [1.2, false]]) {
  const { parameterValues: [centre, width], parameterError, iterations } = fit(start);
  console.log(`start ${start}: centre ${centre.toFixed(4)} width ${width.toFixed(4)} error ${parameterError.toExponential(1)} after ${iterations} iterations`);
  asStated &&= (Math.abs(centre) < 1e-3) === converges;
}
console.log(asStated ? "as stated: the start further off is lost" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node fit.mjs
