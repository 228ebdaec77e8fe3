#!/usr/bin/env bash
# ml-levenberg-marquardt 5.1.0 (npm) fits the same Gaussian in numbers of order 1 and of order 1e-6 differently.
#
# Its damping is an absolute number added to the normal matrix, not a part of its diagonal. Data whose values are of
# order 1 converge. The same data times 1e-6 (charges in coulombs, currents in amperes) leave the position and the width
# where they began, without an error or a warning. Seen with Node.js 20.20.
#
# Expected by a user: the fit does not depend on the unit of y (scipy's curve_fit gives the same centre for both).
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
const fit = (unit) =>
  levenbergMarquardt({ x, y: x.map(bell([0.5, 1, 3 * unit])) }, bell, {
    initialValues: [0.2, 1.5, 2 * unit],
    gradientDifference: [1e-4, 1e-4, 1e-4 * unit],
    maxIterations: 100,
    errorTolerance: 0,
  }).parameterValues;
const [large, small] = [fit(1), fit(1e-6)];
console.log("unit 1:    centre", large[0].toFixed(4), "width", Math.abs(large[1]).toFixed(4));
console.log("unit 1e-6: centre", small[0].toFixed(4), "width", Math.abs(small[1]).toFixed(4));
const converged = Math.abs(large[0] - 0.5) < 1e-3 && Math.abs(Math.abs(large[1]) - 1) < 1e-3;
const stayed = Math.abs(small[0] - 0.2) < 0.01 && Math.abs(small[1] - 1.5) < 0.01;
console.log(converged && stayed ? "as stated: the small values stay at their start" : "CHANGED");
process.exit(converged && stayed ? 0 : 1);
JS
node fit.mjs
