#!/usr/bin/env bash
# ndarray-gradient 1.0.1 with ndarray 1.1.1 (npm): the gradient of a rising curve is negative, and half at its ends.
#
# gradient() gives (before - after) / 2: the negative of the derivative, so that an edge that rises is found as one that
# falls. At the ends one neighbour is the value itself ("clamp", the default) but the sum is still divided by 2: the slope of
# a straight line is there half of what it is.
#
# Expected: 1 everywhere for 0, 1, 2, 3, 4, as from numpy.gradient. Way round: change the sign, and leave the ends out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 ndarray-gradient@1.0.1
cat >slope.cjs <<'JS'
const ndarray = require("ndarray");
const gradient = require("ndarray-gradient");
const slopes = (values) => {
  const out = ndarray(new Float64Array(values.length), [values.length, 1]);
  gradient(out, ndarray(new Float64Array(values)));
  console.log(values.join(" "), "→", [...out.data].join(" "));
  return [...out.data].join(" ");
};
const asStated = slopes([0, 1, 2, 3, 4]) === "-0.5 -1 -1 -1 -0.5" && slopes([0, 1, 4, 9, 16]) === "-0.5 -2 -4 -6 -3.5";
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node slope.cjs
