#!/usr/bin/env bash
# ndarray-gaussian-filter 1.0.0 with ndarray 1.1.1 (npm): the border of a smoothed image goes dark, and whole numbers are cut down.
#
# Outside the image the filter takes zeros, and there is no option. A flat picture of 5 has 2 in its corners, and a bright pixel
# on the edge keeps 60 % of its light. The result is written into the image itself: in a Uint16Array each pixel is cut
# to a whole number twice, and a lone peak of 1000 counts far from the edge loses 7 % of them.
#
# Expected: the sum of the counts stays, or weights that are normalised at the border.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ndarray@1.1.1 ndarray-gaussian-filter@1.0.0
cat >smooth.mjs <<'JS'
import ndarray from "ndarray";
import smooth from "ndarray-gaussian-filter";
const sum = (image) => image.data.reduce((total, value) => total + value, 0);
const flat = ndarray(new Float64Array(32 * 32).fill(5), [32, 32]);
smooth(flat, 2);
const point = (pixels, row) => {
  const image = ndarray(pixels, [32, 32]);
  image.set(row, 16, 1000);
  smooth(image, 2);
  return sum(image);
};
const [edge, middle, whole] = [point(new Float64Array(1024), 0), point(new Float64Array(1024), 16), point(new Uint16Array(1024), 16)];
console.log("flat picture of 5: middle", flat.get(16, 16).toFixed(3), "corner", flat.get(0, 0).toFixed(3));
console.log("1000 counts, sum after: in the middle", middle.toFixed(1), "on the edge", edge.toFixed(1), "in the middle, uint16", whole);
const asStated = Math.abs(middle - 1000) < 1 && edge < 650 && whole < 950 && flat.get(0, 0) < 2.5;
console.log(asStated ? "as stated" : "CHANGED");
process.exit(asStated ? 0 : 1);
JS
node smooth.mjs
