#!/usr/bin/env bash
# ndarray-ops 1.2.2 with ndarray 1.1.1 (npm): argmax() of a picture without numbers is a pixel outside it.
#
# When no pixel is larger than -Infinity (all are NaN, as in a lost shot or a masked region), argmax() and argmin() return
# the shape of the array: an index one beyond its end in each axis, of which get() is undefined. sup() and inf() are then
# -Infinity and Infinity. One NaN among numbers is skipped; numpy's max and argmax give the NaN and its place.
#
# Expected: an error, as from numpy's nanargmax, or an index inside the picture. Way round: test with isFinite(sup(picture))
# before the index is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 ndarray-ops@1.2.2
cat >brightest.cjs <<'JS'
const ndarray = require("ndarray");
const ops = require("ndarray-ops");
const brightest = (pixels) => {
  const picture = ndarray(new Float64Array(pixels), [2, 3]);
  const place = ops.argmax(picture);
  console.log(JSON.stringify(pixels.map(String)), "brightest", place, "its value", picture.get(...place), "sup", ops.sup(picture));
  return `${place}`;
};
const one = brightest([0, 7, 1, 2, 0, 3]);
const skipped = brightest([0, 7, 1, 2, NaN, 3]);
const none = brightest([NaN, NaN, NaN, NaN, NaN, NaN]);
const darkest = `${ops.argmin(ndarray(new Float64Array(6).fill(NaN), [2, 3]))}`;
console.log("argmin without numbers", darkest);
const asStated = one === "0,1" && skipped === "0,1" && none === "2,3" && darkest === "2,3";
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node brightest.cjs
